/**
 * Puts a member together and takes it apart: the only place that knows every floor. Used by the
 * program (main.ts) and by whoever embeds a member.
 */
import { BackupService, ThreadImageReader } from "../backup/index.ts";
import { GRPC_OVERHEAD_BYTES } from "../base/index.ts";
import { formatId } from "../datadir/index.ts";
import { openGateway, peerMetrics } from "../gateway/index.ts";
import { GrpcServer } from "../grpc/index.ts";
import { HTTP2_LIMITS_DEFAULT } from "../http2/index.ts";
import {
  hostDisk,
  lockDirectory,
  systemClock,
  systemDigests,
  systemTimers,
} from "../host/index.ts";
import { openMember, type RaftMember } from "../member/index.ts";
import type { Peers } from "../peer/index.ts";
import { openRpc, type Rpc } from "../rpc/index.ts";
import type { Logger } from "../seam/index.ts";
import { announce, announceVersion } from "./announcement.ts";
import { backupMetrics } from "./backup-metrics.ts";
import { bindClientPorts, type ClientPorts } from "./client-ports.ts";
import type { ServerConfig } from "./config.ts";
import { makeDataDirectory } from "./data-path.ts";
import { checkInitialCluster, isFounded } from "./founding.ts";
import type { FrontDoor } from "./front-door.ts";
import {
  connectionMetrics,
  debugVariables,
  hostMetrics,
  requestMetrics,
  tlsMetrics,
  transportMetrics,
} from "./host-metrics.ts";
import { restoreInitially } from "./initial-restore.ts";
import { memberOptions } from "./member-options.ts";
import { bindPeerPorts } from "./peer-ports.ts";
import { systemResolve } from "./same-urls.ts";
import { HOLDFAST_VERSION, serverVersionOf } from "./versions.ts";

/** Calls under way get this long at a stop (FR-13); the whole stop stays under 5 s. */
const DRAIN_MS = 3_000;

/** The cluster has removed this member: nothing is wrong here, and nothing is left to do. */
export class MemberRemoved extends Error {
  constructor() {
    super("the member has been permanently removed from the cluster");
    this.name = "MemberRemoved";
  }
}

/**
 * The disk of this member went back in time, and the cluster has a place for it under a new id: it
 * is to be closed and started again with the same configuration.
 */
export class MemberReplaced extends Error {
  constructor() {
    super("the member comes back under a new id");
    this.name = "MemberReplaced";
  }
}

export interface RunningMember {
  /** What is listened on, with real ports. */
  readonly clientUrls: readonly string[];
  readonly metricsUrls: readonly string[];
  /** Lowercase hex, as in `member list`. */
  readonly memberId: string;
  readonly clusterId: string;
  /** Settles when clients are answered: in a cluster, once it has a leader. */
  readonly serving: Promise<void>;
  /** Settles with the error when the member cannot go on; it is to be closed then. */
  readonly failed: Promise<Error>;
  /** Answers what is under way, brings everything to the disk, lets go of directory and ports. */
  close(): Promise<void>;
}

/**
 * Settles when the member runs, with or without the rest of its cluster. `failed` may settle with
 * MemberReplaced: running-member.ts starts it again then.
 */
export async function startOnce(config: ServerConfig, logger: Logger): Promise<RunningMember> {
  const undo: (() => Promise<void>)[] = [];
  try {
    return await start(config, logger, undo);
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

async function start(
  config: ServerConfig,
  logger: Logger,
  undo: (() => Promise<void>)[],
): Promise<RunningMember> {
  if (!isFounded(config.dataDirectory)) await checkInitialCluster(config, systemResolve);
  await makeDataDirectory(config.dataDirectory);
  const lock = await lockDirectory(config.dataDirectory);
  undo.push(() => lock.release());
  await restoreInitially(config, logger);
  const peerPorts = await bindPeerPorts(config, logger);
  undo.push(() => peerPorts.close());
  const ports = await bindClientPorts(config, logger);
  undo.push(() => ports.close());

  const failure = Promise.withResolvers<Error>();
  const { options, network } = memberOptions(
    config,
    logger,
    { clients: ports, peers: peerPorts },
    {
      onFatal: failure.resolve,
      onReplaced: () => failure.resolve(new MemberReplaced()),
      onRemoved: () => failure.resolve(new MemberRemoved()),
    },
  );
  const member = await openMember(options);
  if (network.peers !== undefined) peerPorts.open(network.peers.handle);
  const backups = startBackups(config, logger, member);
  const { rpc, grpc } = serve(config, logger, member, ports, { peers: network.peers, backups });
  const version = announceVersion(member, systemTimers, logger);
  return {
    clientUrls: ports.clientUrls,
    metricsUrls: ports.metricsUrls,
    memberId: formatId(member.id),
    clusterId: formatId(member.clusterId),
    serving: member.introduced.then(() => {
      ports.door.open((connection) => grpc.serve(connection));
      announce(ports.clientUrls, logger);
    }),
    failed: failure.promise,
    close: async () => {
      // While clients are still served, so that their writes go on through the next leader.
      await member.stepAside();
      await ports.stopAccepting();
      rpc.drain();
      await drained(grpc);
      grpc.close();
      await ports.close();
      await backups?.close();
      await member.close();
      version.close();
      await peerPorts.close();
      await lock.release();
    },
  };
}

function startBackups(
  config: ServerConfig,
  logger: Logger,
  member: RaftMember,
): BackupService | undefined {
  if (config.backup === undefined) return undefined;
  return new BackupService({
    source: member,
    settings: config.backup,
    disk: hostDisk,
    digests: systemDigests,
    clock: systemClock,
    timers: systemTimers,
    logger: logger.child("backup"),
    openReader: (path) => Promise.resolve(new ThreadImageReader(path)),
  });
}

/** The pages about health and metrics are answered from here on. */
function serve(
  config: ServerConfig,
  logger: Logger,
  member: RaftMember,
  { door, metricsDoor, gate, tls }: ClientPorts,
  { peers, backups }: { peers: Peers | undefined; backups: BackupService | undefined },
): { rpc: Rpc; grpc: GrpcServer } {
  const { minorVersion, txnOpsMax, requestBytesMax } = config;
  const serverVersion = serverVersionOf(minorVersion);
  const rpc = openRpc({
    member,
    timers: systemTimers,
    logger: logger.child("rpc"),
    txnOpsMax,
    requestBytesMax,
    serverVersion,
    keysOnlyWithLease: minorVersion < 7,
    electionTimeoutMs: config.electionTimeoutMs,
  });
  const hasOwnHttp = config.listenClientHttpUrls.length > 0;
  const grpc = serveGrpc(config, logger, rpc, hasOwnHttp ? undefined : door.http);
  const gateway = openGateway({
    member,
    timers: systemTimers,
    serverVersion,
    minorVersion,
    holdfastVersion: HOLDFAST_VERSION,
    metrics: [
      ...hostMetrics(),
      ...transportMetrics(grpc.stats),
      ...requestMetrics(rpc),
      ...connectionMetrics(gate),
      ...tlsMetrics(tls),
      ...peerMetrics(member.id, () => peers?.measures() ?? []),
      ...backupMetrics(backups?.measures),
    ],
    variables: debugVariables,
  });
  door.answer(gateway.handler);
  metricsDoor.answer(gateway.metricsHandler);
  metricsDoor.open((connection) => connection.destroy());
  return { rpc, grpc };
}

/** Settles when every call has ended, or when they had their time. */
function drained(grpc: GrpcServer): Promise<void> {
  return new Promise((resolve) => {
    const timer = systemTimers.after(DRAIN_MS, resolve);
    grpc.drain(() => {
      timer.cancel();
      resolve();
    });
  });
}

function serveGrpc(
  config: ServerConfig,
  logger: Logger,
  rpc: Rpc,
  http: FrontDoor["http"] | undefined,
): GrpcServer {
  return new GrpcServer({
    methods: rpc.methods,
    clock: systemClock,
    timers: systemTimers,
    logger: logger.child("grpc"),
    ...(http === undefined ? {} : { onHttpRequest: http }),
    limits: {
      receiveMessageBytesMax: config.requestBytesMax + GRPC_OVERHEAD_BYTES,
      http2: {
        ...HTTP2_LIMITS_DEFAULT,
        concurrentStreamsMax: Math.min(
          config.concurrentStreamsMax,
          HTTP2_LIMITS_DEFAULT.concurrentStreamsMax,
        ),
      },
    },
    keepalive: {
      minTimeMs: config.keepaliveMinTimeMs,
      timeMs: config.keepaliveIntervalMs,
      timeoutMs: config.keepaliveTimeoutMs,
    },
  });
}
