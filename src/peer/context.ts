/** What the parts of the room share: its options with their defaults, and the common headers. */
import { formatId } from "../datadir/index.ts";
import type { HttpHeaders } from "../seam/index.ts";
import { DIAL_TIMEOUT_MS, QUESTION_MS, READ_TIMEOUT_MS, WRITE_TIMEOUT_MS } from "./limits.ts";
import type { PeerOptions } from "./types.ts";
import { HEADER, MIN_CLUSTER_VERSION, STORE_FORMAT } from "./versions.ts";

export interface Context extends PeerOptions {
  readonly readTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly dialTimeoutMs: number;
  readonly questionTimeoutMs: number;
}

export function makeContext(options: PeerOptions): Context {
  return {
    ...options,
    logger: options.logger.child("peer"),
    readTimeoutMs: options.readTimeoutMs ?? READ_TIMEOUT_MS,
    writeTimeoutMs: options.writeTimeoutMs ?? WRITE_TIMEOUT_MS,
    dialTimeoutMs: DIAL_TIMEOUT_MS + options.electionTimeoutMs,
    questionTimeoutMs: QUESTION_MS + 2 * options.electionTimeoutMs,
  };
}

/** Of every request to a peer (surface 15.2). */
export function requestHeaders(context: Context): Record<string, string> {
  const { handler, serverVersion, holdfastVersion, peerUrls } = context;
  return {
    [HEADER.from]: formatId(handler.id),
    [HEADER.serverVersion]: serverVersion,
    [HEADER.minClusterVersion]: MIN_CLUSTER_VERSION,
    [HEADER.clusterId]: formatId(handler.clusterId),
    [HEADER.peerUrls]: peerUrls.join(","),
    [HEADER.holdfastVersion]: holdfastVersion,
    [HEADER.snapshotsTaken]: STORE_FORMAT,
  };
}

/** Of every answer to one. */
export function answerHeaders(context: Context): HttpHeaders {
  const { handler, serverVersion, holdfastVersion } = context;
  return {
    [HEADER.serverVersion]: serverVersion,
    [HEADER.minClusterVersion]: MIN_CLUSTER_VERSION,
    [HEADER.clusterId]: formatId(handler.clusterId),
    [HEADER.holdfastVersion]: holdfastVersion,
    [HEADER.snapshotsTaken]: STORE_FORMAT,
  };
}

/** `code` of a failed system call, or the message of anything else. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: string };
  return typeof code === "string" ? code : (message ?? String(error));
}

/** Nothing listens there: the host has answered so itself. */
export function isRefused(error: unknown): boolean {
  const reason = reasonOf(error);
  return reason === "ECONNREFUSED" || reason === "ENOENT";
}
