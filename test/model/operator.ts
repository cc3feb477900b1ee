/** Somebody who raises the alarm that refuses writes, and takes it back soon after. */
import type { ClientSide } from "./client-side.ts";

const REST_MAX_MS = 6_000;
const RAISED_MAX_MS = 300;
/** At the end it looks so often whether an alarm of unknown outcome came after all. */
const LAST_LOOKS = 4;

export class Operator {
  readonly #side: ClientSide;

  constructor(side: ClientSide) {
    this.#side = side;
  }

  /** Goes on until all is well again, beyond the end of the other traffic. */
  async run(): Promise<void> {
    const side = this.#side;
    while (!side.isOver) {
      await side.rest(REST_MAX_MS);
      if (side.isOver) break;
      await side.ask("operator", { kind: "alarm", isRaised: true });
      await this.#disarm();
    }
    for (let left = LAST_LOOKS; left > 0; left -= 1) {
      await side.rest(REST_MAX_MS);
      await this.#disarm();
    }
  }

  async #disarm(): Promise<void> {
    const side = this.#side;
    do await side.rest(RAISED_MAX_MS);
    while ((await side.ask("operator", { kind: "alarm", isRaised: false }))?.kind !== "ok");
  }
}
