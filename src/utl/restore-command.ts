/** `snapshot restore`: the data directory of a member of a new cluster (UT-03, UT-04). */
import { openLmdbBackend } from "../backend/index.ts";
import { formatId, pathsOf, type RestoredMember, restoreSnapshot } from "../datadir/index.ts";
import { hostDisk, systemClock, systemDigests, systemTimers } from "../host/index.ts";
import { type BackupTarget, readTarget, withState } from "./backup-source.ts";
import { checkMembers, readInitialCluster, readUrls } from "./initial-cluster.ts";
import { Exit, UtlError, type UtlIo } from "./io.ts";
import { type LogLine, lineWriter } from "./log-lines.ts";
import { type Given, readBool, readCount, wasGiven } from "./values.ts";

/**
 * Added to the newest revision that the backups know of: what the lost cluster may have gone on to
 * after that. At 20 000 writes a second it is half a day; the log is archived every few seconds.
 */
const SAFE_BUMP = 1_000_000_000;

interface Plan {
  readonly name: string;
  readonly members: ReturnType<typeof readInitialCluster>;
  readonly dataDirectory: string;
  readonly walDirectory: string | undefined;
  readonly clusterToken: string;
}

export async function restoreCommand(
  files: readonly string[],
  given: Given,
  io: UtlIo,
): Promise<void> {
  const target = readTarget(given);
  if (files.length !== (target === undefined ? 1 : 0)) {
    const wanted = target === undefined ? "exactly one argument" : "no file beside --from";
    throw new UtlError(`snapshot restore requires ${wanted}`, Exit.BAD_ARGS);
  }
  const revisionBump = readBump(given);
  readCount(given, "initialMemoryMapSize", "--initial-memory-map-size");
  const name = String(given["name"]);
  const members = readInitialCluster(String(given["initialCluster"]));
  checkMembers(members, name, readUrls(String(given["initialAdvertisePeerUrls"])));
  const plan: Plan = {
    name,
    members,
    dataDirectory: String(given["dataDir"]) || `${name}.etcd`,
    walDirectory: String(given["walDir"]) || undefined,
    clusterToken: String(given["initialClusterToken"]),
  };
  const log = lineWriter(io);
  if (target === undefined) {
    const skipHashCheck = readBool(given, "skipHashCheck", "--skip-hash-check");
    const path = files[0] as string;
    await restore(plan, { path, skipHashCheck, revisionBump: revisionBump ?? 0 }, log);
  } else {
    await restoreBackup(plan, target, revisionBump, log);
  }
}

/** Undefined = not given. */
function readBump(given: Given): number | undefined {
  const bump = readCount(given, "bumpRevision", "--bump-revision");
  const isMarked = readBool(given, "markCompacted", "--mark-compacted");
  if (bump > 0 !== isMarked) {
    throw new UtlError("--mark-compacted required if --revision-bump > 0", Exit.BAD_ARGS);
  }
  return wasGiven(given, "bumpRevision") ? bump : undefined;
}

async function restoreBackup(
  plan: Plan,
  target: BackupTarget,
  bump: number | undefined,
  log: LogLine,
): Promise<void> {
  await withState(target, `${plan.dataDirectory}.restoring`, log, async (state) => {
    const missed = state.newestRevision - state.revision;
    const revisionBump = bump ?? missed + SAFE_BUMP;
    if (bump === undefined) {
      log("raising the revision, so that no client is ever shown one twice", {
        "newest-known-revision": state.newestRevision,
        "bump-revision": revisionBump,
        "mark-compacted": true,
      });
    }
    await restore(plan, { path: state.path, skipHashCheck: false, revisionBump }, log);
  });
}

interface SnapshotSource {
  readonly path: string;
  readonly skipHashCheck: boolean;
  readonly revisionBump: number;
}

async function restore(plan: Plan, source: SnapshotSource, log: LogLine): Promise<void> {
  const paths = pathsOf(plan.dataDirectory, plan.walDirectory);
  const places = {
    path: source.path,
    "wal-dir": paths.wal,
    "data-dir": plan.dataDirectory,
    "snap-dir": paths.snapshots,
  };
  log("restoring snapshot", places);
  const restored = await restoreSnapshot({
    ...plan,
    disk: hostDisk,
    clock: systemClock,
    timers: systemTimers,
    digests: systemDigests,
    openBackend: (directory) => openLmdbBackend({ directory }),
    snapshotPath: source.path,
    skipHashCheck: source.skipHashCheck,
    revisionBump: source.revisionBump,
  });
  tellMembers(restored, log);
  log("restored snapshot", { ...places, revision: restored.revision });
}

function tellMembers(restored: RestoredMember, log: LogLine): void {
  for (const member of restored.members) {
    log("added member", {
      "cluster-id": formatId(restored.clusterId),
      "local-member-id": "0",
      "added-peer-id": formatId(member.id),
      "added-peer-peer-urls": member.peerUrls,
      "added-peer-is-learner": false,
    });
  }
}
