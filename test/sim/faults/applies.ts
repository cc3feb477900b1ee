/** Entries that are applied wrongly by one member: left out, with other values, twice. */
import type { Mistake } from "../../cluster/mistakes.ts";
import { anyNode, type FaultRun, leaderOrAny } from "./run.ts";

/** With the next entry that changes keys, if one comes in time. */
function goWrong(run: FaultRun, mistake: Mistake): void {
  const { hosts, prng, lengthMs, later } = run;
  const node = prng.chance(0.5) ? leaderOrAny(run) : anyNode(run);
  if (node.member === undefined || !hosts.mayMislead(node)) return;
  const callOff = node.misapply(mistake);
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
