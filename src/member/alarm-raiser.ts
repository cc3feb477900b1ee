/** Alarms that a member raises, of itself or another: each once, through the log (surface 6). */
import type { AlarmSet } from "../alarm/index.ts";
import type { ApplyResponse } from "../apply/index.ts";
import type { Logger } from "../seam/index.ts";
import { AlarmAction, type AlarmMember, AlarmType, type RaftOperation } from "../wire/index.ts";
import type { Waiter } from "./types.ts";

export interface AlarmRaiserOptions {
  readonly id: bigint;
  readonly alarmSet: () => AlarmSet;
  readonly propose: (operation: RaftOperation, waiter: Waiter<ApplyResponse>) => void;
  readonly logger: Logger;
}

export class AlarmRaiser {
  readonly #options: AlarmRaiserOptions;
  /** On their way: type and member. */
  readonly #raising = new Set<string>();

  constructor(options: AlarmRaiserOptions) {
    this.#options = options;
  }

  noSpace(quotaBytes: number, inUseBytes: number): void {
    const { id, alarmSet } = this.#options;
    if (this.#isRaising(AlarmType.NOSPACE, id) || alarmSet().isCapped) return;
    this.#options.logger.warn("the space quota is used up; raising the NOSPACE alarm", {
      "quota-size-bytes": quotaBytes,
      "in-use-bytes": inUseBytes,
    });
    this.#raise({ memberId: id, alarm: AlarmType.NOSPACE });
  }

  /** The disk is nearly full. May be called again. */
  noRoom(): void {
    const { id } = this.#options;
    if (this.#has(AlarmType.NOSPACE, id) || this.#isRaising(AlarmType.NOSPACE, id)) return;
    this.#raise({ memberId: id, alarm: AlarmType.NOSPACE });
  }

  /** NOSPACE stands for this member. */
  get hasNoSpace(): boolean {
    return this.#has(AlarmType.NOSPACE, this.#options.id);
  }

  /** There is room again. True when the alarm is gone; else to be called again. */
  roomBack(): boolean {
    const { id } = this.#options;
    // One that is on its way would come after it was found gone.
    if (this.#isRaising(AlarmType.NOSPACE, id)) return false;
    if (!this.#has(AlarmType.NOSPACE, id)) return true;
    this.#clearNoSpace(id);
    return false;
  }

  #clearNoSpace(id: bigint): void {
    this.#propose(AlarmAction.DEACTIVATE, { memberId: id, alarm: AlarmType.NOSPACE });
  }

  /** What this member has is damaged, and nobody else has it. */
  damaged(error: Error): void {
    const { id, logger } = this.#options;
    if (this.#isRaising(AlarmType.CORRUPT, id) || this.#hasCorrupt(id)) return;
    logger.error("the store is damaged; raising the CORRUPT alarm", { error: error.message });
    this.#raise({ memberId: id, alarm: AlarmType.CORRUPT });
  }

  /** A member's state differs from that of the majority; 0n = nobody can tell whose is right. */
  corrupt(memberId: bigint): void {
    if (this.#isRaising(AlarmType.CORRUPT, memberId) || this.#hasCorrupt(memberId)) return;
    this.#raise({ memberId, alarm: AlarmType.CORRUPT, isScoped: memberId !== 0n });
  }

  /** Again, since the alarm that is in this member's table may be gone elsewhere. */
  repeat(memberId: bigint): void {
    if (this.#isRaising(AlarmType.CORRUPT, memberId)) return;
    this.#raise({ memberId, alarm: AlarmType.CORRUPT, isScoped: true });
  }

  /** This member has a sound state again. */
  healed(): void {
    const { id } = this.#options;
    if (this.#isRaising(AlarmType.CORRUPT, id) || !this.#hasCorrupt(id)) return;
    this.#propose(AlarmAction.DEACTIVATE, { memberId: id, alarm: AlarmType.CORRUPT });
  }

  #hasCorrupt(id: bigint): boolean {
    return this.#has(AlarmType.CORRUPT, id);
  }

  #has(type: number, id: bigint): boolean {
    const alarms = this.#options.alarmSet().list();
    return alarms.some((row) => row.memberId === id && row.alarm === type);
  }

  #isRaising(type: number, id: bigint): boolean {
    return this.#raising.has(`${type} ${id}`);
  }

  #raise(alarm: AlarmMember): void {
    this.#propose(AlarmAction.ACTIVATE, alarm);
  }

  #propose(action: number, alarm: AlarmMember): void {
    const key = `${alarm.alarm} ${alarm.memberId}`;
    this.#raising.add(key);
    const settled = () => void this.#raising.delete(key);
    const waiter = { done: settled, refused: settled };
    this.#options.propose({ kind: "alarm", alarm: { action, ...alarm } }, waiter);
  }
}
