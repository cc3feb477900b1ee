/**
 * From the backups at a location to the data directory of a member of a new cluster.
 *
 * Clients of the old cluster may have seen revisions that no backup knows of. So unless the caller
 * says otherwise the new cluster begins beyond any of them, and everything before counts as
 * compacted: a watch that goes on where it was is told so, and never misses a change unknowingly.
 */
import type { RestoredMember, RestoreOptions } from "../datadir/index.ts";
import { restoreSnapshot } from "../datadir/index.ts";
import type { RestorePlan, RestoreTarget } from "./chain.ts";
import { locatePlan } from "./locate.ts";
import { type Materialized, materialize } from "./materialize.ts";

/**
 * Added to the newest revision that the backups know of: what the lost cluster may have gone on to
 * after that. At 20 000 writes a second it is half a day; the log is archived every few seconds.
 */
export const SAFE_BUMP = 1_000_000_000;

export interface RestoreBackupsOptions
  extends Omit<RestoreOptions, "snapshotPath" | "skipHashCheck" | "revisionBump"> {
  readonly location: string;
  readonly target: RestoreTarget;
  /** Undefined = a safe one. */
  readonly revisionBump: number | undefined;
  readonly skipDigests?: boolean;
  readonly onPlan: (plan: RestorePlan) => void;
  readonly onState: (state: Materialized & { readonly revisionBump: number }) => void;
}

/**
 * Rejects as locatePlan, materialize and restoreSnapshot do; then nothing is left behind. Needs
 * room for two stores beside the data directory while it works.
 */
export async function restoreBackups(options: RestoreBackupsOptions): Promise<RestoredMember> {
  const { disk, location, target, dataDirectory } = options;
  const scratch = `${dataDirectory.replace(/\/+$/, "")}.restoring`;
  const plan = await locatePlan(disk, location, target);
  options.onPlan(plan);
  try {
    const made = await materialize({ ...options, plan, scratch });
    const missed = plan.newestRevision - made.revision;
    const revisionBump = options.revisionBump ?? missed + SAFE_BUMP;
    options.onState({ ...made, revisionBump });
    const source = { snapshotPath: made.path, skipHashCheck: false, revisionBump };
    return await restoreSnapshot({ ...options, ...source });
  } finally {
    if (await disk.exists(scratch)) await disk.remove(scratch);
  }
}
