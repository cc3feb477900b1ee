/** The state that scheduled backups lead to, as one snapshot file (`--from`). */
import { openLmdbBackend } from "../backend/index.ts";
import { locatePlan, materialize, type RestoreTarget } from "../backup/index.ts";
import { hostDisk, systemDigests, systemTimers } from "../host/index.ts";
import { Exit, UtlError } from "./io.ts";
import type { LogLine } from "./log-lines.ts";
import { type Given, readCount, readTime, wasGiven } from "./values.ts";

export interface BackupTarget extends RestoreTarget {
  readonly location: string;
}

export interface BackupState {
  readonly path: string;
  readonly revision: number;
  /** Of the newest backup, which may be beyond the target. */
  readonly newestRevision: number;
}

/** Undefined without `--from`. Throws UtlError. */
export function readTarget(given: Given): BackupTarget | undefined {
  const hasRevision = wasGiven(given, "toRevision");
  const hasTime = wasGiven(given, "toTime");
  if (!wasGiven(given, "from")) {
    if (!hasRevision && !hasTime) return undefined;
    throw new UtlError("--to-revision and --to-time need --from", Exit.BAD_ARGS);
  }
  if (hasRevision && hasTime) {
    throw new UtlError("give --to-revision or --to-time, not both", Exit.BAD_ARGS);
  }
  const location = String(given["from"]);
  if (hasRevision) return { location, revision: readCount(given, "toRevision", "--to-revision") };
  if (hasTime) return { location, timeMs: readTime(given, "toTime", "--to-time") };
  return { location };
}

/** `scratch` is made and removed again. */
export async function withState<T>(
  target: BackupTarget,
  scratch: string,
  log: LogLine,
  work: (state: BackupState) => Promise<T>,
): Promise<T> {
  const plan = await locatePlan(hostDisk, target.location, target);
  log("restoring from backups", {
    directory: plan.directory,
    image: plan.image.name,
    "log-files": plan.pieces.length,
    "last-file": (plan.pieces.at(-1) ?? plan.image).name,
  });
  try {
    const made = await materialize({
      disk: hostDisk,
      timers: systemTimers,
      digests: systemDigests,
      openBackend: (directory) => openLmdbBackend({ directory }),
      plan,
      target,
      scratch,
    });
    log("backups lead to", { revision: made.revision, "entries-applied": made.entries });
    return await work({ ...made, newestRevision: plan.newestRevision });
  } finally {
    if (await hostDisk.exists(scratch)) await hostDisk.remove(scratch);
  }
}
