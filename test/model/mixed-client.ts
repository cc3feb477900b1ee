/** A client that asks for anything, of any member, by the weights of its profile. */
import type { ClientSide } from "./client-side.ts";
import { kv, type Operation, type Outcome, range, type Request } from "./history.ts";
import type { Weights } from "./profiles.ts";

const KEY_PREFIX = "k/";
const KEY_END = "k0";
/** A client whose call was not answered tries the same again, sometimes. */
const RETRY_CHANCE = 0.3;

export class MixedClient {
  readonly #side: ClientSide;
  readonly #name: string;

  constructor(side: ClientSide, name: string) {
    this.#side = side;
    this.#name = name;
  }

  async run(): Promise<void> {
    const side = this.#side;
    while (!side.isOver) {
      await side.rest();
      if (side.isOver) return;
      const request = this.#choose();
      const outcome = await side.ask(this.#name, request);
      const isLost = outcome?.kind === "unknown" && !side.isOver;
      if (side.profile.isPatient) await this.#insist(request, outcome);
      else if (isLost && side.prng.chance(RETRY_CHANCE)) await side.ask(this.#name, request);
    }
  }

  /** The same again, until it is answered. */
  async #insist(request: Request, first: Outcome | undefined): Promise<void> {
    const side = this.#side;
    let outcome = first;
    while (!side.isOver && (outcome === undefined || outcome.kind === "unknown")) {
      await side.rest();
      outcome = await side.ask(this.#name, request);
    }
  }

  #key(): string {
    return `${KEY_PREFIX}${this.#side.prng.below(this.#side.profile.keys)}`;
  }

  #put(): Operation {
    const wantsPrevious = this.#side.prng.chance(0.2);
    const value = this.#side.newValue(this.#name);
    return { kind: "put", key: this.#key(), value, lease: "0", wantsPrevious };
  }

  #delete(): Operation {
    return { kind: "delete", key: this.#key(), rangeEnd: "" };
  }

  #choose(): Request {
    const { prng } = this.#side;
    switch (this.#kind()) {
      case "put":
        return kv([this.#put()]);
      case "deleteKey":
        return kv([this.#delete()]);
      case "deleteRange": {
        const from = prng.below(this.#side.profile.keys);
        return kv([
          { kind: "delete", key: `${KEY_PREFIX}${from}`, rangeEnd: `${KEY_PREFIX}${from + 2}` },
        ]);
      }
      case "txn":
        return this.#txn();
      case "get":
        return kv([range(this.#key())]);
      case "list":
        return kv([range(KEY_PREFIX, KEY_END, 0, prng.chance(0.3) ? 3 : 0)]);
      case "oldRead": {
        const revision = Math.max(1, this.#side.known - prng.below(40));
        return kv([range(KEY_PREFIX, KEY_END, revision)]);
      }
      default:
        return { ...kv([range(KEY_PREFIX, KEY_END)]), isSerializable: true };
    }
  }

  #kind(): keyof Weights {
    const entries = Object.entries(this.#side.profile.weights) as [keyof Weights, number][];
    const sum = entries.reduce((total, [, weight]) => total + weight, 0);
    let dice = this.#side.prng.below(Math.max(1, sum));
    for (const [kind, weight] of entries) {
      dice -= weight;
      if (dice < 0) return kind;
    }
    return "get";
  }

  #txn(): Request {
    const { prng } = this.#side;
    const key = this.#key();
    const other = this.#key();
    if (prng.chance(0.2)) {
      // Reads alone: they need not go through the log.
      return { ...kv([range(key), range(other), range(KEY_PREFIX, KEY_END)]), failure: [] };
    }
    if (prng.chance(0.2)) {
      // It is refused as a whole, on all members, if that is compacted.
      const old = Math.max(1, this.#side.known - prng.below(100));
      return kv([this.#put(), range(KEY_PREFIX, KEY_END, old), this.#put()].filter(isFirstOfKey));
    }
    if (prng.chance(0.4)) {
      const puts = [...new Set([key, other, this.#key()])].map(
        (each): Operation => ({
          kind: "put",
          key: each,
          value: this.#side.newValue(this.#name),
          lease: "0",
        }),
      );
      return kv([...puts, range(KEY_PREFIX, KEY_END)]);
    }
    const target = prng.pick(["version", "createRevision", "modRevision"] as const);
    const value = target === "version" ? prng.below(3) : prng.below(2) * this.#side.known;
    const failure: Operation[] = prng.chance(0.5)
      ? [range(key), range(other)]
      : [{ kind: "delete", key, rangeEnd: "" }];
    return {
      kind: "kv",
      compares: [{ target, key, value }],
      success: [
        { kind: "put", key, value: this.#side.newValue(this.#name), lease: "0" },
        range(other),
      ],
      failure,
      isSerializable: false,
    };
  }
}

/** A transaction may change a key only once. */
function isFirstOfKey(operation: Operation, at: number, all: readonly Operation[]): boolean {
  if (operation.kind !== "put") return true;
  return all.findIndex((other) => other.kind === "put" && other.key === operation.key) === at;
}
