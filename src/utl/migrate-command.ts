/**
 * `migrate` (UT-06). etcd rewrites rows of its store for the binary that is to open it. Ours are
 * the same for every version that Holdfast answers as, and the storage version is the cluster's:
 * there is nothing to rewrite, and changing the cluster's version on one member alone would make
 * it differ from the others. So this says what is the case, and who changes it.
 */
import { Exit, UtlError, type UtlIo } from "./io.ts";
import { lineWriter } from "./log-lines.ts";
import { withStore } from "./offline.ts";

export interface MigrateOptions {
  readonly dataDirectory: string;
  readonly targetVersion: string;
  readonly timeoutMs: number;
}

interface Minor {
  readonly major: number;
  readonly minor: number;
}

const MINIMAL: Minor = { major: 3, minor: 5 };

export async function migrateCommand(options: MigrateOptions, io: UtlIo): Promise<void> {
  const target = readTarget(options.targetVersion);
  const version = await withStore({ ...options, isReadOnly: true }, io, (backend) =>
    Promise.resolve(backend.get("cluster", Buffer.from("clusterVersion"))?.toString()),
  );
  const current = readMinor(version ?? "");
  if (current === undefined) {
    throw new UtlError("the cluster of this member has not decided its version yet: start it once");
  }
  if (compare(current, target) === 0) {
    lineWriter(io)("storage version up-to-date", { "storage-version": textOf(current) });
    return;
  }
  const how =
    compare(target, current) < 0
      ? `run etcdctl downgrade enable ${textOf(target)} on the running cluster`
      : "it rises by itself when all members run the newer version";
  throw new UtlError(
    `storage version is ${textOf(current)}, wanted ${textOf(target)}: nothing in a Holdfast data ` +
      `directory depends on it, and it follows the version of the cluster; ${how}`,
  );
}

/** Throws UtlError with etcdutl's words. */
function readTarget(text: string): Minor {
  const parts = text.split(".");
  if (parts.length !== 2) {
    const shown = JSON.stringify(text);
    throw new UtlError(`wrong target version format, expected "X.Y", got ${shown}`, Exit.BAD_ARGS);
  }
  for (const part of parts) {
    if (/^\d{1,9}$/.test(part)) continue;
    const reason = `strconv.ParseInt: parsing ${JSON.stringify(part)}: invalid syntax`;
    throw new UtlError(`failed to parse target version: ${reason}`, Exit.BAD_ARGS);
  }
  const target = { major: Number(parts[0]), minor: Number(parts[1]) };
  if (compare(target, MINIMAL) >= 0) return target;
  const shown = textOf(target);
  throw new UtlError(`target version "${shown}" not supported. Minimal "3.5"`, Exit.BAD_ARGS);
}

function readMinor(version: string): Minor | undefined {
  const match = /^(\d+)\.(\d+)\./.exec(version);
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) };
}

function compare(a: Minor, b: Minor): number {
  return a.major - b.major || a.minor - b.minor;
}

function textOf({ major, minor }: Minor): string {
  return `${major}.${minor}`;
}
