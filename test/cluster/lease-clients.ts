/** Clients that hold leases while faults happen, and what they were promised. */
import type { Prng } from "../../src/base/index.ts";
import type { Follower } from "./clients.ts";
import type { Cluster } from "./harness.ts";
import type { ClusterNode } from "./node.ts";

/** A renewal that was answered: from its call on, the lease lives for its TTL. */
interface Promised {
  readonly fromMs: number;
  readonly untilMs: number;
}

interface Held {
  readonly key: string;
  readonly promises: Promised[];
}

const TTL_MAX_SECONDS = 6;

export class LeaseClients {
  readonly #cluster: Cluster;
  readonly #held: Held[] = [];
  readonly #faults: string[] = [];
  renewals = 0;
  #ids = 0n;
  #isOver = false;
  #running: Promise<void>[] = [];

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  start(count: number, prng: Prng): void {
    for (let number = 0; number < count; number += 1) this.#running.push(this.#client(prng));
  }

  /** Stops renewing, and waits until all leases must be over; call it on a healed cluster. */
  async finish(): Promise<void> {
    this.#isOver = true;
    await this.#cluster.settled(Promise.all(this.#running));
    await this.#cluster.run(
      (TTL_MAX_SECONDS + 2) * 1_000 + this.#cluster.settings.electionTimeoutMs,
    );
  }

  async #client(prng: Prng): Promise<void> {
    const cluster = this.#cluster;
    while (!this.#isOver) {
      await this.#sleep(prng.below(500));
      const node = this.#anyNode(prng);
      if (node === undefined) continue;
      this.#ids += 1n;
      const id = this.#ids;
      const key = `leased-${id}`;
      const ttlSeconds = 3 + prng.below(TTL_MAX_SECONDS - 2);
      const held: Held = { key, promises: [] };
      const fromMs = cluster.nowMs;
      try {
        await cluster.propose(node, { kind: "leaseGrant", leaseGrant: { id, ttlSeconds } });
        await cluster.putOn(node, key, "held", id);
        this.#held.push(held);
        held.promises.push({ fromMs: cluster.nowMs, untilMs: fromMs + ttlSeconds * 1_000 });
      } catch {
        continue;
      }
      for (let left = prng.below(8); left > 0 && !this.#isOver; left -= 1) {
        await this.#sleep(300 + prng.below(1_500));
        if (!(await this.#renew(this.#anyNode(prng), id, held))) break;
      }
    }
  }

  /** False: it is known to be over. */
  async #renew(node: ClusterNode | undefined, id: bigint, held: Held): Promise<boolean> {
    if (node === undefined) return true;
    const cluster = this.#cluster;
    const fromMs = cluster.nowMs;
    try {
      const ttl = await cluster.ask<number>(node, (member, waiter) => member.keepAlive(id, waiter));
      cluster.note(`${node.host} renewed ${held.key}: ${ttl}`);
      if (ttl > 0) {
        this.renewals += 1;
        held.promises.push({ fromMs, untilMs: fromMs + ttl * 1_000 });
        return true;
      }
      const untilMs = Math.max(...held.promises.map((promise) => promise.untilMs));
      if (cluster.nowMs < untilMs) this.#faults.push(`${held.key} is gone before ${untilMs} ms`);
      return false;
    } catch {
      return true;
    }
  }

  #anyNode(prng: Prng): ClusterNode | undefined {
    const { live } = this.#cluster;
    return live.length === 0 ? undefined : prng.pick(live);
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#cluster.time.after(ms, resolve));
  }

  /** `follower` has watched the keys all the time. */
  check(follower: Follower): void {
    const goneAtMs = new Map<string, number>();
    for (const { type, key, modRevision } of follower.events) {
      if (type === "delete") goneAtMs.set(key, follower.seenAtMs.get(modRevision) as number);
    }
    for (const { key, promises } of this.#held) {
      const atMs = goneAtMs.get(key);
      for (const node of this.#cluster.live) {
        if (this.#cluster.read(node, key) === undefined) continue;
        this.#faults.push(`${key} is still on ${node.host}`);
      }
      if (atMs === undefined) continue;
      if (promises.some(({ fromMs, untilMs }) => fromMs < atMs && atMs < untilMs)) {
        this.#faults.push(`${key} was gone at ${atMs} ms: ${JSON.stringify(promises.slice(-2))}`);
      }
    }
    if (this.#faults.length > 0) throw new Error(`leases: ${this.#faults.join("; ")}`);
  }
}
