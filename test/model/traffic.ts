/**
 * Clients of a store that work on their own, by a profile, and record everything that they do and
 * are told: the same for simulated clusters and for processes.
 */
import type { Prng } from "../../src/base/index.ts";
import { Controller } from "./controller.ts";
import type { Endpoint, World } from "./endpoint.ts";
import {
  type Call,
  type HistoryEvent,
  type Operation,
  type Outcome,
  Recorder,
  type Request,
  type RunRecord,
} from "./history.ts";
import { LeaseHolder } from "./lease-holder.ts";
import type { Profile, Weights } from "./profiles.ts";
import { Spectator } from "./spectator.ts";

export const KEY_PREFIX = "k/";
const KEY_END = "k0";
/** A client whose call was not answered tries the same again, sometimes. */
const RETRY_CHANCE = 0.3;
const LEASE_TTL_MAX_SECONDS = 6;

export class Traffic {
  readonly world: World;
  readonly profile: Profile;
  readonly recorder: Recorder;
  readonly prng: Prng;
  /** The greatest revision that any answer has named. */
  known = 1;
  isOver = false;
  acknowledged = 0;
  #values = 0;
  #leases = 0;
  #running: Promise<void>[] = [];
  readonly #spectators: Spectator[] = [];

  constructor(world: World, profile: Profile, prng: Prng) {
    this.world = world;
    this.profile = profile;
    this.prng = prng;
    this.recorder = new Recorder(() => world.nowMs());
  }

  start(): void {
    const { clients, leaseClients, controllers, watchers, compactEveryMs } = this.profile;
    const times = (count: number, make: (number: number) => Promise<void>): void => {
      for (let number = 1; number <= count; number += 1) this.#running.push(make(number));
    };
    times(clients, (number) => this.#client(`client${number}`));
    times(leaseClients, (number) => new LeaseHolder(this, `holder${number}`).run());
    times(controllers, (number) => new Controller(this, `controller${number}`).run());
    times(watchers, (number) => {
      const spectator = new Spectator(this, `watcher${number}`);
      this.#spectators.push(spectator);
      return spectator.run();
    });
    if (compactEveryMs > 0) this.#running.push(this.#compactor());
  }

  /** No new calls; settles when those under way are answered. Watches go on. */
  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.#running);
    this.#running = [];
  }

  /** Everything has come that will: watches that are open now must have been shown all. */
  end(): void {
    for (const spectator of this.#spectators) spectator.end();
  }

  /** After so long all leases must have ended by themselves. */
  get leaseMaxMs(): number {
    return LEASE_TTL_MAX_SECONDS * 1_000;
  }

  record(chronicle: ReadonlyMap<number, readonly HistoryEvent[]>, endRevision: number): RunRecord {
    const { calls, watches } = this.recorder;
    return { calls, watches, chronicle, endRevision };
  }

  newValue(client: string): string {
    this.#values += 1;
    return `${client}-${this.#values}`;
  }

  newLease(): { lease: string; ttlSeconds: number } {
    this.#leases += 1;
    const ttlSeconds = 2 + this.prng.below(LEASE_TTL_MAX_SECONDS - 1);
    return { lease: String(1_000 + this.#leases), ttlSeconds };
  }

  pick(): Endpoint | undefined {
    const endpoints = this.world.endpoints();
    return endpoints.length === 0 ? undefined : this.prng.pick(endpoints);
  }

  rest(maxMs = this.profile.restMaxMs): Promise<void> {
    return this.world.sleep(1 + this.prng.below(maxMs));
  }

  /** One attempt at some member; undefined when there is none to ask. */
  async ask(client: string, request: Request): Promise<Outcome | undefined> {
    const endpoint = this.pick();
    if (endpoint === undefined) return undefined;
    const { calls } = this.recorder;
    const call: Call = this.recorder.call(client, endpoint.name, request);
    const outcome = await endpoint.call(request, this.profile.timeoutMs);
    this.recorder.returned(calls[call.id] as Call, outcome);
    if (outcome.kind === "ok") {
      this.known = Math.max(this.known, outcome.response.revision);
      this.acknowledged += 1;
    }
    return outcome;
  }

  async #client(name: string): Promise<void> {
    while (!this.isOver) {
      await this.rest();
      if (this.isOver) return;
      const request = this.#choose(name);
      const outcome = await this.ask(name, request);
      const isLost = outcome?.kind === "unknown" && !this.isOver;
      if (isLost && this.prng.chance(RETRY_CHANCE)) await this.ask(name, request);
    }
  }

  #key(): string {
    return `${KEY_PREFIX}${this.prng.below(this.profile.keys)}`;
  }

  #put(client: string): Operation {
    const wantsPrevious = this.prng.chance(0.2);
    const value = this.newValue(client);
    return { kind: "put", key: this.#key(), value, lease: "0", wantsPrevious };
  }

  #delete(): Operation {
    return { kind: "delete", key: this.#key(), rangeEnd: "" };
  }

  #choose(client: string): Request {
    const { prng } = this;
    switch (this.#kind()) {
      case "put":
        return kv([this.#put(client)]);
      case "deleteKey":
        return kv([this.#delete()]);
      case "deleteRange": {
        const from = prng.below(this.profile.keys);
        return kv([
          { kind: "delete", key: `${KEY_PREFIX}${from}`, rangeEnd: `${KEY_PREFIX}${from + 2}` },
        ]);
      }
      case "txn":
        return this.#txn(client);
      case "get":
        return kv([range(this.#key())]);
      case "list":
        return kv([range(KEY_PREFIX, KEY_END, 0, prng.chance(0.3) ? 3 : 0)]);
      case "oldRead": {
        const revision = Math.max(1, this.known - prng.below(40));
        return kv([range(KEY_PREFIX, KEY_END, revision)]);
      }
      default:
        return { ...kv([range(KEY_PREFIX, KEY_END)]), isSerializable: true };
    }
  }

  #kind(): keyof Weights {
    const entries = Object.entries(this.profile.weights) as [keyof Weights, number][];
    const sum = entries.reduce((total, [, weight]) => total + weight, 0);
    let dice = this.prng.below(Math.max(1, sum));
    for (const [kind, weight] of entries) {
      dice -= weight;
      if (dice < 0) return kind;
    }
    return "get";
  }

  #txn(client: string): Request {
    const { prng } = this;
    const key = this.#key();
    const other = this.#key();
    if (prng.chance(0.2)) {
      // Reads alone: they need not go through the log.
      return { ...kv([range(key), range(other), range(KEY_PREFIX, KEY_END)]), failure: [] };
    }
    if (prng.chance(0.4)) {
      const puts = [...new Set([key, other, this.#key()])].map(
        (each): Operation => ({ kind: "put", key: each, value: this.newValue(client), lease: "0" }),
      );
      return kv([...puts, range(KEY_PREFIX, KEY_END)]);
    }
    const target = prng.pick(["version", "createRevision", "modRevision"] as const);
    const value = target === "version" ? prng.below(3) : prng.below(2) * this.known;
    const failure: Operation[] = prng.chance(0.5)
      ? [range(key), range(other)]
      : [{ kind: "delete", key, rangeEnd: "" }];
    return {
      kind: "kv",
      compares: [{ target, key, value }],
      success: [{ kind: "put", key, value: this.newValue(client), lease: "0" }, range(other)],
      failure,
      isSerializable: false,
    };
  }

  async #compactor(): Promise<void> {
    const { compactEveryMs, compactKeepMin } = this.profile;
    for (;;) {
      await this.world.sleep(compactEveryMs / 2 + this.prng.below(compactEveryMs));
      if (this.isOver) return;
      const revision = this.known - compactKeepMin - this.prng.below(compactKeepMin * 2);
      if (revision > 1) await this.ask("compactor", { kind: "compact", revision });
    }
  }
}

export function kv(success: readonly Operation[]): Extract<Request, { kind: "kv" }> {
  return { kind: "kv", compares: [], success, failure: [], isSerializable: false };
}

export function range(key: string, rangeEnd = "", revision = 0, limit = 0): Operation {
  return { kind: "range", key, rangeEnd, revision, limit };
}
