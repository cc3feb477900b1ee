/** Alarms that this member raises about itself: each once, through the log (surface 6). */
import type { AlarmSet } from "../alarm/index.ts";
import type { ApplyResponse } from "../apply/index.ts";
import type { Logger } from "../seam/index.ts";
import { AlarmAction, AlarmType, type RaftOperation } from "../wire/index.ts";
import type { Waiter } from "./types.ts";

export interface AlarmRaiserOptions {
  readonly id: bigint;
  readonly alarmSet: () => AlarmSet;
  readonly propose: (operation: RaftOperation, waiter: Waiter<ApplyResponse>) => void;
  readonly logger: Logger;
}

export class AlarmRaiser {
  readonly #options: AlarmRaiserOptions;
  /** Types on their way. */
  readonly #raising = new Set<number>();

  constructor(options: AlarmRaiserOptions) {
    this.#options = options;
  }

  noSpace(quotaBytes: number, inUseBytes: number): void {
    if (this.#raising.has(AlarmType.NOSPACE) || this.#options.alarmSet().isCapped) return;
    this.#options.logger.warn("the space quota is used up; raising the NOSPACE alarm", {
      "quota-size-bytes": quotaBytes,
      "in-use-bytes": inUseBytes,
    });
    this.#raise(AlarmType.NOSPACE);
  }

  corrupt(error: Error): void {
    const { id, alarmSet, logger } = this.#options;
    const corrupt = AlarmType.CORRUPT;
    const isRaised = alarmSet()
      .list()
      .some((row) => row.memberId === id && row.alarm === corrupt);
    if (this.#raising.has(corrupt) || isRaised) return;
    logger.error("the store is damaged; raising the CORRUPT alarm", { error: error.message });
    this.#raise(corrupt);
  }

  #raise(type: number): void {
    this.#raising.add(type);
    const { id, propose } = this.#options;
    const alarm = { action: AlarmAction.ACTIVATE, memberId: id, alarm: type };
    const settled = () => void this.#raising.delete(type);
    propose({ kind: "alarm", alarm }, { done: settled, refused: settled });
  }
}
