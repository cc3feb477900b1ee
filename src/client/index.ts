export {
  Client,
  type ClientOptions,
  type ClientSeams,
  type TlsOptions,
} from "./client.ts";
export type { Cluster, MemberListOptions } from "./cluster.ts";
export { ClientError, isRefusal } from "./error.ts";
export type { Kv } from "./kv.ts";
export type { GrantOptions, Lease, TimeToLiveOptions } from "./lease.ts";
export type { Maintenance, MemberClient } from "./maintenance.ts";
export type { Repeat, StreamMethod, UnaryMethod } from "./method.ts";
export { METHODS, STREAMS } from "./methods.ts";
export { connect } from "./node.ts";
export {
  compare,
  type Compare,
  op,
  type Op,
  type Relation,
  TxnBuilder,
  type TxnParts,
} from "./txn.ts";
export type * from "./types.ts";
export { CompactedError } from "./watch.ts";
export type { Watch, WatchBatch, WatchEvent, WatchOptions } from "./watch.ts";
export type { KeepAliveOptions, LeaseKeeper } from "./keep-alive.ts";
export type { Election, Leadership } from "./election.ts";
export type { Lock, LockOptions } from "./lock.ts";
export type { Session, SessionOptions } from "./session.ts";
export type { WaitOptions } from "./contender.ts";
