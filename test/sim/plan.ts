/** What one run will be like: all of it chosen from the seed before it begins. */
import { Prng } from "../../src/base/index.ts";
import type { MemberSettings } from "../../src/member/index.ts";
import { type Fault, type FaultKind, kindsFor } from "./faults/kinds.ts";
import { planTraffic, type TrafficPlan } from "./traffic.ts";

/** Faults of a burst come this close to each other: many bugs need two at nearly the same time. */
const BURST_MAX_MS = 100;

/** Of the plans, run with `--rollback-protection strict`. */
const STRICT_SHARE = 0.25;

export interface Plan {
  readonly seed: number;
  readonly members: number;
  /** How long faults happen. */
  readonly simulatedMs: number;
  readonly settings: Partial<MemberSettings>;
  readonly diskDelayMaxMs: number;
  /** By how much clocks that drift are wrong, as a share. */
  readonly drift: number;
  /** Members keep a witness on a volume of its own. */
  readonly hasWitness?: boolean;
  readonly traffic: TrafficPlan;
  /** In order of time. */
  readonly faults: readonly Fault[];
}

export interface PlanOptions {
  readonly seed: number;
  readonly members?: number;
  readonly simulatedMs?: number;
  /** Only these kinds; without, the seed chooses. */
  readonly faults?: readonly FaultKind[];
}

export const SIMULATED_MS = 60_000;

export function makePlan(options: PlanOptions): Plan {
  const { seed, simulatedMs = SIMULATED_MS } = options;
  const prng = new Prng(seed);
  // Each part has a seed of its own: a choice more in one leaves the others as they were.
  const part = (): Prng => new Prng(prng.uint32());
  const [sizes, shape, schedule] = [part(), part(), part()];
  const [traffic, care, store] = [part(), part(), part()];
  const members = options.members ?? sizes.pick([1, 3, 3, 3, 3, 5]);
  const kinds = options.faults ?? planKinds(schedule, members);
  return {
    seed,
    members,
    simulatedMs,
    settings: {
      ...planSettings(shape),
      ...(needsSnapshots(kinds) ? shortLog(shape) : {}),
      ...(care.chance(STRICT_SHARE) ? { rollbackProtection: "strict" } : {}),
      commitRhythm: {
        intervalMs: store.pick([100, 500, 5_000]),
        operations: store.pick([10, 1_000, 10_000]),
      },
    },
    diskDelayMaxMs: shape.pick([0, 0.5, 5]),
    drift: shape.pick([0.01, 0.1, 2, 15]),
    hasWitness: shape.chance(0.5),
    traffic: planTraffic(traffic),
    faults: planFaults(schedule, simulatedMs, kinds),
  };
}

/** The sizes of queues and limits, at both ends of what they can be. */
function planSettings(prng: Prng): Partial<MemberSettings> {
  return {
    snapshotCount: prng.pick([5, 20, 100, 1_000, 10_000]),
    snapshotCatchUpEntries: prng.pick([0, 3, 10, 100, 5_000]),
    logSegmentBytes: prng.pick([16_384, 65_536, 1_000_000, 4_000_000]),
    logCacheBytes: prng.pick([0, 1_024, 65_536, 33_554_432]),
    walsMax: prng.pick([1, 5]),
    compactStepRecords: prng.pick([1, 10, 1_000]),
    compactRestMs: prng.pick([1, 10, 200]),
    preVote: prng.chance(0.8),
    strictReconfig: prng.chance(0.5),
    electionTickAdvance: prng.chance(0.5),
    ...prng.pick([
      { electionTimeoutMs: 1_000, heartbeatMs: 100 },
      { electionTimeoutMs: 300, heartbeatMs: 30 },
      { electionTimeoutMs: 271, heartbeatMs: 29 },
      { electionTimeoutMs: 2_000, heartbeatMs: 100 },
    ]),
  };
}

function needsSnapshots(kinds: readonly FaultKind[]): boolean {
  return kinds.includes("fallBehind") || kinds.includes("breakSnapshot");
}

/** So short that a follower is soon too far behind for it. */
function shortLog(prng: Prng): Partial<MemberSettings> {
  return {
    snapshotCount: prng.pick([5, 20, 50]),
    snapshotCatchUpEntries: prng.pick([0, 3, 10]),
  };
}

/** Longer than others, since what a follower misses must be released first. */
const FALL_BEHIND_MS = 15_000;

function planKinds(prng: Prng, members: number): readonly FaultKind[] {
  const all = kindsFor(members);
  const share = prng.pick([0.1, 0.3, 0.6]);
  const some = all.filter(() => prng.chance(share));
  return some.length === 0 ? [prng.pick(all)] : some;
}

function planFaults(prng: Prng, untilMs: number, kinds: readonly FaultKind[]): Fault[] {
  // Many short ones, or few long ones: else nothing goes on but faults.
  const restMaxMs = prng.pick([1_000, 3_000, 10_000]);
  const lengthMaxMs = prng.pick([200, restMaxMs / 2, restMaxMs]);
  const faults: Fault[] = [];
  if (kinds.length === 0) return faults;
  for (let atMs = prng.below(restMaxMs); atMs < untilMs; ) {
    const kind = prng.pick(kinds);
    const isLong = kind === "fallBehind" || kind === "breakSnapshot";
    const lengthMs = prng.below(isLong ? FALL_BEHIND_MS : lengthMaxMs);
    faults.push({ atMs, kind, lengthMs, seed: prng.uint32() });
    atMs += 1 + prng.below(prng.chance(0.3) ? BURST_MAX_MS : restMaxMs);
  }
  return faults;
}
