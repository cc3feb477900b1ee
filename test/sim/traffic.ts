/** The clients of a run, what they write down, and how it is judged at the end. */
import type { Prng } from "../../src/base/index.ts";
import { ClusterTraffic } from "../cluster/cluster-traffic.ts";
import type { Cluster } from "../cluster/harness.ts";
import { type Profile, PROFILES as ALL, profileNamed } from "../model/profiles.ts";
import { CheckFailed } from "./outcome.ts";

export const PROFILES = ALL.map(({ name }) => name);

export interface TrafficPlan {
  /** Its name. */
  readonly profile: string;
  readonly seed: number;
  readonly keys: number;
  /** Longest rest of a client between two requests. */
  readonly restMaxMs: number;
  /** A client waits so long for an answer; then the outcome is unknown. */
  readonly timeoutMs: number;
  /** Share of watch responses after which the client's connection is full for a while. */
  readonly slowness: number;
  /** What differs from the profile beyond that. */
  readonly changes?: Partial<Profile>;
}

export function planTraffic(prng: Prng): TrafficPlan {
  return {
    profile: prng.pick(PROFILES),
    seed: prng.uint32(),
    keys: prng.pick([3, 10, 30]),
    // From some ten to some hundred and fifty calls a second.
    restMaxMs: prng.pick([60, 110, 500, 500, 1_000]),
    timeoutMs: prng.pick([200, 1_000, 10_000]),
    slowness: prng.pick([0, 0.1, 0.4]),
  };
}

export class Traffic {
  readonly #traffic: ClusterTraffic;

  /** `drift`: how much too fast a member's clock may run, as a share. */
  constructor(cluster: Cluster, plan: TrafficPlan, prng: Prng, drift: number) {
    const { keys, restMaxMs, timeoutMs, slowness, changes } = plan;
    const profile = { ...profileNamed(plan.profile), keys, restMaxMs, timeoutMs, ...changes };
    this.#traffic = new ClusterTraffic(cluster, { profile, prng, slowness, drift });
  }

  /** On a cluster that has a leader. */
  start(): void {
    this.#traffic.start();
  }

  /** No new requests; waits for those under way. Moves time. */
  async finish(): Promise<void> {
    await this.#traffic.stop();
  }

  /** On the healed cluster: what was promised for some time runs out. Moves time. */
  async settle(): Promise<void> {
    await this.#traffic.finish();
  }

  /** Throws what is wrong. History up to `compacted` may be gone. */
  check(compacted: number): void {
    const [first, ...rest] = this.#traffic.problems(compacted);
    if (first === undefined) return;
    const texts = [first, ...rest].map(({ check, text }) => `${check}: ${text}`);
    throw new CheckFailed(first.check, texts.join("\n"));
  }

  get asked(): number {
    return this.#traffic.asked;
  }

  get answered(): number {
    return this.#traffic.answered;
  }

  /** Requests that were refused, or whose member was gone before it answered. */
  get refusals(): number {
    return this.#traffic.refusals;
  }
}
