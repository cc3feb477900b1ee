/** From the configuration and the ports to what a member is opened with. */
import { openLmdbBackend } from "../backend/index.ts";
import {
  hostDisk,
  systemClock,
  systemDigests,
  systemEntropy,
  systemTimers,
  withoutSync,
} from "../host/index.ts";
import type { MemberSettings, OpenMemberOptions } from "../member/index.ts";
import { openPeers, type Peers } from "../peer/index.ts";
import type { Logger, PeerHandler } from "../seam/index.ts";
import { beginCluster } from "./beginning.ts";
import { advertised, type ClientPorts } from "./client-ports.ts";
import type { ServerConfig } from "./config.ts";
import type { PeerPorts } from "./peer-ports.ts";
import { systemResolve } from "./same-urls.ts";
import { HOLDFAST_VERSION, serverVersionOf } from "./versions.ts";

export interface MemberEnds {
  readonly onFatal: (error: Error) => void;
  readonly onReplaced: () => void;
  readonly onRemoved: () => void;
}

/** `peers` is there once the member has asked for its network. */
export function memberOptions(
  config: ServerConfig,
  logger: Logger,
  ports: { readonly clients: ClientPorts; readonly peers: PeerPorts },
  ends: MemberEnds,
): { readonly options: OpenMemberOptions; readonly network: { peers?: Peers } } {
  const serverVersion = serverVersionOf(config.minorVersion);
  const network: { peers?: Peers } = {};
  const options: OpenMemberOptions = {
    dataDirectory: config.dataDirectory,
    walDirectory: config.walDirectory,
    name: config.name,
    clientUrls: advertised(config.advertiseClientUrls, ports.clients.clientUrls),
    beginning: () =>
      beginCluster({
        config,
        http: ports.peers.http,
        digests: systemDigests,
        resolve: systemResolve,
        logger,
      }),
    clusterToken: config.clusterToken,
    forceNewCluster: config.forceNewCluster,
    witnessDirectory: config.witnessDirectory,
    acceptsRollback: config.acceptsRollback,
    serverVersion,
    progressIntervalMs: config.watchProgressIntervalMs,
    settings: settingsOf(config),
    disk: config.unsafeNoFsync ? withoutSync(hostDisk) : hostDisk,
    clock: systemClock,
    timers: systemTimers,
    entropy: systemEntropy,
    digests: systemDigests,
    logger: logger.child("member"),
    openBackend: (directory) => openLmdbBackend({ directory }),
    openNetwork: (handler: PeerHandler) => {
      const peers = openPeers({
        handler,
        http: ports.peers.http,
        clock: systemClock,
        timers: systemTimers,
        digests: systemDigests,
        logger: logger.child("peer"),
        serverVersion,
        holdfastVersion: HOLDFAST_VERSION,
        peerUrls: config.advertisePeerUrls,
        electionTimeoutMs: config.electionTimeoutMs,
        readTimeoutMs: config.peerReadTimeoutMs,
        writeTimeoutMs: config.peerWriteTimeoutMs,
      });
      network.peers = peers;
      return peers.network;
    },
    ...ends,
  };
  return { options, network };
}

function settingsOf(config: ServerConfig): MemberSettings {
  return {
    quotaBytes: config.quotaBytes,
    requestBytesMax: config.requestBytesMax,
    commitRhythm: {
      intervalMs: config.commitIntervalMs,
      operations: config.commitOperations,
    },
    snapshotCount: config.snapshotCount,
    snapshotCatchUpEntries: config.snapshotCatchUpEntries,
    walsMax: config.walsMax,
    electionTimeoutMs: config.electionTimeoutMs,
    heartbeatMs: config.heartbeatMs,
    electionTickAdvance: config.electionTickAdvance,
    preVote: config.preVote,
    strictReconfig: config.strictReconfigCheck,
    learnersMax: config.learnersMax,
    compactStepRecords: config.compactionBatchLimit,
    compactRestMs: config.compactionSleepMs,
    retention: config.retention,
    keysOnlyWithLease: config.minorVersion < 7,
    rollbackProtection: config.rollbackProtection,
  };
}
