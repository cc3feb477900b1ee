/**
 * raftpb: what the log and the members exchange.
 *
 * These are proto2 messages that etcd writes with every scalar present, zero or not (RA-09), and
 * that is how they are written here, so that a log record of ours has the bytes of etcd's. Reading
 * takes fields that are absent as zero.
 */
import { ByteReader, type ByteWriter, sizeOfBytes, sizeOfInt, sizeOfUint } from "../base/index.ts";
import { EMPTY, fieldBytes } from "./fields.ts";
import type {
  ConfChange,
  ConfChangeV2,
  ConfState,
  Entry,
  HardState,
  Message,
  Snapshot,
  SnapshotMetadata,
} from "./messages.ts";
import { PEER_NOTE_TAG } from "./peer-note.ts";
import { fieldStateDigest, readStateDigest, STATE_DIGEST_TAG } from "./state-digest.ts";

/* Entry */

export function encodeEntry(writer: ByteWriter, entry: Entry): void {
  writer.byte(8); // 1 Type
  writer.int(entry.type);
  writer.byte(16); // 2 Term
  writer.uint(entry.term);
  writer.byte(24); // 3 Index
  writer.uint(entry.index);
  fieldBytes(writer, 34, entry.data); // 4 Data
}

export function sizeEntry(entry: Entry): number {
  const dataBytes = entry.data.length;
  return (
    3 +
    sizeOfInt(entry.type) +
    sizeOfUint(entry.term) +
    sizeOfUint(entry.index) +
    (dataBytes === 0 ? 0 : 1 + sizeOfBytes(dataBytes))
  );
}

/** `data` is a view into `bytes`. */
export function decodeEntry(bytes: Buffer, lo = 0, hi = bytes.length): Entry {
  return readEntry(new ByteReader(bytes, lo, hi));
}

function readEntry(reader: ByteReader): Entry {
  const entry: Entry = { type: 0, term: 0, index: 0, data: EMPTY };
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 8) entry.type = reader.int32();
    else if (tag === 16) entry.term = reader.uint();
    else if (tag === 24) entry.index = reader.uint();
    else if (tag === 34) entry.data = reader.bytes();
    else reader.skip(tag);
  }
  return entry;
}

/* HardState */

export function encodeHardState(writer: ByteWriter, state: HardState): void {
  writer.byte(8); // 1 term
  writer.uint(state.term);
  writer.byte(16); // 2 vote
  writer.big(state.vote);
  writer.byte(24); // 3 commit
  writer.uint(state.commit);
}

export function decodeHardState(bytes: Buffer, lo = 0, hi = bytes.length): HardState {
  const reader = new ByteReader(bytes, lo, hi);
  const state: HardState = { term: 0, vote: 0n, commit: 0 };
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 8) state.term = reader.uint();
    else if (tag === 16) state.vote = reader.bigUint();
    else if (tag === 24) state.commit = reader.uint();
    else reader.skip(tag);
  }
  return state;
}

/* ConfState */

export function encodeConfState(writer: ByteWriter, state: ConfState): void {
  encodeIds(writer, 8, state.voters); // 1
  encodeIds(writer, 16, state.learners); // 2
  encodeIds(writer, 24, state.votersOutgoing); // 3
  encodeIds(writer, 32, state.learnersNext); // 4
  writer.byte(40); // 5 auto_leave
  writer.bool(state.autoLeave);
}

function encodeIds(writer: ByteWriter, tag: number, ids: readonly bigint[]): void {
  for (const id of ids) {
    writer.byte(tag);
    writer.big(id);
  }
}

export function decodeConfState(bytes: Buffer, lo = 0, hi = bytes.length): ConfState {
  const state = emptyConfState();
  readConfState(new ByteReader(bytes, lo, hi), state);
  return state;
}

export function emptyConfState(): ConfState {
  return { voters: [], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
}

/** Reads to the reader's end into `state`, adding to its lists. */
export function readConfState(reader: ByteReader, state: ConfState): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8: // 1, as it is written; packed in the next line, as it may be
      case 10:
        readIds(reader, tag, state.voters);
        break;
      case 16: // 2
      case 18:
        readIds(reader, tag, state.learners);
        break;
      case 24: // 3
      case 26:
        readIds(reader, tag, state.votersOutgoing);
        break;
      case 32: // 4
      case 34:
        readIds(reader, tag, state.learnersNext);
        break;
      case 40: // 5
        state.autoLeave = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
}

function readIds(reader: ByteReader, tag: number, ids: bigint[]): void {
  if ((tag & 7) === 0) {
    ids.push(reader.bigUint());
    return;
  }
  const outer = reader.enter();
  while (reader.pos < reader.end) ids.push(reader.bigUint());
  reader.leave(outer);
}

/* ConfChange */

export function encodeConfChange(writer: ByteWriter, change: ConfChange): void {
  writer.byte(8); // 1 id
  writer.big(change.id);
  writer.byte(16); // 2 type
  writer.int(change.type);
  writer.byte(24); // 3 node_id
  writer.big(change.nodeId);
  fieldBytes(writer, 34, change.context); // 4
}

export function decodeConfChange(bytes: Buffer, lo = 0, hi = bytes.length): ConfChange {
  const reader = new ByteReader(bytes, lo, hi);
  const change: ConfChange = { id: 0n, type: 0, nodeId: 0n, context: EMPTY };
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 8) change.id = reader.bigUint();
    else if (tag === 16) change.type = reader.int32();
    else if (tag === 24) change.nodeId = reader.bigUint();
    else if (tag === 34) change.context = reader.bytes();
    else reader.skip(tag);
  }
  return change;
}

export function encodeConfChangeV2(writer: ByteWriter, change: ConfChangeV2): void {
  writer.byte(8); // 1 transition
  writer.int(change.transition);
  for (const single of change.changes) {
    writer.byte(18); // 2 changes
    const mark = writer.beginMessage();
    writer.byte(8); // 1 type
    writer.int(single.type);
    writer.byte(16); // 2 node_id
    writer.big(single.nodeId);
    writer.endMessage(mark);
  }
  fieldBytes(writer, 26, change.context); // 3
}

export function decodeConfChangeV2(bytes: Buffer, lo = 0, hi = bytes.length): ConfChangeV2 {
  const reader = new ByteReader(bytes, lo, hi);
  const change: ConfChangeV2 = { transition: 0, changes: [], context: EMPTY };
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 8) change.transition = reader.int32();
    else if (tag === 18) {
      const outer = reader.enter();
      const single = { type: 0, nodeId: 0n };
      while (reader.pos < reader.end) {
        const inner = reader.tag();
        if (inner === 8) single.type = reader.int32();
        else if (inner === 16) single.nodeId = reader.bigUint();
        else reader.skip(inner);
      }
      change.changes.push(single);
      reader.leave(outer);
    } else if (tag === 26) change.context = reader.bytes();
    else reader.skip(tag);
  }
  return change;
}

/* Snapshot */

export function encodeSnapshotMetadata(writer: ByteWriter, metadata: SnapshotMetadata): void {
  writer.byte(10); // 1 conf_state
  const mark = writer.beginMessage();
  encodeConfState(writer, metadata.confState);
  writer.endMessage(mark);
  writer.byte(16); // 2 index
  writer.uint(metadata.index);
  writer.byte(24); // 3 term
  writer.uint(metadata.term);
}

export function decodeSnapshotMetadata(bytes: Buffer, lo = 0, hi = bytes.length): SnapshotMetadata {
  const metadata = emptySnapshotMetadata();
  readSnapshotMetadata(new ByteReader(bytes, lo, hi), metadata);
  return metadata;
}

function emptySnapshotMetadata(): SnapshotMetadata {
  return { confState: emptyConfState(), index: 0, term: 0 };
}

function readSnapshotMetadata(reader: ByteReader, metadata: SnapshotMetadata): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 10) {
      const outer = reader.enter();
      readConfState(reader, metadata.confState);
      reader.leave(outer);
    } else if (tag === 16) metadata.index = reader.uint();
    else if (tag === 24) metadata.term = reader.uint();
    else reader.skip(tag);
  }
}

export function encodeSnapshot(writer: ByteWriter, snapshot: Snapshot): void {
  fieldBytes(writer, 10, snapshot.data); // 1
  writer.byte(18); // 2 metadata
  const mark = writer.beginMessage();
  encodeSnapshotMetadata(writer, snapshot.metadata);
  writer.endMessage(mark);
}

/** `data` is a view into `bytes`. */
export function decodeSnapshot(bytes: Buffer, lo = 0, hi = bytes.length): Snapshot {
  const snapshot = emptySnapshot();
  readSnapshot(new ByteReader(bytes, lo, hi), snapshot);
  return snapshot;
}

function emptySnapshot(): Snapshot {
  return { data: EMPTY, metadata: emptySnapshotMetadata() };
}

function readSnapshot(reader: ByteReader, snapshot: Snapshot): void {
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 10) snapshot.data = reader.bytes();
    else if (tag === 18) {
      const outer = reader.enter();
      readSnapshotMetadata(reader, snapshot.metadata);
      reader.leave(outer);
    } else reader.skip(tag);
  }
}

/* Message */

export function emptyRaftMessage(): Message {
  return {
    type: 0,
    to: 0n,
    from: 0n,
    term: 0,
    logTerm: 0,
    index: 0,
    entries: [],
    commit: 0,
    snapshot: undefined,
    reject: false,
    rejectHint: 0,
    context: EMPTY,
    vote: 0n,
  };
}

export function encodeRaftMessage(writer: ByteWriter, message: Message): void {
  writer.byte(8); // 1 type
  writer.int(message.type);
  writer.byte(16); // 2 to
  writer.big(message.to);
  writer.byte(24); // 3 from
  writer.big(message.from);
  writer.byte(32); // 4 term
  writer.uint(message.term);
  writer.byte(40); // 5 logTerm
  writer.uint(message.logTerm);
  writer.byte(48); // 6 index
  writer.uint(message.index);
  for (let at = 0; at < message.entries.length; at += 1) {
    const entry = message.entries[at] as Entry;
    writer.byte(58); // 7 entries
    writer.uint(sizeEntry(entry));
    encodeEntry(writer, entry);
  }
  writer.byte(64); // 8 commit
  writer.uint(message.commit);
  if (message.snapshot !== undefined) {
    writer.byte(74); // 9 snapshot
    const mark = writer.beginMessage();
    encodeSnapshot(writer, message.snapshot);
    writer.endMessage(mark);
  }
  writer.byte(80); // 10 reject
  writer.bool(message.reject);
  writer.byte(88); // 11 rejectHint
  writer.uint(message.rejectHint);
  fieldBytes(writer, 98, message.context); // 12
  writer.byte(104); // 13 vote
  writer.big(message.vote);
  if (message.digest !== undefined) fieldStateDigest(writer, message.digest);
  if (message.note !== undefined) {
    writer.uint(PEER_NOTE_TAG);
    writer.uint(message.note.length);
    writer.raw(message.note);
  }
}

/** Entries' data, the snapshot's and the context are views into `bytes`. */
export function decodeRaftMessage(bytes: Buffer, lo = 0, hi = bytes.length): Message {
  const reader = new ByteReader(bytes, lo, hi);
  const message = emptyRaftMessage();
  while (reader.pos < reader.end) readMessageField(reader, message, reader.tag());
  return message;
}

function readMessageField(reader: ByteReader, message: Message, tag: number): void {
  switch (tag) {
    case 8: // 1
      message.type = reader.int32();
      return;
    case 16: // 2
      message.to = reader.bigUint();
      return;
    case 24: // 3
      message.from = reader.bigUint();
      return;
    case 32: // 4
      message.term = reader.uint();
      return;
    case 40: // 5
      message.logTerm = reader.uint();
      return;
    case 48: // 6
      message.index = reader.uint();
      return;
    case 58: {
      // 7
      const outer = reader.enter();
      message.entries.push(readEntry(reader));
      reader.leave(outer);
      return;
    }
    case 64: // 8
      message.commit = reader.uint();
      return;
    case 74: {
      // 9
      const outer = reader.enter();
      message.snapshot ??= emptySnapshot();
      readSnapshot(reader, message.snapshot);
      reader.leave(outer);
      return;
    }
    case 80: // 10
      message.reject = reader.bool();
      return;
    case 88: // 11
      message.rejectHint = reader.uint();
      return;
    case 98: // 12
      message.context = reader.bytes();
      return;
    case 104: // 13
      message.vote = reader.bigUint();
      return;
    case STATE_DIGEST_TAG: {
      const digest = readStateDigest(reader);
      if (digest !== undefined) message.digest = digest;
      return;
    }
    case PEER_NOTE_TAG:
      message.note = reader.bytes();
      return;
    default:
      reader.skip(tag);
  }
}
