/**
 * What a member's state comes to at an index, as it travels: in messages between members, and as a
 * stamp behind the data of some log entries. Both are fields that etcd does not know and passes
 * over; so is the row of the store that has the same 16 bytes.
 */
import { ByteReader, type ByteWriter, MalformedError } from "../base/index.ts";

/** Members that applied the same entries with the same effects have the same lanes at `index`. */
export interface StateDigest {
  readonly index: number;
  /** Signed 32-bit numbers. */
  readonly a: number;
  readonly b: number;
}

export const STATE_DIGEST_BYTES = 16;

/** Index (double LE), then lanes a and b (int32 LE). */
export function encodeStateDigest({ index, a, b }: StateDigest): Buffer {
  const bytes = Buffer.allocUnsafe(STATE_DIGEST_BYTES);
  bytes.writeDoubleLE(index, 0);
  bytes.writeInt32LE(a, 8);
  bytes.writeInt32LE(b, 12);
  return bytes;
}

/** Undefined for anything that is none. */
export function decodeStateDigest(bytes: Buffer | undefined): StateDigest | undefined {
  if (bytes?.length !== STATE_DIGEST_BYTES) return undefined;
  const index = bytes.readDoubleLE(0);
  if (!Number.isSafeInteger(index) || index < 0) return undefined;
  return { index, a: bytes.readInt32LE(8), b: bytes.readInt32LE(12) };
}

/** Field 2001 of raftpb.Message and of InternalRaftRequest, length-delimited. */
export const STATE_DIGEST_TAG = (2001 << 3) | 2;
/** The tag's two bytes, and the length. */
const STAMP_HEAD = Buffer.from([
  (STATE_DIGEST_TAG & 0x7f) | 0x80,
  STATE_DIGEST_TAG >>> 7,
  STATE_DIGEST_BYTES,
]);
export const STAMP_BYTES = STAMP_HEAD.length + STATE_DIGEST_BYTES;

/** The data of a normal entry with a stamp behind it; a new buffer. */
export function stampEntry(data: Buffer, digest: StateDigest): Buffer {
  return Buffer.concat([data, STAMP_HEAD, encodeStateDigest(digest)]);
}

/** The stamp of a normal entry; undefined when there is none. */
export function readStamp(data: Buffer): StateDigest | undefined {
  const at = data.length - STAMP_BYTES;
  if (at < 0) return undefined;
  if (data[at] !== STAMP_HEAD[0] || data[at + 1] !== STAMP_HEAD[1]) return undefined;
  if (data[at + 2] !== STATE_DIGEST_BYTES || !isFieldAt(data, at)) return undefined;
  return decodeStateDigest(data.subarray(at + STAMP_HEAD.length));
}

/** A value may end with the same bytes: a field begins where the one before it ends. */
function isFieldAt(data: Buffer, at: number): boolean {
  const reader = new ByteReader(data, 0, data.length);
  try {
    while (reader.pos < at) reader.skip(reader.tag());
  } catch (error) {
    if (error instanceof MalformedError) return false;
    throw error;
  }
  return reader.pos === at;
}

export function fieldStateDigest(writer: ByteWriter, digest: StateDigest): void {
  writer.uint(STATE_DIGEST_TAG);
  writer.uint(STATE_DIGEST_BYTES);
  writer.raw(encodeStateDigest(digest));
}

export function readStateDigest(reader: ByteReader): StateDigest | undefined {
  return decodeStateDigest(reader.bytes());
}
