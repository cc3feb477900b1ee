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
  ConnectionGate,
  connectionsMaxOf,
  descriptorLimit,
  type DirectoryLock,
  failureOf,
  HostError,
  hostDisk,
  keepSelfSigned,
  listen,
  type ListenOptions,
  lockDirectory,
  systemClock,
  systemDigests,
  systemEntropy,
  systemTimers,
  TlsMaterial,
  withoutSync,
} from "../host/index.ts";
import { openMember, type SoloMember } from "../member/index.ts";
import { openRpc, type Rpc } from "../rpc/index.ts";
import type { Listener, Logger } from "../seam/index.ts";
import type { ServerConfig } from "./config.ts";
import { FrontDoor } from "./front-door.ts";
import {
  connectionMetrics,
  debugVariables,
  hostMetrics,
  requestMetrics,
  tlsMetrics,
  transportMetrics,
} from "./host-metrics.ts";
import { clusterVersionOf, HOLDFAST_VERSION, serverVersionOf } from "./versions.ts";

/** Calls under way get this long at a stop (FR-13); the whole stop stays under 5 s. */
const DRAIN_MS = 3_000;

/** What was written last gets this long to leave before connections are cut. */
const LAST_BYTES_MS = 500;

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
  await makeDataDirectory(config.dataDirectory);
  const lock: DirectoryLock = await lockDirectory(config.dataDirectory);
  undo.push(() => lock.release());
  const ports = await bindPorts(config, logger);
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
      await lock.release();
    },
  };
}

/** What is bound, with the doors behind which it waits for the member. */
interface Ports {
  readonly door: FrontDoor;
  readonly metricsDoor: FrontDoor;
  readonly gate: ConnectionGate;
  readonly clientUrls: readonly string[];
  readonly metricsUrls: readonly string[];
  readonly tls: TlsMaterial | undefined;
  stopAccepting(): Promise<void>;
  /** Ends connections too. */
  close(): Promise<void>;
}

async function bindPorts(config: ServerConfig, logger: Logger): Promise<Ports> {
  const gate = new ConnectionGate(connectionsMaxOf(descriptorLimit()), logger);
  const tls = await clientTls(config, logger);
  const door = new FrontDoor();
  const metricsDoor = new FrontDoor();
  const { listenClientUrls, listenClientHttpUrls, listenMetricsUrls, reusePort } = config;
  const listeners: Listener[] = [];
  const bind = async (
    urls: readonly string[],
    doors: Pick<ListenOptions, "onConnection" | "http">,
  ): Promise<string[]> => {
    const bound = await listen({ urls, gate, logger, reusePort, ...(tls && { tls }), ...doors });
    listeners.push(...bound);
    return bound.map((listener) => listener.url);
  };
  const stopAccepting = async (): Promise<void> => {
    await Promise.all(listeners.splice(0).map((listener) => listener.close()));
  };
  const close = async (): Promise<void> => {
    await stopAccepting();
    await gate.emptied(LAST_BYTES_MS);
    gate.destroyAll();
  };
  try {
    const { onConnection, http } = door;
    const hasOwnHttp = listenClientHttpUrls.length > 0;
    const clientUrls = await bind(
      listenClientUrls,
      hasOwnHttp ? { onConnection } : { onConnection, http },
    );
    await bind(listenClientHttpUrls, { http });
    const metricsUrls = await bind(listenMetricsUrls, { http: metricsDoor.http });
    return { door, metricsDoor, gate, clientUrls, metricsUrls, tls, stopAccepting, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Opens the doors: from here on clients are answered. */
function serve(
  config: ServerConfig,
  logger: Logger,
  member: SoloMember,
  { door, metricsDoor, gate, tls }: Ports,
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

async function makeDataDirectory(path: string): Promise<void> {
  try {
    await hostDisk.makeDirectory(path, 0o700);
  } catch (error) {
    const code = failureOf(error);
    const advice = ADVICE[code];
    const reason = advice === undefined ? code : `${code}; ${advice}`;
    throw new HostError(`data directory ${path} cannot be made: ${reason}`, error);
  }
}

/** By the code of the system's refusal. */
const ADVICE: Readonly<Record<string, string>> = {
  EACCES: "give this user the right to write in the directory above, or choose another --data-dir",
  EPERM: "give this user the right to write in the directory above, or choose another --data-dir",
  EROFS: "the file system is mounted read-only: mount it for writing, or choose another --data-dir",
  ENOENT: "the directory above is missing or takes no directories: choose another --data-dir",
  ENOTDIR: "a file stands where a directory above should: choose another --data-dir",
  EEXIST: "a file has that name: move it away, or choose another --data-dir",
  ENOSPC: "make room on the disk, or choose another --data-dir",
};

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

async function clientTls(config: ServerConfig, logger: Logger): Promise<TlsMaterial | undefined> {
  if (config.clientTls !== undefined) return TlsMaterial.load(config.clientTls, logger);
  if (!config.clientAutoTls) return undefined;
  const files = await keepSelfSigned(`${config.dataDirectory}/fixtures/client`, {
    hosts: config.listenClientUrls.map((url) => new URL(url).hostname),
    validYears: config.selfSignedValidityYears,
    now: new Date(systemClock.wallMs()),
  });
  return TlsMaterial.load({ certFile: files.certFile, keyFile: files.keyFile }, logger);
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
    peerUrls: config.peerUrls,
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

/** What clients are told: with the real port where port 0 asked for any. */
export function advertised(
  urls: readonly string[] | undefined,
  bound: readonly string[],
): readonly string[] {
  if (urls === undefined) return bound;
  return urls.map((url, position) => {
    const isHttp = /^https?:/.test(url);
    const like = [bound[position] ?? "", ...bound].find(
      (other) => other.split(":")[0] === url.split(":")[0],
    );
    const port = /:(\d+)\/?$/.exec(like ?? "")?.[1];
    return isHttp && port !== undefined ? url.replace(/:0(\/?)$/, `:${port}$1`) : url;
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
