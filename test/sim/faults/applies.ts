/**
 * Entries that are applied wrongly by one member: left out, with other values, twice.
 *
 * Somebody must be able to tell. Where a leader goes wrong, the only one that has applied as much
 * is cut off before it has said what it has, and the third needs a store, no member knows of a
 * contradiction: these are two faults at once, and the wrong state has a majority
 * (docs/testing.md). So no other fault begins before the next heartbeats were answered.
 */
import type { Mistake } from "../../cluster/mistakes.ts";
import { anyNode, type FaultRun, leaderOrAny } from "./run.ts";

/** Heartbeats that are sent meanwhile, of which one may be late. */
const COMPARED_HEARTBEATS = 3;

/** With the next entry that changes keys, if one comes in time. */
function goWrong(run: FaultRun, mistake: Mistake): void {
  const { hosts, prng, lengthMs, later } = run;
  const node = prng.chance(0.5) ? leaderOrAny(run) : anyNode(run);
  if (node.member === undefined || !hosts.mayMislead(node)) return;
  const callOff = node.misapply(mistake);
  node.onStrike(() => run.hold(COMPARED_HEARTBEATS * run.cluster.settings.heartbeatMs));
  const { process } = node;
  later(lengthMs, () => {
    if (node.process === process && node.isArmed) callOff();
  });
}

export const applies = {
  leftOut: (run: FaultRun) => goWrong(run, "leftOut"),
  wrongValue: (run: FaultRun) => goWrong(run, "wrongValue"),
  twice: (run: FaultRun) => goWrong(run, "twice"),
} as const;
