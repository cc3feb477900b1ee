/**
 * Makes a member from its data directory: a new one is founded or joins, an old one is brought back
 * to where its store stands; what its log holds beyond that comes by the consensus's ordinary way.
 */
import type { Backend } from "../backend/index.ts";
import { Journal } from "../care/index.ts";
import { GRPC_OVERHEAD_BYTES } from "../base/index.ts";
import {
  type DataDirectory,
  finishInstall,
  formatId,
  lifePaths,
  nextLife,
  openDataDirectory,
  parentOf,
  readPeers,
  readFloors,
  type Rejoin,
  resumeRejoin,
  SnapshotInbox,
  type StoredLife,
  writeLife,
  writePeers,
} from "../datadir/index.ts";
import type {
  Clock,
  Digests,
  Disk,
  Entropy,
  Logger,
  PeerHandler,
  PeerMember,
  PeerNetwork,
  Timers,
} from "../seam/index.ts";
import { RangeReader, type Wal, type WalOptions, walExists } from "../wal/index.ts";
import { type ConfState, emptyConfState } from "../wire/index.ts";
import type { Beginning } from "./beginning.ts";
import { abandonLog, checkLost, isLogLost, LogLost } from "./abandon-log.ts";
import { beginLog } from "./begin-log.ts";
import { forceNewCluster } from "./force-new-cluster.ts";
import { introduce } from "./introduction.ts";
import type { Beginnings } from "./life-keeper.ts";
import { LocalStore } from "./local-store.ts";
import { type OpenedStore, openStore } from "./open-store.ts";
import { readRaftLog } from "./log-recovery.ts";
import { RaftMember } from "./raft-member.ts";
import { RaftStorage, type StoredLog } from "./raft-storage.ts";
import type { MemberSettings } from "./settings.ts";
import { Snapshots } from "./snapshots.ts";

export interface OpenMemberOptions {
  readonly dataDirectory: string;
  readonly walDirectory: string | undefined;
  readonly name: string;
  readonly clientUrls: readonly string[];
  /** Asked when there is no log yet, and only then. */
  readonly beginning: () => Promise<Beginning>;
  readonly clusterToken: string;
  /** The log is made to say that this member is alone, with all that was committed. */
  readonly forceNewCluster: boolean;
  /** "3.7.1": what peers are told, and what the cluster's version is decided from. */
  readonly serverVersion: string;
  readonly progressIntervalMs: number;
  readonly settings: MemberSettings;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly digests: Digests;
  readonly logger: Logger;
  /** Opens the store in a directory: the host's choice of engine. */
  readonly openBackend: (directory: string) => Promise<Backend>;
  readonly openNetwork: (handler: PeerHandler) => PeerNetwork;
  /** A directory on another volume, where this member's life is kept as well. */
  readonly witnessDirectory: string | undefined;
  /** Whatever was lost when the disk went back in time: it goes on with what is there. */
  readonly acceptsRollback: boolean;
  readonly onFatal: (error: Error) => void;
  readonly onReplaced: () => void;
  readonly onRemoved: () => void;
}

/** Settles when the member runs: peers are heard, and the consensus has begun. */
export async function openMember(options: OpenMemberOptions): Promise<RaftMember> {
  const { disk } = options;
  const rejoin = await resumeRejoin(disk, options.dataDirectory, options.walDirectory);
  const paths = await openDataDirectory(disk, options.dataDirectory, options.walDirectory);
  const journal = await Journal.open({ ...options, path: paths.journal });
  const place = { paths, rejoin, journal };
  try {
    return await open(options, place);
  } catch (error) {
    if (!isLogLost(error)) throw error;
    await abandonLog({ ...options, ...place, walOptions: walOptions(options) }, error);
    return open(options, place);
  }
}

interface OpeningPlace {
  readonly paths: DataDirectory;
  readonly rejoin: Rejoin | undefined;
  readonly journal: Journal;
}

async function open(
  options: OpenMemberOptions,
  { paths, rejoin, journal }: OpeningPlace,
): Promise<RaftMember> {
  const { disk } = options;
  await checkLost(disk, paths);
  await finishInstall({ disk, paths, openBackend: options.openBackend });
  const inbox = await SnapshotInbox.open(disk, options.digests, paths.snapshots);
  const link: Link = {};
  // Before the log: a disk that is too small for both is told by the store, and not by a signal.
  const opened = await openStore({
    ...options,
    paths,
    journal,
    openStore: (backend) => openLocalStore(options, paths, link, backend),
  });
  let member: RaftMember;
  try {
    const beginnings = await beginLife(options, { paths, rejoin });
    const knownPeers = await begin(options, opened, beginnings);
    const place = { ...opened, paths, link, knownPeers, inbox, journal, beginnings };
    member = await recover(options, place);
  } catch (error) {
    await opened.local.backend.close();
    throw error;
  }
  member.start();
  member.introduced = introduce(options, member);
  return member;
}

/** Makes the log of a member that has none; the members that a joiner was told of. */
async function begin(
  options: OpenMemberOptions,
  { local: { backend }, loss }: OpenedStore,
  { paths, rejoin }: Beginnings,
): Promise<readonly PeerMember[]> {
  const { disk } = options;
  if (await walExists(disk, paths.wal)) {
    // Of a store that is empty, since it or the log was lost, nothing can be learnt.
    if (loss === undefined && backend.applied.index > 0) return [];
    return (await readPeers(disk, paths))?.members ?? [];
  }
  if (backend.applied.index > 0) {
    throw new LogLost(
      `the store in ${paths.store} stands at index ${backend.applied.index}, but there is no log ` +
        `in ${paths.wal}; put the log back (is --wal-dir right?), or a copy of the whole data ` +
        "directory",
    );
  }
  const beginning: Beginning =
    rejoin === undefined ? await options.beginning() : { kind: "join", ...rejoin };
  await beginLog({
    ...options,
    walDirectory: paths.wal,
    beginning,
    walOptions: walOptions(options),
  });
  return beginning.kind === "join" ? beginning.members : [];
}

function walOptions({ clock, settings }: OpenMemberOptions): WalOptions {
  const { logSegmentBytes } = settings;
  return logSegmentBytes === undefined ? { clock } : { clock, segmentBytes: logSegmentBytes };
}

interface MemberPlace extends OpenedStore {
  readonly paths: DataDirectory;
  readonly link: Link;
  readonly journal: Journal;
  readonly knownPeers: readonly PeerMember[];
  readonly inbox: SnapshotInbox;
  readonly beginnings: Beginnings;
}

/** Durable before a word of it is said. */
async function beginLife(
  options: OpenMemberOptions,
  { paths, rejoin }: Pick<Beginnings, "paths" | "rejoin">,
): Promise<Beginnings> {
  const { disk, clock, entropy, logger, acceptsRollback, forceNewCluster } = options;
  const at = lifePaths(paths);
  const nonce = Math.max(1, entropy.bytes(4).readUInt32LE(0));
  const wallMs = clock.wallMs();
  const { life: next, isDamaged } = await nextLife(disk, at.life, { nonce, wallMs });
  if (isDamaged) logger.warn("the number of this start is lost", { path: at.life });
  const isForced = acceptsRollback || forceNewCluster;
  const stored = isForced ? renewed(next, wallMs) : next;
  await writeLife(disk, at.life, stored);
  const floors = await readFloors(disk, at.floors);
  if (floors === undefined) {
    logger.warn("what the others promised cannot be read; it is learnt anew", { path: at.floors });
  }
  const witness = await openWitness(options);
  return { paths, stored, floors: floors ?? [], rejoin, witness };
}

/** Members on one host may share the directory. */
async function openWitness({
  disk,
  name,
  witnessDirectory,
  logger,
}: OpenMemberOptions): Promise<Beginnings["witness"]> {
  if (witnessDirectory === undefined) return undefined;
  await disk.makeDirectory(witnessDirectory, 0o700);
  await disk.syncDirectory(parentOf(witnessDirectory));
  const path = `${witnessDirectory}/${name}.witness`;
  const floors = await readFloors(disk, path);
  if (floors === undefined) logger.warn("the witness cannot be read; it begins anew", { path });
  return { path, floors: floors ?? [] };
}

/** Later than any life that others can know of, which forget what was promised before. */
function renewed({ epoch, nonce }: StoredLife, wallMs: number): StoredLife {
  const later = Math.max(epoch, Math.floor(wallMs / 1_000));
  return { epoch: later, nonce, base: later };
}

/** What is made before the member, and tells it what happens: set once the member is there. */
interface Link {
  member?: RaftMember;
}

async function recover(options: OpenMemberOptions, place: MemberPlace): Promise<RaftMember> {
  const { paths, local, loss, link, knownPeers, journal, beginnings } = place;
  const { disk, logger, settings } = options;
  const base = loss?.base ?? local.backend.applied;
  const found = await readRaftLog({
    disk,
    walDirectory: paths.wal,
    applied: base,
    catchUpEntries: settings.snapshotCatchUpEntries,
    logger,
  });
  const confState = loss?.base?.confState ?? confStateOf(local, beginnings.stored, knownPeers);
  const wal = await found.resume(walOptions(options));
  const log = options.forceNewCluster
    ? await forceNewCluster({ found, local, confState, wal, logger })
    : found;
  const applied = base.index;
  const storage = newStorage(options, link, wal, { ...log, confState, applied });
  const { hardState } = log;
  logger.info("recovered", {
    "local-member-id": formatId(found.metadata.nodeId),
    "cluster-id": formatId(found.metadata.clusterId),
    "store-index": applied,
    "commit-index": hardState.commit,
    "log-index": storage.lastIndex(),
  });
  link.member = new RaftMember({
    ...options,
    id: found.metadata.nodeId,
    clusterId: found.metadata.clusterId,
    local,
    journal,
    directory: parentOf(paths.store),
    diskPaths: [paths.wal, paths.store],
    storeLoss: loss?.base === undefined ? undefined : loss.cause,
    wal,
    storage,
    hardState,
    confState,
    snapshotIndex: found.snapshot?.index ?? 0,
    fragmentBytesMax: settings.requestBytesMax + GRPC_OVERHEAD_BYTES,
    knownPeers,
    beginnings,
    makeSnapshots: (member) => {
      const openStore = (backend: Backend) => openLocalStore(options, paths, link, backend);
      return new Snapshots({ ...options, ...place, member, wal, storage, openStore });
    },
    keepPeers: (members) =>
      writePeers(disk, paths, {
        clusterId: found.metadata.clusterId,
        id: found.metadata.nodeId,
        members,
      }),
  });
  return link.member;
}

function openLocalStore(
  options: OpenMemberOptions,
  paths: DataDirectory,
  link: Link,
  backend: Backend,
): Promise<LocalStore> {
  return LocalStore.open(backend, {
    ...options,
    directory: paths.store,
    onDurable: (point) => link.member?.storeDurable(point),
    onFatal: (error) => link.member?.fail(error),
  });
}

function newStorage(
  { disk, logger, settings }: OpenMemberOptions,
  link: Link,
  wal: Wal,
  log: StoredLog,
): RaftStorage {
  const reader = new RangeReader(disk, wal);
  const { logCacheBytes } = settings;
  return new RaftStorage({
    log,
    ...(logCacheBytes === undefined ? {} : { cacheBytesMax: logCacheBytes }),
    load: (lo, hi, bytesMax, termOf) => reader.read(lo, hi, bytesMax, termOf),
    snapshotMetadata: () => link.member?.snapshotMetadata(),
    onLoaded: () => link.member?.driver.entriesLoaded(),
    onLoadFailed: (error) =>
      logger.error("an old part of the log cannot be read; who needs it gets a snapshot", {
        error: error.message,
      }),
  });
}

/** Stores of single members from before there were clusters lack the row. */
function confStateOf(
  { machine, backend }: LocalStore,
  { lost }: StoredLife,
  knownPeers: readonly PeerMember[],
): ConfState {
  const stored = machine.confState();
  if (stored !== undefined) return stored;
  const isEmpty = backend.applied.index === 0;
  if (isEmpty && lost === undefined) return emptyConfState();
  // One that has lost its log takes part in nothing: this is whom it asks to take it back.
  const members = isEmpty ? knownPeers : machine.members();
  const ids = (isLearner: boolean) =>
    members.filter((member) => member.isLearner === isLearner).map(({ id }) => id);
  return { ...emptyConfState(), voters: ids(false), learners: ids(true) };
}
