export * from "./alarm.ts";
export { decodeMessage, encodeMessage } from "./cold.ts";
export * from "./cold-schemas.ts";
export type { Fields, MessageInit, MessageShape, Schema } from "./schema.ts";
export {
  decodeHeader,
  decodeHeaderOf,
  encodeHeader,
  encodeHeaderField,
  encodeInnerHeaderField,
  sizeHeader,
  sizeHeaderField,
} from "./header.ts";
export {
  decodeRaftRequest,
  encodeRaftRequest,
  marshalRaftRequest,
  readRaftRequestHeader,
} from "./internal-raft.ts";
export {
  decodeKeyValue,
  encodeKeyValue,
  keyValueCreateRevision,
  keyValueKey,
  keyValueLease,
  keyValueModRevision,
  keyValueValue,
  keyValueVersion,
  marshalKeyValue,
  sizeKeyValue,
} from "./key-value.ts";
export {
  decodeCompactionRequest,
  decodeDeleteRangeRequest,
  decodeDeleteRangeResponse,
  decodePutRequest,
  decodePutResponse,
  decodeRangeRequest,
  emptyDeleteRangeRequest,
  emptyPutRequest,
  emptyRangeRequest,
  encodeCompactionRequest,
  encodeCompactionResponse,
  encodeDeleteRangeRequest,
  encodeDeleteRangeResponse,
  encodePutRequest,
  encodePutResponse,
  encodeRangeRequest,
  sizePutRequest,
} from "./kv.ts";
export {
  decodeLeaseGrantRequest,
  decodeLeaseGrantResponse,
  decodeLeaseKeepAliveRequest,
  decodeLeaseKeepAliveResponse,
  decodeLeaseRecord,
  decodeLeaseRevokeRequest,
  encodeLeaseGrantRequest,
  encodeLeaseGrantResponse,
  encodeLeaseKeepAliveRequest,
  encodeLeaseKeepAliveResponse,
  encodeLeaseRecord,
  encodeLeaseRevokeRequest,
  encodeLeaseRevokeResponse,
} from "./lease.ts";
export { marshal } from "./marshal.ts";
export * from "./messages.ts";
export {
  decodeConfChange,
  decodeConfChangeV2,
  decodeConfState,
  decodeEntry,
  decodeHardState,
  decodeRaftMessage,
  decodeSnapshot,
  decodeSnapshotMetadata,
  emptyConfState,
  emptyRaftMessage,
  encodeConfChange,
  encodeConfChangeV2,
  encodeConfState,
  encodeEntry,
  encodeHardState,
  encodeRaftMessage,
  encodeSnapshot,
  encodeSnapshotMetadata,
  sizeEntry,
} from "./raft.ts";
export {
  decodeRangeResponse,
  decodeRangeStreamResponse,
  encodePairFrame,
  encodeRangeHead,
  encodeRangeResponse,
  encodeRangeStreamResponse,
  encodeRangeTail,
  sizeFramedPair,
  sizeFramedPairs,
  sizeRangeResponse,
  sizeRangeTail,
} from "./range-response.ts";
export {
  decodeTxnRequest,
  decodeTxnResponse,
  emptyTxnRequest,
  encodeTxnRequest,
  encodeTxnResponse,
  sizeTxnResponseBody,
} from "./txn.ts";
export {
  decodeWatchRequest,
  decodeWatchResponse,
  encodeEventField,
  encodeEvents,
  encodeWatchRequest,
  encodeWatchResponse,
  encodeWatchResponseHead,
  sizeEventField,
  sizeWatchResponseHead,
} from "./watch.ts";
export {
  decodeStateDigest,
  encodeStateDigest,
  readStamp,
  STAMP_BYTES,
  type StateDigest,
  stampEntry,
} from "./state-digest.ts";
export {
  decodePeerNote,
  encodePeerNote,
  type Floor,
  type Life,
  type MemberEpoch,
  type PeerNote,
} from "./peer-note.ts";
