/** A client that holds one lease after the other, with keys on it, and ends each in its own way. */
import { kv, type Traffic } from "./traffic.ts";

const KEYS_MAX = 3;

export class LeaseHolder {
  readonly #traffic: Traffic;
  readonly #name: string;

  constructor(traffic: Traffic, name: string) {
    this.#traffic = traffic;
    this.#name = name;
  }

  async run(): Promise<void> {
    const traffic = this.#traffic;
    while (!traffic.isOver) {
      await traffic.rest(500);
      if (!traffic.isOver) await this.#holdOne();
    }
  }

  async #holdOne(): Promise<void> {
    const traffic = this.#traffic;
    const { prng } = traffic;
    const { lease, ttlSeconds } = traffic.newLease();
    const granted = await traffic.ask(this.#name, { kind: "grant", lease, ttlSeconds });
    if (granted?.kind !== "ok") return;
    for (let left = 1 + prng.below(KEYS_MAX); left > 0; left -= 1) await this.#put(lease);
    for (let left = prng.below(8); left > 0 && !traffic.isOver; left -= 1) {
      await traffic.rest(1_500);
      if (prng.chance(0.2)) await this.#put(lease);
      const renewed = await traffic.ask(this.#name, { kind: "keepAlive", lease });
      if (renewed?.kind === "ok" && renewed.response.ttlSeconds === 0) return;
    }
    // Otherwise it is left to its end.
    if (prng.chance(0.3)) await traffic.ask(this.#name, { kind: "revoke", lease });
  }

  async #put(lease: string): Promise<void> {
    const traffic = this.#traffic;
    const key = `l/${this.#name}/${lease}-${traffic.prng.below(KEYS_MAX)}`;
    const value = traffic.newValue(this.#name);
    await traffic.ask(this.#name, kv([{ kind: "put", key, value, lease }]));
  }
}
