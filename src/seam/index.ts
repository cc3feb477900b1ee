export type { Digest, Digests } from "./digest.ts";
export type { Disk, DiskSpaceFound, OpenFile } from "./disk.ts";
export type { Entropy } from "./entropy.ts";
export type { HttpHandler, HttpRequest, HttpResponse } from "./http.ts";
export type {
  HttpBody,
  HttpBodyEvents,
  HttpClient,
  HttpClientRequest,
  HttpClientResponse,
  HttpHeaders,
  HttpStreamEvents,
  HttpStreamHandler,
  HttpStreamRequest,
  HttpStreamResponse,
} from "./http-stream.ts";
export type { LogFields, Logger, LogLevel } from "./log.ts";
export type { Connection, ConnectionEvents, Listener, PeerInfo } from "./net.ts";
export type { Clock, Timer, Timers } from "./time.ts";
export type {
  LeaseAnswer,
  LostMember,
  PeerHandler,
  PeerHash,
  PeerMeasures,
  PeerMember,
  PeerNetwork,
  PeerVersions,
  Receipt,
  SnapshotArrival,
  SnapshotFormat,
  SnapshotImage,
} from "./peers.ts";
