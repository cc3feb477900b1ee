/**
 * Makes a member that survived a cluster of its own, with all that it has.
 *
 * The order, each step durable before the next, with `<data>` for its data directory:
 *
 *   1. `<data>/disaster.draft/` gets a copy of the store; the rest of the log is applied to it; the
 *      other members are taken out of it, and its revision is raised; a new log is made. The
 *      member's own files are only read. A draft that is found was left by a kill: it is thrown
 *      away and made anew.
 *   2. The draft becomes `<data>/disaster.ready/`. From here on no member starts on `<data>`, and
 *      there are only renames left, each of which is passed over when it was done before.
 *   3. A note that the member is to join anew goes with what is kept. `<data>/member` becomes
 *      `<data>/before-disaster-<time>/member`, and likewise a log that is elsewhere; then what was
 *      made takes their places.
 *   4. `<data>/disaster.ready` is removed.
 *
 * What was there before is kept, as a data directory of its own.
 */
import { readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import {
  CLUSTER_INCARNATION,
  encodeConfStateRow,
  encodeMemberRecord,
  META_CONF_STATE,
} from "../apply/index.ts";
import { type Backend, META_DIGEST, openLmdbBackend } from "../backend/index.ts";
import {
  bumpRevision,
  type DataDirectory,
  deriveClusterId,
  deriveMemberId,
  finishInstall,
  formatId,
  openDataDirectory,
  pathsOf,
  RECOVERY_READY,
  REJOIN_NOTE,
  Replay,
} from "../datadir/index.ts";
import { systemClock, systemDigests, systemEntropy } from "../host/index.ts";
import { CHECKPOINT_KEY } from "../mvcc/index.ts";
import type { Disk } from "../seam/index.ts";
import { createWal, readWal, SEGMENT_BYTES } from "../wal/index.ts";
import { emptyConfState, encodeStateDigest } from "../wire/index.ts";
import { copyStore } from "./copy-store.ts";
import { putMark } from "./mark.ts";
import { giveOwner } from "./owner.ts";
import { turn } from "./survivor.ts";
import type { IntactSurvivor } from "./verdict.ts";

/**
 * By how much the revision is raised, as etcd's own manual advises: no cluster writes so much while
 * one of its members is behind, and 2^53 are enough for nine million disasters.
 */
export const REVISION_BUMP = 1_000_000_000;

/** Beside the copy: the first segment of the log, and what the rest of the old one adds. */
const SPARE_BYTES = SEGMENT_BYTES + 64_000_000;

const DRAFT = "disaster.draft";

/** What the renames need to know, in `disaster.ready/plan.json`. */
interface Plan {
  readonly keptDirectory: string;
  /** Of a log outside the data directory: its place, the new one's, and where the old one goes. */
  readonly log?: { readonly place: string; readonly made: string; readonly kept: string };
}

export interface RecoverOptions {
  readonly disk: Disk;
  /** Told of each step as it begins, for people. */
  readonly onStep: (text: string) => void;
}

/** Ends a recovery that was begun; false when there is none. The lock is the caller's. */
export async function finishRecovery(disk: Disk, directory: string): Promise<boolean> {
  const ready = `${directory}/${RECOVERY_READY}`;
  const path = `${ready}/plan.json`;
  if (!(await disk.exists(ready))) return false;
  // The plan is the last to go: without it everything is in its place.
  if (await disk.exists(path)) await swap(disk, directory, JSON.parse(readFileSync(path, "utf8")));
  await disk.remove(ready);
  await disk.syncDirectory(directory);
  return true;
}

/** The lock of the directory is the caller's, and the survivor was inspected under it. */
export async function recover(survivor: IntactSurvivor, options: RecoverOptions): Promise<void> {
  const { disk, onStep } = options;
  const { directory, walDirectory } = survivor;
  const draft = `${directory}/${DRAFT}`;
  const stamp = new Date(systemClock.wallMs()).toISOString().replace(/[-:]|\.\d+/g, "");
  const plan: Plan = {
    keptDirectory: `${directory}/before-disaster-${stamp}`,
    ...(walDirectory === undefined
      ? {}
      : {
          log: {
            place: walDirectory,
            made: `${walDirectory}.disaster`,
            kept: `${walDirectory}.before-disaster-${stamp}`,
          },
        }),
  };
  if (plan.log !== undefined) checkMovable(plan.log.place);
  await discardDraft(disk, draft, plan);
  try {
    await makeDraft(survivor, { disk, draft, plan, onStep });
  } catch (error) {
    await discardDraft(disk, draft, plan);
    throw error;
  }
  const member = `${directory}/member`;
  for (const made of [draft, plan.log?.made, `${directory}/lock`]) {
    if (made !== undefined) giveOwner(member, made);
  }
  onStep("putting it in its place");
  await disk.rename(draft, `${directory}/${RECOVERY_READY}`);
  await disk.syncDirectory(directory);
  await finishRecovery(disk, directory);
}

async function discardDraft(disk: Disk, draft: string, plan: Plan): Promise<void> {
  for (const path of [draft, plan.log?.made, plan.log && `${plan.log.made}.tmp`]) {
    if (path !== undefined && (await disk.exists(path))) await disk.remove(path);
  }
}

/** A directory that a file system is mounted on cannot be renamed. */
function checkMovable(walDirectory: string): void {
  if (statSync(walDirectory).dev === statSync(dirname(walDirectory)).dev) return;
  throw new Error(
    `${walDirectory} is where a file system is mounted, and cannot be renamed: copy the log to a ` +
      "directory, name that one with --wal-dir, and start the member with it",
  );
}

interface DraftOptions {
  readonly disk: Disk;
  readonly draft: string;
  readonly plan: Plan;
  readonly onStep: (text: string) => void;
}

async function makeDraft(survivor: IntactSurvivor, options: DraftOptions): Promise<void> {
  const { disk, draft, plan, onStep } = options;
  const paths = await openDataDirectory(disk, draft, plan.log?.made);
  const own = pathsOf(survivor.directory, survivor.walDirectory);
  await copyStores(disk, own, paths, onStep);
  // Two stores: a snapshot was being put in place. The log says which one counts.
  const openBackend = (directory: string) => openLmdbBackend({ directory });
  await finishInstall({ disk, paths: { ...paths, wal: own.wal }, openBackend });
  const backend = await openBackend(paths.store);
  try {
    onStep("applying the rest of its log");
    const replay = await Replay.open(backend, turn);
    const reader = await readWal(disk, own.wal, backend.applied);
    for await (const batch of reader.batches()) await replay.apply(batch);
    onStep("making it a cluster of its own");
    await standAlone(survivor, replay, paths, options);
  } finally {
    await backend.close();
  }
  await writePlan(disk, `${draft}/plan.json`, plan);
}

async function copyStores(
  disk: Disk,
  own: DataDirectory,
  made: DataDirectory,
  onStep: (text: string) => void,
): Promise<void> {
  for (const name of ["store", "incoming", "replaced"] as const) {
    if (!(await disk.exists(own[name]))) continue;
    await copyStore(own[name], made[name], SPARE_BYTES, (done, of) => {
      onStep(`copying its store: ${Math.floor((done / of) * 100)} %`);
    });
  }
}

/** The store is as its log left it; the caller closes it. */
async function standAlone(
  survivor: IntactSurvivor,
  replay: Replay,
  paths: DataDirectory,
  { disk, plan }: DraftOptions,
): Promise<void> {
  const { backend } = replay;
  const { log } = survivor;
  const before = {
    members: replay.members(),
    revision: replay.revision,
    keys: replay.store.keyCount,
  };
  const former = before.members.find(({ id }) => id === log.memberId);
  const incarnation = systemEntropy.bytes(8).toString("hex");
  // Other ids than before: whoever was thought lost and comes back is a stranger.
  const token = `disaster-${incarnation}`;
  const peerUrls = former?.peerUrls ?? [];
  const id = deriveMemberId(peerUrls, token, systemDigests);
  const clusterId = deriveClusterId([id], systemDigests);
  for (const table of ["members", "members_removed", "alarm"] as const) emptyTable(backend, table);
  const record = {
    id,
    peerUrls,
    isLearner: false,
    name: former?.name ?? "",
    clientUrls: former?.clientUrls ?? [],
  };
  backend.put("members", Buffer.from(formatId(id)), Buffer.from(encodeMemberRecord(record)));
  const confState = { ...emptyConfState(), voters: [id] };
  backend.put("meta", META_CONF_STATE, encodeConfStateRow(confState));
  backend.delete("local", CHECKPOINT_KEY);
  backend.put("cluster", CLUSTER_INCARNATION, Buffer.from(incarnation));
  bumpRevision(backend, replay.revision + REVISION_BUMP);
  // As if it were an entry, of a term in which nobody else was elected.
  const point = { index: backend.applied.index + 1, term: log.term + 1 };
  backend.setApplied(point);
  // All members to come have their state from here: its digests are compared from the first on.
  const lanes = systemEntropy.bytes(8);
  const digest = { index: point.index, a: lanes.readInt32LE(0), b: lanes.readInt32LE(4) };
  backend.put("meta", Buffer.from(META_DIGEST, "latin1"), encodeStateDigest(digest));
  putMark(backend, {
    before: { ...before, memberId: log.memberId, clusterId: log.clusterId },
    keptDirectory: plan.keptDirectory,
    keptWalDirectory: plan.log?.kept,
  });
  await backend.commit();
  const founding = {
    entries: [],
    hardState: { term: point.term, vote: id, commit: point.index },
    snapshot: { ...point, confState },
  };
  const wal = await createWal(
    disk,
    paths.wal,
    { nodeId: id, clusterId },
    { clock: systemClock, founding },
  );
  await wal.close();
}

function emptyTable(backend: Backend, table: "members" | "members_removed" | "alarm"): void {
  const rows = backend.scan(table, Buffer.alloc(0), undefined, Number.POSITIVE_INFINITY);
  for (const { key } of rows) backend.delete(table, key);
}

async function writePlan(disk: Disk, path: string, plan: Plan): Promise<void> {
  const file = await disk.open(path, "create");
  try {
    await file.write(Buffer.from(`${JSON.stringify(plan)}\n`), 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.syncDirectory(dirname(path));
}

async function swap(disk: Disk, directory: string, plan: Plan): Promise<void> {
  const { keptDirectory, log } = plan;
  const made = `${directory}/${RECOVERY_READY}/member`;
  const member = `${directory}/member`;
  await disk.makeDirectory(keptDirectory);
  // First: it would have the member's data moved away, the new one's too.
  await renameOnce(disk, `${directory}/${REJOIN_NOTE}`, `${keptDirectory}/${REJOIN_NOTE}`);
  if (log !== undefined && (await disk.exists(log.made))) {
    await renameOnce(disk, log.place, log.kept);
    await renameOnce(disk, log.made, log.place);
  }
  if (await disk.exists(made)) {
    await renameOnce(disk, member, `${keptDirectory}/member`);
    await renameOnce(disk, made, member);
  }
}

/** Nothing happens when it was done before. */
async function renameOnce(disk: Disk, source: string, target: string): Promise<void> {
  if (!(await disk.exists(source)) || (await disk.exists(target))) return;
  await disk.rename(source, target);
  await disk.syncDirectory(dirname(source));
  await disk.syncDirectory(dirname(target));
}
