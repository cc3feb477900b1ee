/**
 * Traffic on a simulated cluster, and its judgement:
 *
 *   const traffic = new ClusterTraffic(cluster, { profile, prng });
 *   traffic.start();  ... faults ...  await traffic.stop();  await cluster.heal();
 *   await traffic.finish();  const problems = traffic.problems();
 */
import type { Prng } from "../../src/base/index.ts";
import { type Call, kv, type Problem } from "../model/history.ts";
import type { Profile } from "../model/profiles.ts";
import { Traffic } from "../model/traffic.ts";
import { judge } from "../model/verdict.ts";
import type { Cluster } from "./harness.ts";
import { EtcdError } from "../../src/errors/index.ts";
import { emptyRangeRequest } from "../../src/wire/index.ts";
import type { StoreContent } from "../model/store-checks.ts";
import { MemberEndpoint, pairOf } from "./member-endpoint.ts";
import type { ClusterMember } from "./node.ts";

export interface ClusterTrafficOptions {
  readonly profile: Profile;
  readonly prng: Prng;
  /** Share of watch responses after which the client's connection is full for a while. */
  readonly slowness?: number;
  /** How much faster than the observer's a member's clock may run, as a share: 0.05. */
  readonly drift?: number;
}

/** What the harness itself writes. */
const OWN_KEY = "even";
/** Older revisions that are looked at in each member's store. */
const OLD_REVISIONS_MAX = 20;
/** Longest time between the end of a lease and its revocation, apart from an election's. */
const REVOKE_SLACK_MS = 4_000;

export class ClusterTraffic {
  readonly traffic: Traffic;
  readonly #cluster: Cluster;
  readonly #drift: number;

  constructor(cluster: Cluster, options: ClusterTrafficOptions) {
    this.#cluster = cluster;
    this.#drift = options.drift ?? 0;
    const slowness = options.slowness ?? 0;
    const world = {
      endpoints: () =>
        cluster.live
          .filter((node) => !node.mayLie)
          .map((node) => new MemberEndpoint(cluster, node, slowness)),
      sleep: (ms: number) =>
        new Promise<void>((resolve) => void cluster.time.after(ms, () => resolve())),
      nowMs: () => cluster.nowMs,
    };
    this.traffic = new Traffic(world, options.profile, options.prng);
  }

  get asked(): number {
    return this.traffic.side.recorder.calls.length;
  }

  get answered(): number {
    return this.traffic.side.answered;
  }

  get refusals(): number {
    return this.traffic.side.refusals;
  }

  start(): void {
    this.traffic.start();
  }

  /** No new calls; waits for those under way. Moves time. */
  stop(): Promise<void> {
    return this.#cluster.settled(this.traffic.stop());
  }

  /** On a healed cluster: gives leases and watches the time that they need. Moves time. */
  async finish(): Promise<void> {
    const cluster = this.#cluster;
    const { electionTimeoutMs } = cluster.settings;
    await cluster.settled(this.traffic.quieted);
    await cluster.run(this.traffic.leaseMaxMs + electionTimeoutMs * 2 + REVOKE_SLACK_MS);
    await cluster.untilEven();
    await cluster.run(1_000);
    this.traffic.end();
  }

  /** What is wrong; empty = nothing. Others may have compacted up to `compacted`. */
  problems(compacted = 0): Problem[] {
    const cluster = this.#cluster;
    const { chronicle } = cluster.invariants;
    const endRevision = Math.max(...cluster.live.map(({ running }) => running.currentRevision));
    const leasesLeft = cluster.live.flatMap(({ host, running }) =>
      running.leases().map((id) => `${id} on ${host}`),
    );
    const leaseToleranceMs = (this.traffic.leaseMaxMs * this.#drift) / (1 + this.#drift);
    const record = this.traffic.record(chronicle, endRevision);
    const calls = [...record.calls, ...this.#ownCalls(record.calls.length)];
    const compactedRevision = compacted;
    const stores = cluster.live.map(({ host, running }) => storeOf(host, running));
    const ending = { leasesLeft, leaseToleranceMs, compactedRevision, stores };
    return judge({ ...record, calls }, ending);
  }

  /** What the cluster put itself, to see whether all members come to the same. */
  #ownCalls(firstId: number): Call[] {
    const events = [...this.#cluster.invariants.chronicle.values()].flat();
    const own = events.filter(({ pair }) => pair.key === OWN_KEY);
    return own.map(({ pair }, at) => ({
      id: firstId + at,
      client: "harness",
      member: "any",
      request: kv([{ kind: "put", key: OWN_KEY, value: pair.value, lease: "0" }]),
      calledAt: 0,
      calledMs: 0,
      returnedAt: Number.POSITIVE_INFINITY,
      returnedMs: Number.POSITIVE_INFINITY,
      outcome: { kind: "unknown", error: "not recorded" },
    }));
  }

  /** Throws what is wrong. */
  check(): void {
    const problems = this.problems();
    if (problems.length === 0) return;
    throw new Error(problems.map(({ check, text }) => `${check}: ${text}`).join("\n"));
  }
}

/** Everything that a member itself holds at the end, now and at each revision that it still has. */
function storeOf(member: string, running: ClusterMember): StoreContent {
  const at = (revision: number) => {
    const found = running.range({ ...emptyRangeRequest(), key: "a", rangeEnd: "z", revision });
    return found instanceof EtcdError ? found.message : found.kvs.map((kv) => pairOf(kv));
  };
  const { currentRevision } = running;
  const oldest = Math.max(1, running.measures.compactRevision);
  const step = Math.max(1, Math.floor((currentRevision - oldest) / OLD_REVISIONS_MAX));
  const states = new Map<number, ReturnType<typeof at>>();
  for (let revision = oldest; revision < currentRevision; revision += step) {
    states.set(revision, at(revision));
  }
  states.set(currentRevision, at(0));
  return { member, states };
}
