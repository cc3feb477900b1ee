/** `--from`, `--to-revision` and `--to-time`: which state of which backups. */
import type { RestoreTarget } from "../backup/index.ts";
import { Exit, UtlError } from "./io.ts";
import { type Given, readCount, readTime, wasGiven } from "./values.ts";

export interface BackupTarget {
  readonly location: string;
  readonly target: RestoreTarget;
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
  if (hasTime) return { location, target: { timeMs: readTime(given, "toTime", "--to-time") } };
  if (!hasRevision) return { location, target: {} };
  return { location, target: { revision: readCount(given, "toRevision", "--to-revision") } };
}
