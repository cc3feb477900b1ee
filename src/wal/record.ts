/**
 * The records of etcd's write-ahead log and what they hold (surface WL-02, WL-03, WL-05).
 *
 * Shape: frame = 8-byte little-endian length word ‖ record ‖ zero bytes up to a multiple of 8.
 *   Length word = record bytes; with padding, the top byte is 0x80 | padding bytes.
 *   Record = protobuf {type 1, crc 2, data 3}; type and crc are always written.
 * Go's proto2 encoder writes scalars even when they are zero; so do the encoders here, byte for
 * byte.
 */
import { ByteReader, type ByteWriter, MalformedError } from "../base/index.ts";
import {
  type ConfState,
  decodeConfState,
  encodeConfState,
  encodeHardState,
  type Entry,
  EntryType,
  type HardState,
  marshal,
} from "../wire/index.ts";

export const RecordType = { METADATA: 1, ENTRY: 2, STATE: 3, CRC: 4, SNAPSHOT: 5 } as const;

export const FRAME_BYTES = 8;
/** What a torn write leaves whole: a disk sector is written or not. */
export const SECTOR_BYTES = 512;

/** etcdserverpb.Metadata: who writes this log. */
export interface WalMetadata {
  readonly nodeId: bigint;
  readonly clusterId: bigint;
}

/** walpb.Snapshot: the store held everything up to here when this was written. */
export interface WalSnapshot {
  readonly index: number;
  readonly term: number;
  /** Missing in logs of etcd before 3.5. */
  readonly confState?: ConfState | undefined;
}

export function marshalMetadata(metadata: WalMetadata): Buffer {
  return marshal(encodeMetadata, metadata);
}

function encodeMetadata(writer: ByteWriter, metadata: WalMetadata): void {
  writer.byte(0x08); // 1 NodeID
  writer.big(metadata.nodeId);
  writer.byte(0x10); // 2 ClusterID
  writer.big(metadata.clusterId);
}

export function marshalHardState(state: HardState): Buffer {
  return marshal(encodeHardState, state);
}

export function marshalSnapshot(snapshot: WalSnapshot): Buffer {
  return marshal(encodeWalSnapshot, snapshot);
}

function encodeWalSnapshot(writer: ByteWriter, snapshot: WalSnapshot): void {
  writer.byte(0x08); // 1 index
  writer.uint(snapshot.index);
  writer.byte(0x10); // 2 term
  writer.uint(snapshot.term);
  if (snapshot.confState === undefined) return;
  writer.byte(0x1a); // 3 conf_state
  const mark = writer.beginMessage();
  encodeConfState(writer, snapshot.confState);
  writer.endMessage(mark);
}

/*
 * The crc does not cover a record's type. So the decoders take no field that is not the message's
 * own: the bytes of one type are then not taken for another's. They give undefined for such bytes.
 */

/** `data` of the result is a view of `bytes`. */
export function readEntry(bytes: Buffer, lo: number, hi: number): Entry | undefined {
  const entry: Entry = { type: 0, term: 0, index: 0, data: EMPTY };
  const isRead = readFields(new ByteReader(bytes, lo, hi), (tag, reader) => {
    if (tag === 0x08) entry.type = reader.uint();
    else if (tag === 0x10) entry.term = reader.uint();
    else if (tag === 0x18) entry.index = reader.uint();
    else if (tag === 0x22) entry.data = reader.bytes();
    else return false;
    return true;
  });
  if (!isRead || entry.type > EntryType.CONF_CHANGE_V2) return undefined;
  if (!isCount(entry.term) || !isCount(entry.index)) return undefined;
  return entry.index === 0 || entry.term === 0 ? undefined : entry;
}

export function readHardState(bytes: Buffer, lo: number, hi: number): HardState | undefined {
  const state: HardState = { term: 0, vote: 0n, commit: 0 };
  const isRead = readFields(new ByteReader(bytes, lo, hi), (tag, reader) => {
    if (tag === 0x08) state.term = reader.uint();
    else if (tag === 0x10) state.vote = reader.bigUint();
    else if (tag === 0x18) state.commit = reader.uint();
    else return false;
    return true;
  });
  return isRead && isCount(state.term) && isCount(state.commit) ? state : undefined;
}

export function readMetadata(bytes: Buffer, lo: number, hi: number): WalMetadata | undefined {
  let nodeId: bigint | undefined;
  let clusterId: bigint | undefined;
  const isRead = readFields(new ByteReader(bytes, lo, hi), (tag, reader) => {
    if (tag === 0x08) nodeId = reader.bigUint();
    else if (tag === 0x10) clusterId = reader.bigUint();
    else return false;
    return true;
  });
  if (!isRead || nodeId === undefined || clusterId === undefined) return undefined;
  return { nodeId, clusterId };
}

export function readSnapshot(bytes: Buffer, lo: number, hi: number): WalSnapshot | undefined {
  let index = 0;
  let term = 0;
  let confState: ConfState | undefined;
  const isRead = readFields(new ByteReader(bytes, lo, hi), (tag, reader) => {
    if (tag === 0x08) index = reader.uint();
    else if (tag === 0x10) term = reader.uint();
    else if (tag === 0x1a) {
      confState = decodeConfState(reader.bytes());
    } else return false;
    return true;
  });
  return isRead && isCount(index) && isCount(term) ? { index, term, confState } : undefined;
}

/** Calls `take` for each field; false when it refuses one or the bytes are malformed. */
function readFields(reader: ByteReader, take: (tag: number, from: ByteReader) => boolean): boolean {
  try {
    while (reader.pos < reader.end) {
      if (!take(reader.tag(), reader)) return false;
    }
    return true;
  } catch (error) {
    if (error instanceof MalformedError) return false;
    throw error;
  }
}

function isCount(value: number): boolean {
  return value <= Number.MAX_SAFE_INTEGER;
}

const EMPTY = Buffer.alloc(0);
