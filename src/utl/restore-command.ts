/** `snapshot restore`: the data directory of a member of a new cluster (UT-03, UT-04). */
import { openLmdbBackend } from "../backend/index.ts";
import { formatId, pathsOf, restoreSnapshot } from "../datadir/index.ts";
import { hostDisk, systemClock, systemDigests, systemTimers } from "../host/index.ts";
import { checkMembers, readInitialCluster, readUrls } from "./initial-cluster.ts";
import { Exit, UtlError, type UtlIo } from "./io.ts";

type Given = Record<string, string | boolean>;

export async function restoreCommand(
  files: readonly string[],
  given: Given,
  io: UtlIo,
): Promise<void> {
  const [snapshotPath, ...others] = files;
  if (snapshotPath === undefined || others.length > 0) {
    throw new UtlError("snapshot restore requires exactly one argument", Exit.BAD_ARGS);
  }
  const revisionBump = readCount(given, "bumpRevision", "--bump-revision");
  if (revisionBump > 0 !== readBool(given, "markCompacted", "--mark-compacted")) {
    throw new UtlError("--mark-compacted required if --revision-bump > 0", Exit.BAD_ARGS);
  }
  readCount(given, "initialMemoryMapSize", "--initial-memory-map-size");
  const name = String(given["name"]);
  const members = readInitialCluster(String(given["initialCluster"]));
  checkMembers(members, name, readUrls(String(given["initialAdvertisePeerUrls"])));
  const dataDirectory = String(given["dataDir"]) || `${name}.etcd`;
  const walDirectory = String(given["walDir"]) || undefined;
  const paths = pathsOf(dataDirectory, walDirectory);
  const log = lineWriter(io);
  const places = {
    path: snapshotPath,
    "wal-dir": paths.wal,
    "data-dir": dataDirectory,
    "snap-dir": paths.snapshots,
  };
  log("restoring snapshot", places);
  const restored = await restoreSnapshot({
    disk: hostDisk,
    clock: systemClock,
    timers: systemTimers,
    digests: systemDigests,
    openBackend: (directory) => openLmdbBackend({ directory }),
    snapshotPath,
    dataDirectory,
    walDirectory,
    name,
    members,
    clusterToken: String(given["initialClusterToken"]),
    skipHashCheck: readBool(given, "skipHashCheck", "--skip-hash-check"),
    revisionBump,
  });
  for (const member of restored.members) {
    log("added member", {
      "cluster-id": formatId(restored.clusterId),
      "local-member-id": "0",
      "added-peer-id": formatId(member.id),
      "added-peer-peer-urls": member.peerUrls,
      "added-peer-is-learner": false,
    });
  }
  log("restored snapshot", { ...places, revision: restored.revision });
}

/** Lines of JSON on stderr, as etcd's logger writes them. */
function lineWriter(io: UtlIo): (msg: string, fields: Record<string, unknown>) => void {
  return (msg, fields) => {
    const ts = new Date(systemClock.wallMs()).toISOString();
    io.stderr(`${JSON.stringify({ level: "info", ts, msg, ...fields })}\n`);
  };
}

function readCount(given: Given, option: string, flag: string): number {
  const text = String(given[option]);
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new UtlError(`invalid argument "${text}" for "${flag}" flag: a whole number is wanted`);
}

/** `--flag`, `--flag=true`, `--flag=false`. */
function readBool(given: Given, option: string, flag: string): boolean {
  const value = given[option];
  if (typeof value === "boolean") return value;
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0" || value === undefined) return false;
  throw new UtlError(`invalid argument "${value}" for "${flag}" flag: true or false is wanted`);
}
