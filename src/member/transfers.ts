/** Leadership on its way to another member, and who waits for it (thesis 3.10, MA-08). */
import { type EtcdError, errors } from "../errors/index.ts";
import type { Driver } from "./driver.ts";
import { TRANSFERS_WAITING_MAX } from "./limits.ts";
import type { Waiter } from "./types.ts";

interface Transfer {
  readonly target: bigint;
  readonly deadlineMs: number;
  readonly waiter: Waiter<void>;
}

export class Transfers {
  readonly #driver: Pick<Driver, "transferLeader">;
  readonly #timeoutMs: number;
  #waiting: Transfer[] = [];

  constructor(driver: Pick<Driver, "transferLeader">, timeoutMs: number) {
    this.#driver = driver;
    this.#timeoutMs = timeoutMs;
  }

  start(target: bigint, nowMs: number, waiter: Waiter<void>): void {
    if (this.#waiting.length >= TRANSFERS_WAITING_MAX) {
      return waiter.refused(errors.TooManyRequests);
    }
    this.#waiting.push({ target, deadlineMs: nowMs + this.#timeoutMs, waiter });
    this.#driver.transferLeader(target);
  }

  leaderIs(leader: bigint): void {
    this.#settle(
      ({ target }) => target === leader,
      ({ waiter }) => waiter.done(),
    );
  }

  tick(nowMs: number): void {
    this.#settle(
      ({ deadlineMs }) => deadlineMs <= nowMs,
      ({ waiter }) => waiter.refused(errors.TimeoutLeaderTransfer),
    );
  }

  refuseAll(error: EtcdError): void {
    this.#settle(
      () => true,
      ({ waiter }) => waiter.refused(error),
    );
  }

  #settle(isOver: (transfer: Transfer) => boolean, answer: (transfer: Transfer) => void): void {
    if (this.#waiting.length === 0) return;
    const over = this.#waiting.filter(isOver);
    this.#waiting = this.#waiting.filter((transfer) => !isOver(transfer));
    for (const transfer of over) answer(transfer);
  }
}
