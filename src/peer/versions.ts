/** Whom a member may speak to: versions, cluster and names in the headers (PE-39, surface 15.2). */
import type { HttpHeaders } from "../seam/index.ts";

/** Members before it are not understood, and do not understand us. */
export const MIN_CLUSTER_VERSION = "3.0.0";
/** What a member that does not say is taken for. */
const UNSAID_VERSION = "2.0.0";

/** Newest minor version that is known to speak both kinds of stream, by major version. */
const STREAMS_MINOR_MAX: Readonly<Record<number, number>> = { 2: 3, 3: 7 };
/** The first one: 2.1. */
const STREAMS_FROM = [2, 1] as const;

export const HEADER = {
  clusterId: "x-etcd-cluster-id",
  from: "x-server-from",
  serverVersion: "x-server-version",
  minClusterVersion: "x-min-cluster-version",
  raftTo: "x-raft-to",
  peerUrls: "x-peerurls",
  /** Ours: shown by members that can go on with a snapshot that broke off. */
  holdfastVersion: "x-holdfast-version",
  snapshotOffset: "x-holdfast-offset",
  snapshotSha256: "x-holdfast-sha256",
  /** What a member takes beside a bbolt file; what a snapshot is when it is none. */
  snapshotsTaken: "x-holdfast-snapshots",
  snapshotFormat: "x-holdfast-format",
} as const;

/** A store's own file (datadir/store-image.ts). Another number when it or the records change. */
export const STORE_FORMAT = "store-1";

export function takesStores(headers: HttpHeaders): boolean {
  return headers[HEADER.snapshotsTaken] === STORE_FORMAT;
}

/** `[major, minor, patch]`; undefined when it is no version. */
export function parseVersion(text: string): readonly [number, number, number] | undefined {
  const match = /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:[-+].*)?$/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])];
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let at = 0; at < b.length; at += 1) {
    const difference = (a[at] as number) - (b[at] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Whether the two ends fit each other: each server is at least what the other one asks for. */
export function areCompatible(headers: HttpHeaders, serverVersion: string): boolean {
  const theirs = parseVersion(headers[HEADER.serverVersion] ?? UNSAID_VERSION);
  const theirMin = parseVersion(headers[HEADER.minClusterVersion] ?? UNSAID_VERSION);
  const ours = parseVersion(serverVersion);
  const ourMin = parseVersion(MIN_CLUSTER_VERSION);
  if (!theirs || !theirMin || !ours || !ourMin) return false;
  return compare(theirs, ourMin) >= 0 && compare(ours, theirMin) >= 0;
}

/** Whether a member that answered a dial speaks our streams: older ones must be known to. */
export function speaksStreams(headers: HttpHeaders, serverVersion: string): boolean {
  const theirs = parseVersion(headers[HEADER.serverVersion] ?? UNSAID_VERSION);
  const ours = parseVersion(serverVersion);
  if (!theirs || !ours) return false;
  if (compare(theirs, ours.slice(0, 2)) >= 0) return true;
  const minorMax = STREAMS_MINOR_MAX[theirs[0]];
  return compare(theirs, STREAMS_FROM) >= 0 && minorMax !== undefined && theirs[1] <= minorMax;
}

/** An id in a header or a path: lowercase hex in practice; 0n when it is none. */
export function parseId(text: string | undefined): bigint {
  return text !== undefined && /^[0-9a-fA-F]{1,16}$/.test(text) ? BigInt(`0x${text}`) : 0n;
}
