/**
 * Puts a member together and takes it apart: the only place that knows every floor. Used by the
 * program (main.ts) and by whoever embeds a member.
 */
import { openLmdbBackend } from "../backend/index.ts";
import { GRPC_OVERHEAD_BYTES } from "../base/index.ts";
import { formatId } from "../datadir/index.ts";
import { openGateway } from "../gateway/index.ts";
import { GrpcServer } from "../grpc/index.ts";
import { HTTP2_LIMITS_DEFAULT } from "../http2/index.ts";
import {
  type DirectoryLock,
  hostDisk,
  lockDirectory,
  systemClock,
  systemDigests,
  systemEntropy,
  systemTimers,
  withoutSync,
} from "../host/index.ts";
import { openMember, type SoloMember } from "../member/index.ts";
import { openRpc, type Rpc } from "../rpc/index.ts";
import type { Logger } from "../seam/index.ts";
import { advertised, bindClientPorts, type ClientPorts } from "./client-ports.ts";
import { ConfigError } from "./config-error.ts";
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
import { bindPeerPorts } from "./peer-ports.ts";
import { systemResolve } from "./same-urls.ts";
import { clusterVersionOf, HOLDFAST_VERSION, serverVersionOf } from "./versions.ts";

/** Calls under way get this long at a stop (FR-13); the whole stop stays under 5 s. */
const DRAIN_MS = 3_000;

export interface RunningMember {
  /** What is listened on, with real ports. */
  readonly clientUrls: readonly string[];
  readonly metricsUrls: readonly string[];
  /** Lowercase hex, as in `member list`. */
  readonly memberId: string;
  readonly clusterId: string;
  /** Settles with the error when the member cannot go on; it is to be closed then. */
  readonly failed: Promise<Error>;
  /** Answers what is under way, brings everything to the disk, lets go of directory and ports. */
  close(): Promise<void>;
}

export async function startMember(config: ServerConfig, logger: Logger): Promise<RunningMember> {
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
  refuseSeveral(config);
  await makeDataDirectory(config.dataDirectory);
  const lock: DirectoryLock = await lockDirectory(config.dataDirectory);
  undo.push(() => lock.release());
  const peerPorts = await bindPeerPorts(config, logger);
  undo.push(() => peerPorts.close());
  const ports = await bindClientPorts(config, logger);
  undo.push(() => ports.close());

  const failure = Promise.withResolvers<Error>();
  const onFatal = (error: Error) => failure.resolve(error);
  const member = await open(config, logger, ports.clientUrls, onFatal);
  undo.push(() => member.close());
  const { rpc, grpc } = serve(config, logger, member, ports);
  announce(ports.clientUrls, logger);
  return {
    clientUrls: ports.clientUrls,
    metricsUrls: ports.metricsUrls,
    memberId: formatId(member.id),
    clusterId: formatId(member.clusterId),
    failed: failure.promise,
    close: async () => {
      await ports.stopAccepting();
      rpc.drain();
      await drained(grpc);
      grpc.close();
      await ports.close();
      await member.close();
      await peerPorts.close();
      await lock.release();
    },
  };
}

/** Opens the doors: from here on clients are answered. */
function serve(
  config: ServerConfig,
  logger: Logger,
  member: SoloMember,
  { door, metricsDoor, gate, tls }: ClientPorts,
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
    ],
    variables: debugVariables,
  });
  door.open((connection) => grpc.serve(connection), gateway.handler);
  metricsDoor.open((connection) => connection.destroy(), gateway.metricsHandler);
  return { rpc, grpc };
}

/** The lines that tools wait for. */
function announce(clientUrls: readonly string[], logger: Logger): void {
  logger.info("ready to serve client requests");
  for (const url of clientUrls) {
    const how = url.startsWith("https") || url.startsWith("unixs") ? "securely" : "insecurely";
    logger.info(`serving client traffic ${how}`, { address: url });
  }
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

function refuseSeveral({ dataDirectory, initialCluster, initialClusterState }: ServerConfig): void {
  if (isFounded(dataDirectory)) return;
  if (initialCluster.length === 1 && initialClusterState === "new") return;
  throw new ConfigError(
    "clusters of more than one member are not available in this version of Holdfast " +
      "(--initial-cluster must name this member alone, --initial-cluster-state must be new)",
  );
}

function open(
  config: ServerConfig,
  logger: Logger,
  clientUrls: readonly string[],
  onFatal: (error: Error) => void,
): Promise<SoloMember> {
  return openMember({
    dataDirectory: config.dataDirectory,
    walDirectory: config.walDirectory,
    name: config.name,
    peerUrls: config.initialCluster.find(({ name }) => name === config.name)?.peerUrls ?? [],
    clientUrls: advertised(config.advertiseClientUrls, clientUrls),
    clusterToken: config.clusterToken,
    clusterVersion: clusterVersionOf(config.minorVersion),
    progressIntervalMs: config.watchProgressIntervalMs,
    settings: {
      quotaBytes: config.quotaBytes,
      requestBytesMax: config.requestBytesMax,
      snapshotCount: config.snapshotCount,
      walsMax: config.walsMax,
      electionTimeoutMs: config.electionTimeoutMs,
      heartbeatMs: config.heartbeatMs,
      compactStepRecords: config.compactionBatchLimit,
      compactRestMs: config.compactionSleepMs,
      retention: config.retention,
      keysOnlyWithLease: config.minorVersion < 7,
    },
    disk: config.unsafeNoFsync ? withoutSync(hostDisk) : hostDisk,
    clock: systemClock,
    timers: systemTimers,
    entropy: systemEntropy,
    digests: systemDigests,
    logger: logger.child("member"),
    openBackend: (directory) => openLmdbBackend({ directory }),
    onFatal,
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
