/** `snapshot restore`: the data directory of a member of a new cluster (UT-03, UT-04). */
import { openLmdbBackend } from "../backend/index.ts";
import { restoreBackups } from "../backup/index.ts";
import { formatId, pathsOf, type RestoredMember, restoreSnapshot } from "../datadir/index.ts";
import { hostDisk, systemClock, systemDigests, systemTimers } from "../host/index.ts";
import { type BackupTarget, readTarget } from "./backup-target.ts";
import { checkMembers, readInitialCluster, readUrls } from "./initial-cluster.ts";
import { Exit, UtlError, type UtlIo } from "./io.ts";
import { type LogLine, lineWriter } from "./log-lines.ts";
import { type Given, readBool, readCount, wasGiven } from "./values.ts";

/** Of the member that is made, whatever it is made from. */
function placeOf(given: Given) {
  const name = String(given["name"]);
  const members = readInitialCluster(String(given["initialCluster"]));
  checkMembers(members, name, readUrls(String(given["initialAdvertisePeerUrls"])));
  return {
    name,
    members,
    dataDirectory: String(given["dataDir"]) || `${name}.etcd`,
    walDirectory: String(given["walDir"]) || undefined,
    clusterToken: String(given["initialClusterToken"]),
    disk: hostDisk,
    clock: systemClock,
    timers: systemTimers,
    digests: systemDigests,
    openBackend: (directory: string) => openLmdbBackend({ directory }),
  };
}

type Place = ReturnType<typeof placeOf>;

export async function restoreCommand(
  files: readonly string[],
  given: Given,
  io: UtlIo,
): Promise<void> {
  const backups = readTarget(given);
  const [snapshotPath = ""] = files;
  if (files.length !== (backups === undefined ? 1 : 0)) {
    const wanted = backups === undefined ? "exactly one argument" : "no file beside --from";
    throw new UtlError(`snapshot restore requires ${wanted}`, Exit.BAD_ARGS);
  }
  const revisionBump = readBump(given);
  const skipHashCheck = readBool(given, "skipHashCheck", "--skip-hash-check");
  readCount(given, "initialMemoryMapSize", "--initial-memory-map-size");
  const place = placeOf(given);
  const paths = pathsOf(place.dataDirectory, place.walDirectory);
  const places = {
    path: backups?.location ?? snapshotPath,
    "wal-dir": paths.wal,
    "data-dir": place.dataDirectory,
    "snap-dir": paths.snapshots,
  };
  const log = lineWriter(io);
  log("restoring snapshot", places);
  const restored =
    backups === undefined
      ? await restoreSnapshot({
          ...place,
          snapshotPath,
          skipHashCheck,
          revisionBump: revisionBump ?? 0,
        })
      : await restoreFrom(place, backups, { revisionBump, skipDigests: skipHashCheck }, log);
  tellMembers(restored, log);
  log("restored snapshot", { ...places, revision: restored.revision });
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

function restoreFrom(
  place: Place,
  backups: BackupTarget,
  how: { readonly revisionBump: number | undefined; readonly skipDigests: boolean },
  log: LogLine,
): Promise<RestoredMember> {
  return restoreBackups({
    ...place,
    ...backups,
    ...how,
    onPlan: ({ directory, image, pieces }) =>
      log("restoring from backups", {
        directory,
        image: image.name,
        "log-files": pieces.length,
        "last-file": (pieces.at(-1) ?? image).name,
      }),
    onState: ({ revision, entries, digestsCompared, revisionBump }) => {
      log("the backups lead to", {
        revision,
        "entries-applied": entries,
        "digests-compared": digestsCompared,
      });
      if (how.revisionBump !== undefined) return;
      log("raising the revision, so that no client is ever shown one twice", {
        "bump-revision": revisionBump,
        "mark-compacted": true,
      });
    },
  });
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
