/** Clients of a simulated cluster that work on their own while faults happen, and keep records. */
import type { Prng } from "../../src/base/index.ts";
import { EtcdError, errors } from "../../src/errors/index.ts";
import { type RecordedEvent, WatchRecorder } from "../../src/testing/index.ts";
import { type Cluster, readKey } from "./harness.ts";
import { History } from "./linearizability.ts";
import type { ClusterNode } from "./node.ts";

/** A write that was acknowledged: it must be found at its revision for ever. */
export interface Acknowledged {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

/** Refusals that say for sure that nothing was done. */
const NEVER_DONE = new Set<unknown>([errors.TooManyRequests, errors.NoSpace]);

/** Everything that the clients of one run have seen. */
export class Workload {
  readonly history = new History();
  readonly acknowledged: Acknowledged[] = [];
  /** Error text -> how often. */
  readonly refusals = new Map<string, number>();
  readonly cluster: Cluster;
  reads = 0;
  isOver = false;
  #running: Promise<void>[] = [];

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  /** Starts clients that read and write a few keys at any member, until `finish`. */
  start(count: number, options: { keys: number; restMaxMs: number; prng: Prng }): void {
    for (let number = 1; number <= count; number += 1) {
      this.#running.push(this.#client(`c${number}`, options));
    }
  }

  /** No new operations; waits for those that are under way. Moves time. */
  async finish(): Promise<void> {
    this.isOver = true;
    await this.cluster.settled(Promise.all(this.#running));
    this.#running = [];
  }

  async #client(
    name: string,
    options: { keys: number; restMaxMs: number; prng: Prng },
  ): Promise<void> {
    const { prng, keys, restMaxMs } = options;
    for (let number = 1; !this.isOver; number += 1) {
      await this.#sleep(1 + prng.below(restMaxMs));
      const { live } = this.cluster;
      if (live.length === 0 || this.isOver) continue;
      const node = prng.pick(live);
      const key = `k${prng.below(keys)}`;
      if (prng.chance(0.5)) await this.write(node, key, `${name}-${number}`);
      else await this.read(node, key);
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.cluster.time.after(ms, resolve));
  }

  /** One attempt. Each value must be written once only. Resolves whatever comes of it. */
  async write(node: ClusterNode, key: string, value: string): Promise<void> {
    const operation = this.history.call("write", key, value);
    try {
      const revision = await this.cluster.putOn(node, key, value);
      this.history.answered(operation);
      this.acknowledged.push({ key, value, revision });
      this.cluster.note(`${node.host} put ${key}=${value} at ${revision}`);
    } catch (error) {
      this.#note(node, `put ${key}=${value}`, error);
      if (NEVER_DONE.has(error)) this.history.withdraw(operation);
    }
  }

  async read(node: ClusterNode, key: string): Promise<void> {
    const operation = this.history.call("read", key);
    try {
      const value = await this.cluster.getOn(node, key);
      this.history.answered(operation, value);
      this.reads += 1;
      this.cluster.note(`${node.host} get ${key}=${value ?? "nothing"}`);
    } catch (error) {
      this.#note(node, `get ${key}`, error);
    }
  }

  #note(node: ClusterNode, what: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const name = error instanceof EtcdError ? reason : "process gone";
    this.refusals.set(name, (this.refusals.get(name) ?? 0) + 1);
    this.cluster.note(`${node.host} ${what}: ${reason}`);
  }

  /**
   * What every member must hold once the cluster is whole; throws what is wrong. History up to
   * `compacted` may be gone.
   */
  check(nodes: readonly ClusterNode[] = this.cluster.live, compacted = 0): void {
    const kept = this.acknowledged.filter(({ revision }) => revision > compacted);
    for (const node of nodes) {
      for (const write of kept) checkAcknowledged(node, write);
    }
    const faults = this.history.faults();
    if (faults.length === 0) return;
    const operations = this.history.operations
      .filter(({ key }) => faults.includes(key))
      .map(
        ({ kind, key, value, calledAt, answeredAt }) =>
          `${kind} ${key} ${value ?? "nothing"} [${calledAt}, ${answeredAt}]`,
      );
    throw new Error(`not linearizable: ${faults.join(" ")}\n${operations.join("\n")}`);
  }
}

function checkAcknowledged(node: ClusterNode, { key, value, revision }: Acknowledged): void {
  const found = readKey(node.running, key, revision);
  if (found !== value) {
    throw new Error(`${node.host}: ${key} at ${revision} is ${found ?? "nothing"}, not ${value}`);
  }
}

/** Watches a range from revision 1 on, at one member after another; notes what is not right. */
export class Follower {
  readonly events: RecordedEvent[] = [];
  /** By revision: when the event came, in simulated ms. */
  readonly seenAtMs = new Map<number, number>();
  readonly faults: string[] = [];
  /** Times that it had to begin at another member. */
  moves = 0;
  readonly #cluster: Cluster;
  readonly #key: string;
  readonly #rangeEnd: string;
  #life: object | undefined;
  #close: () => void = () => undefined;
  /** All up to here was seen. */
  #revision = 0;
  /** Up to here something may have been missed rightly. */
  #compacted = 0;

  constructor(cluster: Cluster, key: string, rangeEnd: string) {
    this.#cluster = cluster;
    this.#key = key;
    this.#rangeEnd = rangeEnd;
  }

  /** Watches at this node from where it stands; ends what it had. */
  follow(node: ClusterNode): void {
    this.#close();
    const life = {};
    this.#life = life;
    const recorder = new WatchRecorder();
    recorder.onResponse = (response) => {
      if (this.#life !== life) return;
      if (response.kind === "canceled") return this.#canceled(response.compactRevision);
      if (response.kind !== "events") return;
      for (const event of response.events) this.#take(event, node.host);
    };
    const stream = node.running.openWatchStream(recorder);
    this.#close = () => stream.close();
    const { process } = node;
    process.onEnd(() => {
      if (this.#life !== life) return;
      this.#life = undefined;
      this.#close = () => undefined;
    });
    stream.create({
      key: this.#key,
      rangeEnd: this.#rangeEnd,
      startRevision: this.#revision + 1,
      progressNotify: false,
      filters: [],
      prevKv: false,
      watchId: 0,
      fragment: false,
    });
    this.moves += 1;
  }

  /** What it wanted is compacted: it goes on after that, the next time that it is mended. */
  #canceled(compactRevision: number): void {
    this.#life = undefined;
    this.#compacted = compactRevision;
    this.#revision = Math.max(this.#revision, compactRevision);
  }

  get isFollowing(): boolean {
    return this.#life !== undefined;
  }

  /** Goes to some other member when its own is gone. */
  mend(): void {
    const [node] = this.#cluster.live;
    if (!this.isFollowing && node !== undefined) this.follow(node);
  }

  #take(event: RecordedEvent, host: string): void {
    // Keys of one transaction share a revision; these clients write one key at a time.
    if (event.modRevision <= this.#revision) {
      this.faults.push(`${host}: revision ${event.modRevision} after ${this.#revision}`);
    }
    this.#revision = event.modRevision;
    this.seenAtMs.set(event.modRevision, this.#cluster.nowMs);
    this.events.push(event);
  }

  /** Throws unless every acknowledged write in its range was seen, once and in order. */
  check(acknowledged: readonly Acknowledged[]): void {
    if (this.faults.length > 0) throw new Error(`watch: ${this.faults.join("; ")}`);
    const seen = new Map(this.events.map((event) => [event.modRevision, event]));
    for (const { key, value, revision } of acknowledged) {
      if (key < this.#key || key >= this.#rangeEnd || revision <= this.#compacted) continue;
      const event = seen.get(revision);
      if (event?.key !== key || event.value !== value) {
        throw new Error(`watch: ${key}=${value} at ${revision} was not seen`);
      }
    }
  }
}
