/**
 * What members tell each other about their lives, in a field of raftpb.Message that etcd does not
 * know and passes over (decision 0029).
 *
 * A life is the time from one start of a member to its end: its epoch is higher than that of all
 * lives before, its nonce random. A floor is what a member is known to have promised: a later life
 * of it that has less on its disk has lost something.
 *
 * Layout, little-endian: the sender's epoch, nonce and base (u32 each), a count of floors (u8),
 * that many floors (60 bytes each), and epochs alone (12 bytes each) to the end.
 */

export interface Life {
  /** From 1, one more at each start; 0 = none known. */
  readonly epoch: number;
  /** Tells two lives of one epoch apart: then one of them began from an old copy of the disk. */
  readonly nonce: number;
  /** The epoch since which promises count; the loss of earlier ones was accepted by an operator. */
  readonly base: number;
}

export interface Floor extends Life {
  readonly id: bigint;
  /** Highest term that is known to be on its disk. */
  readonly term: number;
  /** Highest term in which it gave its vote to anybody, or stood itself. */
  readonly votedTerm: number;
  /** It acknowledged everything up to `match` to the leader of `ackTerm`. */
  readonly ackTerm: number;
  readonly match: number;
  /** Highest index that it acknowledged and that is committed: no leader ever takes it back. */
  readonly stable: number;
}

export interface MemberEpoch {
  readonly id: bigint;
  readonly epoch: number;
}

export interface PeerNote {
  readonly life: Life;
  readonly floors: readonly Floor[];
  readonly epochs: readonly MemberEpoch[];
}

/** Field 2002 of raftpb.Message, length-delimited. */
export const PEER_NOTE_TAG = (2002 << 3) | 2;

const HEAD_BYTES = 13;
const FLOOR_BYTES = 60;
const EPOCH_BYTES = 12;
/** More than members of any cluster. */
const FLOORS_MAX = 255;

/** At most 255 floors are written. */
export function encodePeerNote({ life, floors, epochs }: PeerNote): Buffer {
  const count = Math.min(FLOORS_MAX, floors.length);
  const bytes = Buffer.alloc(HEAD_BYTES + count * FLOOR_BYTES + epochs.length * EPOCH_BYTES);
  let at = writeLife(bytes, 0, life);
  at = bytes.writeUInt8(count, at);
  for (const floor of floors.slice(0, count)) {
    at = bytes.writeBigUInt64LE(floor.id, at);
    at = writeLife(bytes, at, floor);
    for (const value of [floor.term, floor.votedTerm, floor.ackTerm, floor.match, floor.stable]) {
      at = bytes.writeDoubleLE(value, at);
    }
  }
  for (const { id, epoch } of epochs) {
    at = bytes.writeBigUInt64LE(id, at);
    at = bytes.writeUInt32LE(epoch, at);
  }
  return bytes;
}

function writeLife(bytes: Buffer, at: number, { epoch, nonce, base }: Life): number {
  bytes.writeUInt32LE(epoch, at);
  bytes.writeUInt32LE(nonce, at + 4);
  return bytes.writeUInt32LE(base, at + 8);
}

/** Undefined for anything that is none. */
export function decodePeerNote(bytes: Buffer): PeerNote | undefined {
  if (bytes.length < HEAD_BYTES) return undefined;
  const count = bytes.readUInt8(HEAD_BYTES - 1);
  const floorsEnd = HEAD_BYTES + count * FLOOR_BYTES;
  if (floorsEnd > bytes.length || (bytes.length - floorsEnd) % EPOCH_BYTES !== 0) return undefined;
  const floors: Floor[] = [];
  for (let at = HEAD_BYTES; at < floorsEnd; at += FLOOR_BYTES) {
    const floor = readFloor(bytes, at);
    if (floor === undefined) return undefined;
    floors.push(floor);
  }
  const epochs: MemberEpoch[] = [];
  for (let at = floorsEnd; at < bytes.length; at += EPOCH_BYTES) {
    epochs.push({ id: bytes.readBigUInt64LE(at), epoch: bytes.readUInt32LE(at + 8) });
  }
  return { life: readLife(bytes, 0), floors, epochs };
}

function readLife(bytes: Buffer, at: number): Life {
  return {
    epoch: bytes.readUInt32LE(at),
    nonce: bytes.readUInt32LE(at + 4),
    base: bytes.readUInt32LE(at + 8),
  };
}

function readFloor(bytes: Buffer, at: number): Floor | undefined {
  const values = [0, 1, 2, 3, 4].map((number) => bytes.readDoubleLE(at + 20 + number * 8));
  if (!values.every((value) => Number.isSafeInteger(value) && value >= 0)) return undefined;
  const [term = 0, votedTerm = 0, ackTerm = 0, match = 0, stable = 0] = values;
  const id = bytes.readBigUInt64LE(at);
  return { id, ...readLife(bytes, at + 8), term, votedTerm, ackTerm, match, stable };
}
