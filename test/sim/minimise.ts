/** Makes the plan of a failing run small: fewer faults, shorter ones, a shorter run. */
import type { Fault } from "./faults/kinds.ts";
import type { Plan } from "./plan.ts";

/** Whether a plan still fails the same way. */
export type StillFails = (plan: Plan) => Promise<boolean>;

export interface MinimiseLimits {
  readonly runsMax: number;
}

/** A run goes on this long after its last fault. */
const AFTER_LAST_MS = 1_000;
/** Faults are not made shorter than this. */
const LENGTH_MIN_MS = 10;

/** The smallest plan that was found; at worst the one that was given. */
export async function minimise(
  plan: Plan,
  stillFails: StillFails,
  { runsMax }: MinimiseLimits,
): Promise<{ plan: Plan; runs: number }> {
  let best = plan;
  let runs = 0;
  const isBetter = async (candidate: Plan): Promise<boolean> => {
    if (runs >= runsMax) return false;
    runs += 1;
    if (!(await stillFails(candidate))) return false;
    best = candidate;
    return true;
  };
  await shorten(() => best, isBetter);
  await dropFaults(() => best, isBetter);
  await shorten(() => best, isBetter);
  await shortenFaults(() => best, isBetter);
  return { plan: best, runs };
}

type Attempt = (candidate: Plan) => Promise<boolean>;

/** Delta debugging: leaves out halves, then quarters, and so on down to single faults. */
async function dropFaults(best: () => Plan, attempt: Attempt): Promise<void> {
  if (best().faults.length > 0 && (await attempt({ ...best(), faults: [] }))) return;
  for (let parts = 2; ; ) {
    const { faults } = best();
    if (faults.length < 2) return;
    const size = Math.ceil(faults.length / parts);
    let hasDropped = false;
    for (let lo = 0; lo < best().faults.length; ) {
      const { faults: now } = best();
      const rest = [...now.slice(0, lo), ...now.slice(lo + size)];
      if (rest.length > 0 && (await attempt({ ...best(), faults: rest }))) hasDropped = true;
      else lo += size;
    }
    if (size === 1 && !hasDropped) return;
    parts = hasDropped ? Math.max(2, parts - 1) : Math.min(best().faults.length, parts * 2);
  }
}

/** Ends the run soon after its last fault. */
async function shorten(best: () => Plan, attempt: Attempt): Promise<void> {
  const { faults } = best();
  for (const keep of [0.25, 0.5, 0.75]) {
    const some = faults.slice(0, Math.ceil(faults.length * keep));
    const simulatedMs = endOf(some);
    if (
      simulatedMs < best().simulatedMs &&
      (await attempt({ ...best(), faults: some, simulatedMs }))
    )
      return;
  }
  const simulatedMs = endOf(best().faults);
  if (simulatedMs < best().simulatedMs) await attempt({ ...best(), simulatedMs });
}

function endOf(faults: readonly Fault[]): number {
  return Math.max(0, ...faults.map(({ atMs, lengthMs }) => atMs + lengthMs)) + AFTER_LAST_MS;
}

async function shortenFaults(best: () => Plan, attempt: Attempt): Promise<void> {
  for (let at = 0; at < best().faults.length; at += 1) {
    for (;;) {
      const { faults } = best();
      const fault = faults[at] as Fault;
      const lengthMs = Math.floor(fault.lengthMs / 2);
      if (lengthMs < LENGTH_MIN_MS) break;
      const shorter = faults.map((other, index) => (index === at ? { ...other, lengthMs } : other));
      if (!(await attempt({ ...best(), faults: shorter }))) break;
    }
  }
}
