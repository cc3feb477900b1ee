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
import { MemberEndpoint } from "./member-endpoint.ts";

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
      endpoints: () => cluster.live.map((node) => new MemberEndpoint(cluster, node, slowness)),
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
    await cluster.run(this.traffic.leaseMaxMs + electionTimeoutMs * 2 + REVOKE_SLACK_MS);
    await cluster.untilEven();
    await cluster.run(1_000);
    this.traffic.end();
  }

  /** What is wrong; empty = nothing. Each text begins with the name of the check. */
  problems(): Problem[] {
    const cluster = this.#cluster;
    const { chronicle } = cluster.invariants;
    const endRevision = Math.max(...cluster.live.map(({ running }) => running.currentRevision));
    const leasesLeft = cluster.live.flatMap(({ host, running }) =>
      running.leases().map((id) => `${id} on ${host}`),
    );
    const leaseToleranceMs = this.traffic.leaseMaxMs * this.#drift;
    const record = this.traffic.record(chronicle, endRevision);
    const calls = [...record.calls, ...this.#ownCalls(record.calls.length)];
    return judge({ ...record, calls }, { leasesLeft, leaseToleranceMs });
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
