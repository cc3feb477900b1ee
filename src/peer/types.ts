/** What the room is made with, and what it hands out. */
import type {
  Clock,
  Digests,
  HttpClient,
  HttpStreamHandler,
  Logger,
  PeerHandler,
  PeerMeasures,
  PeerNetwork,
  Timers,
} from "../seam/index.ts";

export interface PeerOptions {
  readonly handler: PeerHandler;
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly digests: Digests;
  readonly logger: Logger;
  /** What members of etcd take us for: "3.7.1". */
  readonly serverVersion: string;
  /** What members of our own kind know us by. */
  readonly holdfastVersion: string;
  /** Those that this member advertises. */
  readonly peerUrls: readonly string[];
  /** Connecting may take 1 s longer than this (PE-35). */
  readonly electionTimeoutMs: number;
  /** Silence on a stream that ends it; a third of it is the period of link heartbeats (PE-34). */
  readonly readTimeoutMs?: number;
  /** A stream that takes no byte for this long is ended. */
  readonly writeTimeoutMs?: number;
}

export interface Peers {
  readonly network: PeerNetwork;
  /** For all requests on the peer URLs. */
  readonly handle: HttpStreamHandler;
  /** Of all members that are known now. */
  measures(): PeerMeasures[];
}
