/**
 * Makes a member from its data directory: a new one is founded, an old one is brought back to where
 * its log ends. Either way it starts a new term as its own leader, publishes its attributes and
 * decides the cluster's version, all through the log.
 */
import { createMachine, type Machine } from "../apply/index.ts";
import { openAlarms } from "../alarm/index.ts";
import type { Backend } from "../backend/index.ts";
import { GRPC_OVERHEAD_BYTES } from "../base/index.ts";
import { openLessor } from "../lease/index.ts";
import { openStore } from "../mvcc/index.ts";
import type { Clock, Digests, Disk, Entropy, Logger, Timers } from "../seam/index.ts";
import { walExists } from "../wal/index.ts";
import { createWatchHub } from "../watch/index.ts";
import { EntryType, type HardState, type RaftOperation } from "../wire/index.ts";
import {
  type DataDirectory,
  DataDirectoryError,
  formatId,
  openDataDirectory,
} from "../datadir/index.ts";
import type { AppendLog } from "./log-loop.ts";
import { type MemberSettings, SoloMember } from "./member.ts";
import { foundLog, recoverLog } from "./recovery.ts";

export interface OpenMemberOptions {
  readonly dataDirectory: string;
  readonly walDirectory: string | undefined;
  readonly name: string;
  /** initial-cluster's URLs for this name: they and the token fix the ids (ID-05). */
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly clusterToken: string;
  /** "3.7.0": what a cluster that has not decided yet decides. */
  readonly clusterVersion: string;
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
  readonly onFatal: (error: Error) => void;
}

/** Settles when the member serves: its own entries are applied. */
export async function openMember(options: OpenMemberOptions): Promise<SoloMember> {
  const { disk } = options;
  const paths = await openDataDirectory(disk, options.dataDirectory, options.walDirectory);
  const backend = await options.openBackend(paths.store);
  let member: SoloMember | undefined;
  try {
    member = await openOn(options, paths, backend);
    await introduce(options, member);
    return member;
  } catch (error) {
    await (member === undefined ? backend.close() : member.close());
    throw error;
  }
}

async function openOn(
  options: OpenMemberOptions,
  paths: DataDirectory,
  backend: Backend,
): Promise<SoloMember> {
  const { disk, clock, timers, logger, settings } = options;
  const hasLog = await walExists(disk, paths.wal);
  if (!hasLog && backend.applied.index > 0) {
    throw new DataDirectoryError(
      `the store in ${paths.store} stands at index ${backend.applied.index}, but there is no log ` +
        `in ${paths.wal}; put the log back (is --wal-dir right?), or a copy of the whole data ` +
        "directory",
    );
  }
  const lessor = openLessor(backend);
  const store = await openStore(backend, {
    yieldToLoop: () => new Promise((resolve) => timers.soon(resolve)),
    checkpoint: { disk, directory: paths.store },
    logger,
    onLease: (key, lease) => lessor.attach(lease, key),
  });
  const alarmSet = openAlarms(backend);
  const machine = createMachine({
    backend,
    store,
    lessor,
    alarms: alarmSet,
    keysOnlyWithLease: settings.keysOnlyWithLease,
  });
  const recovery = { ...options, walDirectory: paths.wal, machine, backend };
  const log = hasLog ? await recoverLog(recovery) : await foundLog(recovery);
  const hub = createWatchHub(store, {
    progressIntervalMs: options.progressIntervalMs,
    fragmentBytesMax: settings.requestBytesMax + GRPC_OVERHEAD_BYTES,
  });
  const term = log.hardState.term + 1;
  const hardState = { term, vote: log.id, commit: log.lastIndex };
  await lead(log.wal, machine, hardState);
  lessor.promote(clock.monotonicMs(), settings.electionTimeoutMs);
  logger.info("became leader", {
    "local-member-id": formatId(log.id),
    "cluster-id": formatId(log.clusterId),
    term,
  });
  const { entropy, digests, onFatal } = options;
  return new SoloMember({
    ...log,
    hardState,
    lastIndex: log.lastIndex + 1,
    backend,
    store,
    machine,
    lessor,
    alarmSet,
    hub,
    clock,
    timers,
    entropy,
    digests,
    logger,
    settings,
    onFatal,
  });
}

/** A vote for itself and the empty entry that starts its term (RA-07). */
async function lead(wal: AppendLog, machine: Machine, hardState: HardState): Promise<void> {
  const index = hardState.commit + 1;
  const { term } = hardState;
  const marker = { type: EntryType.NORMAL, term, index, data: Buffer.alloc(0) };
  await wal.append([marker], hardState);
  machine.advance(index, term);
}

/** The lines are those that tools wait for, at every start (tools-expect). */
async function introduce(options: OpenMemberOptions, member: SoloMember): Promise<void> {
  const { logger, name } = options;
  const clientUrls = [...options.clientUrls];
  const mine = member.members().find((row) => row.id === member.id);
  const isPublished =
    mine !== undefined &&
    mine.name === name &&
    mine.clientUrls.length === clientUrls.length &&
    mine.clientUrls.every((url, position) => url === clientUrls[position]);
  if (!isPublished) {
    const attributes = { name, clientUrls };
    await proposed(member, { kind: "memberAttributesSet", memberId: member.id, attributes });
  }
  logger.info("published local member to cluster through raft", {
    "local-member-id": formatId(member.id),
    "local-member-attributes": `{Name:${name} ClientURLs:[${clientUrls.join(" ")}]}`,
    "cluster-id": formatId(member.clusterId),
  });
  if (member.clusterVersion === undefined) {
    await proposed(member, { kind: "clusterVersionSet", version: options.clusterVersion });
    logger.info("set initial cluster version", { "cluster-version": member.clusterVersion });
  }
  logger.info("enabled capabilities for version", { "cluster-version": member.clusterVersion });
}

function proposed(member: SoloMember, operation: RaftOperation): Promise<void> {
  return new Promise((resolve, reject) => {
    member.propose(operation, { done: () => resolve(), refused: reject });
  });
}
