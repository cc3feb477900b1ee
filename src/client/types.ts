/**
 * What a user of the client library hands in and gets back. Field names are etcd's in camelCase;
 * ids of leases, members and clusters are bigint (0n = none), revisions, terms, indexes and counts
 * are numbers, durations carry their unit.
 */
import type { ResponseHeader } from "../wire/index.ts";

export type { ResponseHeader };

/** A key or value: text is taken as UTF-8, bytes as they are (read before the call returns). */
export type Bytes = string | Uint8Array;

/** What every call takes. */
export interface CallOptions {
  /** Ends the call with "context canceled" when aborted; the server is told. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds that the call may take, retries and waiting for a connection included, then it
   * fails with DEADLINE_EXCEEDED. Missing: the client's `timeoutMs`. Infinity: none.
   */
  readonly timeoutMs?: number | undefined;
  /** Only this endpoint is asked; it need not be among the client's. */
  readonly endpoint?: string | undefined;
  /** Refused at once by a member that knows of no leader (FR-21). */
  readonly requireLeader?: boolean | undefined;
  /**
   * A write that may be sent again although it may have been carried out, because it does nothing
   * the second time: it is then retried like a read.
   */
  readonly isRepeatable?: boolean | undefined;
  /**
   * Fails with UNAVAILABLE as soon as no endpoint could be connected to, instead of trying until
   * `timeoutMs`.
   */
  readonly failFast?: boolean | undefined;
}

/** `Buffer`s in an answer are views of the message that came; copy one to keep it for long. */
export interface KeyValue {
  readonly key: Buffer;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly value: Buffer;
  readonly lease: bigint;
}

/** Which keys: one of the three, or none for `key` alone. */
export interface KeySpan {
  /** All keys from `key` up to this one, which is left out. */
  readonly rangeEnd?: Bytes | undefined;
  /** All keys that begin with `key`; with an empty key all keys. */
  readonly prefix?: boolean | undefined;
  /** All keys from `key` on. */
  readonly fromKey?: boolean | undefined;
}

export interface GetRequest extends KeySpan {
  /** Most pairs returned; 0 = all. */
  readonly limit?: number | undefined;
  /** The store as it was at this revision; 0 = now. */
  readonly revision?: number | undefined;
  /** True: answered by the member asked from what it has, which may be old. */
  readonly serializable?: boolean | undefined;
  readonly sortOrder?: "none" | "ascend" | "descend" | undefined;
  readonly sortTarget?: "key" | "version" | "create" | "mod" | "value" | undefined;
  readonly keysOnly?: boolean | undefined;
  readonly countOnly?: boolean | undefined;
  readonly minModRevision?: number | undefined;
  readonly maxModRevision?: number | undefined;
  readonly minCreateRevision?: number | undefined;
  readonly maxCreateRevision?: number | undefined;
}

export interface PutRequest {
  readonly lease?: bigint | undefined;
  readonly prevKv?: boolean | undefined;
  /** Keeps the value that is there; the value given must be empty. */
  readonly ignoreValue?: boolean | undefined;
  /** Keeps the lease that is there. */
  readonly ignoreLease?: boolean | undefined;
}

export interface DeleteRequest extends KeySpan {
  readonly prevKv?: boolean | undefined;
}

export interface GetOptions extends GetRequest, CallOptions {}
export interface PutOptions extends PutRequest, CallOptions {}
export interface DeleteOptions extends DeleteRequest, CallOptions {}
export interface CompactOptions extends CallOptions {
  /** Answers when the revisions are gone from the store's file as well. */
  readonly physical?: boolean | undefined;
}

export interface RangeResponse {
  readonly header: ResponseHeader;
  readonly kvs: readonly KeyValue[];
  /** There are more pairs than `limit`. */
  readonly more: boolean;
  /** All that match, whatever `limit` is. */
  readonly count: number;
}

export interface PutResponse {
  readonly header: ResponseHeader;
  readonly prevKv: KeyValue | undefined;
}

export interface DeleteResponse {
  readonly header: ResponseHeader;
  readonly deleted: number;
  readonly prevKvs: readonly KeyValue[];
}

/** Header alone: compact, revoke. */
export interface HeaderResponse {
  readonly header: ResponseHeader;
}

/** Answers of a transaction's operations in their order; their headers hold only the revision. */
export type TxnResult =
  | { readonly kind: "range"; readonly range: RangeResponse }
  | { readonly kind: "put"; readonly put: PutResponse }
  | { readonly kind: "deleteRange"; readonly deleteRange: DeleteResponse }
  | { readonly kind: "txn"; readonly txn: TxnResponse };

export interface TxnResponse {
  readonly header: ResponseHeader;
  /** Whether the compares held, so that the `then` operations ran. */
  readonly succeeded: boolean;
  readonly responses: readonly TxnResult[];
}

export interface LeaseGrantResponse {
  readonly header: ResponseHeader;
  readonly id: bigint;
  /** What the server made of the wish. */
  readonly ttlSeconds: number;
}

export interface LeaseKeepAliveResponse {
  readonly header: ResponseHeader;
  readonly id: bigint;
  /** 0 = the lease is unknown or has expired. */
  readonly ttlSeconds: number;
}

export interface LeaseTimeToLiveResponse {
  readonly header: ResponseHeader;
  readonly id: bigint;
  /** Seconds left; -1 = the lease is unknown. */
  readonly ttlSeconds: number;
  readonly grantedTtlSeconds: number;
  /** Keys attached, when they were asked for. */
  readonly keys: readonly Buffer[];
}

export interface LeaseLeasesResponse {
  readonly header: ResponseHeader;
  readonly leases: readonly bigint[];
}

export interface ClusterMember {
  readonly id: bigint;
  /** "" = the member was never started. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

/** Of list, remove, update and promote. */
export interface MemberListResponse {
  readonly header: ResponseHeader;
  readonly members: readonly ClusterMember[];
}

export interface MemberAddResponse extends MemberListResponse {
  readonly member: ClusterMember;
}

/** `time_travel` is raised by Holdfast alone: the member lost what it had promised. */
export type AlarmKind = "none" | "nospace" | "corrupt" | "time_travel";

export interface MemberAlarm {
  readonly memberId: bigint;
  readonly alarm: AlarmKind;
}

export interface AlarmResponse {
  readonly header: ResponseHeader;
  readonly alarms: readonly MemberAlarm[];
}

export interface StatusResponse {
  readonly header: ResponseHeader;
  readonly version: string;
  readonly dbSizeBytes: number;
  readonly dbSizeInUseBytes: number;
  /** 0 where the server does not say. */
  readonly dbSizeQuotaBytes: number;
  /** 0n = no leader is known. */
  readonly leader: bigint;
  readonly raftIndex: number;
  readonly raftTerm: number;
  readonly raftAppliedIndex: number;
  readonly errors: readonly string[];
  readonly isLearner: boolean;
  /** "" where the server does not say, as the next two. */
  readonly storageVersion: string;
  readonly downgradeEnabled: boolean;
  readonly downgradeTargetVersion: string;
}

export interface HashResponse {
  readonly header: ResponseHeader;
  readonly hash: number;
}

export interface HashKvResponse extends HashResponse {
  readonly compactRevision: number;
  /** 0 where the server does not say. */
  readonly hashRevision: number;
}

/** Servers answer with or without a header here (FR-28). */
export interface MaybeHeaderResponse {
  readonly header: ResponseHeader | undefined;
}

export interface DowngradeResponse {
  readonly header: ResponseHeader;
  /** The cluster's version now, "X.Y". */
  readonly version: string;
}

export interface SnapshotChunk {
  /** Undefined where the server leaves it out. */
  readonly header: ResponseHeader | undefined;
  readonly remainingBytes: number;
  readonly blob: Buffer;
  /** Storage version, "" where the server does not say. */
  readonly version: string;
}

export type HealthStatus = "unknown" | "serving" | "notServing" | "serviceUnknown";

/** A bidirectional or server stream. Reading and cancelling are the caller's. */
export interface Duplex<Q, R> extends AsyncIterableIterator<R> {
  readonly endpoint: string;
  /** Sends one message; resolves when more may be sent. Rejects when the stream is over. */
  send(request: Q): Promise<void>;
  /** No more messages from this side. */
  halfClose(): void;
  /** Ends the stream; a reader that waits is told "context canceled". */
  cancel(): void;
}
