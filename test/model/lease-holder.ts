/** A client that holds one lease after the other, with keys on it, and ends each in its own way. */
import type { ClientSide } from "./client-side.ts";
import { kv } from "./history.ts";

const KEYS_MAX = 3;

export class LeaseHolder {
  readonly #side: ClientSide;
  readonly #name: string;

  constructor(side: ClientSide, name: string) {
    this.#side = side;
    this.#name = name;
  }

  async run(): Promise<void> {
    const side = this.#side;
    while (!side.isOver) {
      await side.rest(500);
      if (!side.isOver) await this.#holdOne();
    }
  }

  async #holdOne(): Promise<void> {
    const side = this.#side;
    const { prng } = side;
    const { lease, ttlSeconds } = side.newLease();
    const granted = await side.ask(this.#name, { kind: "grant", lease, ttlSeconds });
    if (granted?.kind !== "ok") return;
    for (let left = 1 + prng.below(KEYS_MAX); left > 0; left -= 1) await this.#put(lease);
    for (let left = prng.below(8); left > 0 && !side.isOver; left -= 1) {
      await side.rest(1_500);
      if (prng.chance(0.2)) await this.#put(lease);
      const renewed = await side.ask(this.#name, { kind: "keepAlive", lease });
      if (renewed?.kind === "ok" && renewed.response.ttlSeconds === 0) return;
    }
    // Otherwise it is left to its end.
    if (prng.chance(0.3)) await side.ask(this.#name, { kind: "revoke", lease });
  }

  async #put(lease: string): Promise<void> {
    const side = this.#side;
    const key = `l/${this.#name}/${lease}-${side.prng.below(KEYS_MAX)}`;
    const value = side.newValue(this.#name);
    await side.ask(this.#name, kv([{ kind: "put", key, value, lease }]));
  }
}
