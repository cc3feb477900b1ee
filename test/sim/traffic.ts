/** The clients of a run, what they write down, and how it is judged at the end. */
import { Prng } from "../../src/base/index.ts";
import { Follower, Workload } from "../cluster/clients.ts";
import type { Cluster } from "../cluster/harness.ts";
import { LeaseClients } from "../cluster/lease-clients.ts";

export const PROFILES = ["registers"] as const;

export interface TrafficPlan {
  readonly profile: (typeof PROFILES)[number];
  readonly seed: number;
  readonly clients: number;
  readonly keys: number;
  /** Longest rest of a client between two requests. */
  readonly restMaxMs: number;
}

export function planTraffic(prng: Prng): TrafficPlan {
  return {
    profile: prng.pick(PROFILES),
    seed: prng.uint32(),
    clients: 6,
    keys: prng.pick([3, 10, 30]),
    restMaxMs: prng.pick([60, 110, 500]),
  };
}

export class Traffic {
  readonly #cluster: Cluster;
  readonly #plan: TrafficPlan;
  readonly #prng: Prng;
  readonly #workload: Workload;
  readonly #leases: LeaseClients;
  readonly #leaseFollower: Follower;
  readonly #followers: readonly Follower[];

  constructor(cluster: Cluster, plan: TrafficPlan, prng: Prng) {
    this.#cluster = cluster;
    this.#plan = plan;
    this.#prng = prng;
    this.#workload = new Workload(cluster);
    this.#leases = new LeaseClients(cluster);
    this.#leaseFollower = new Follower(cluster, "leased-", "leased.");
    const watching = () => new Follower(cluster, "k", "l");
    this.#followers = [this.#leaseFollower, watching(), watching()];
  }

  /** On a cluster that has a leader. */
  start(): void {
    const { clients, keys, restMaxMs } = this.#plan;
    this.#workload.start(clients, { keys, restMaxMs, prng: new Prng(this.#prng.uint32()) });
    this.#leases.start(2, new Prng(this.#prng.uint32()));
    const { nodes } = this.#cluster;
    for (const [at, follower] of this.#followers.entries()) {
      const node = nodes[at % nodes.length];
      if (node !== undefined) follower.follow(node);
    }
  }

  /** Now and then while faults happen: watches whose member is gone go to another. */
  mend(): void {
    for (const follower of this.#followers) follower.mend();
  }

  /** No new requests; waits for those under way. Moves time. */
  async finish(): Promise<void> {
    await this.#workload.finish();
  }

  /** On the healed cluster: what was promised for some time runs out. Moves time. */
  async settle(): Promise<void> {
    this.mend();
    await this.#leases.finish();
  }

  /** Throws what is wrong. History up to `compacted` may be gone. */
  check(compacted: number): void {
    this.#leases.check(this.#leaseFollower);
    this.#workload.check(this.#cluster.live, compacted);
    for (const follower of this.#followers) follower.check(this.#workload.acknowledged);
  }

  get asked(): number {
    return this.#workload.history.operations.length + this.#leases.renewals;
  }

  get answered(): number {
    return this.#workload.acknowledged.length + this.#workload.reads + this.#leases.renewals;
  }

  /** Requests that were refused, or whose member was gone before it answered. */
  get refusals(): number {
    return [...this.#workload.refusals.values()].reduce((sum, count) => sum + count, 0);
  }
}
