/**
 * Finds one frame in a window of a segment, strictly: what etcd's encoder never writes (another
 * padding, an unknown type, a second way to write a varint) is a fault, so that a flipped bit in
 * the bytes that no checksum covers is seen as well.
 *
 * Pure: bytes in, one step out. The running crc is the caller's.
 */
import { FRAME_BYTES, RecordType } from "./record.ts";

export type FrameStep =
  /** A whole frame, in the fields of the Frame. */
  | "record"
  /** The window ends inside the frame; `frame.end` says how far it must reach. */
  | "short"
  /** A length word of zero: nothing was written here. */
  | "zero"
  /** Not a frame; `frame.found` and `frame.wanted` say why, `frame.faultAt` where. */
  | "bad";

/** What `parseFrame` found; positions are in the window. Reused from call to call. */
export class Frame {
  type = 0;
  /** As stored: the running crc after this record. */
  crc = 0;
  dataLo = 0;
  dataHi = 0;
  /** After the padding. */
  end = 0;
  /** The bytes that are wrong, where a step was "bad": [faultAt, faultHi). */
  faultAt = 0;
  faultHi = 0;
  found = "";
  wanted = "";

  fail(at: number, faultHi: number, found: string, wanted: string): "bad" {
    this.faultAt = at;
    this.faultHi = faultHi;
    this.found = found;
    this.wanted = wanted;
    return "bad";
  }
}

/** The frame that starts at `lo` of `window`, of which [lo, hi) is known. */
export function parseFrame(window: Buffer, lo: number, hi: number, frame: Frame): FrameStep {
  frame.end = lo + FRAME_BYTES;
  if (frame.end > hi) return "short";
  const low = window.readUInt32LE(lo);
  const high = window.readUInt32LE(lo + 4);
  if (low === 0 && high === 0) return "zero";
  const recordBytes = low + (high & 0x00ff_ffff) * 0x1_0000_0000;
  const padding = (8 - (recordBytes % 8)) % 8;
  const topByte = padding === 0 ? 0 : 0x80 | padding;
  if (high >>> 24 !== topByte || recordBytes === 0) {
    const wanted = `a top byte of ${topByte.toString(16).padStart(2, "0")}`;
    return frame.fail(lo, frame.end, `length word ${hex(window, lo, 8)}`, wanted);
  }
  frame.end = lo + FRAME_BYTES + recordBytes + padding;
  return parseRecord(window, lo + FRAME_BYTES, recordBytes, hi, frame);
}

/** A record of which less than all may be known: its head is judged as far as it can be seen. */
function parseRecord(
  window: Buffer,
  lo: number,
  recordBytes: number,
  knownHi: number,
  frame: Frame,
): FrameStep {
  const hi = Math.min(knownHi, lo + recordBytes);
  const isShort = knownHi < frame.end;
  if (lo + 3 > hi) {
    return isShort ? "short" : frame.fail(lo, hi, `a record of ${recordBytes} bytes`, "more");
  }
  frame.type = window[lo + 1] as number;
  if (window[lo] !== 0x08 || frame.type < RecordType.METADATA || frame.type > RecordType.SNAPSHOT) {
    return frame.fail(lo, lo + 2, `record type ${hex(window, lo, 2)}`, "08 and a type of 1 to 5");
  }
  if (window[lo + 2] !== 0x10) {
    return frame.fail(lo + 2, lo + 3, `field ${hex(window, lo + 2, 1)}`, "field 10 (crc)");
  }
  const crcAt = lo + 3;
  const crcBytes = varintBytes(window, crcAt, hi);
  if (crcBytes === 0) {
    return isShort ? "short" : frame.fail(crcAt, hi, "an unfinished crc", "a varint");
  }
  const dataTagAt = crcAt + crcBytes;
  frame.crc = varint(window, crcAt, crcBytes);
  if (crcBytes > 5 || frame.crc > 0xffff_ffff || isPadded(window, crcAt, crcBytes)) {
    return frame.fail(crcAt, dataTagAt, `crc ${hex(window, crcAt, crcBytes)}`, "a 32-bit varint");
  }
  if (frame.type !== RecordType.CRC) {
    return parseData(window, dataTagAt, { hi, recordHi: lo + recordBytes, isShort }, frame);
  }
  if (dataTagAt !== lo + recordBytes) {
    const wanted = `${dataTagAt - lo} bytes`;
    return frame.fail(lo, dataTagAt, `a crc record of ${recordBytes} bytes`, wanted);
  }
  frame.dataLo = dataTagAt;
  frame.dataHi = dataTagAt;
  return isShort ? "short" : checkPadding(window, dataTagAt, frame);
}

function parseData(
  window: Buffer,
  at: number,
  bounds: { hi: number; recordHi: number; isShort: boolean },
  frame: Frame,
): FrameStep {
  const { hi, recordHi, isShort } = bounds;
  if (at >= hi) return isShort ? "short" : frame.fail(at, at + 1, "no data", "field 1a (data)");
  if (window[at] !== 0x1a) {
    return frame.fail(at, at + 1, `field ${hex(window, at, 1)}`, "field 1a (data)");
  }
  const count = varintBytes(window, at + 1, hi);
  if (count === 0) {
    return isShort ? "short" : frame.fail(at, hi, "an unfinished data length", "a varint");
  }
  frame.dataLo = at + 1 + count;
  const dataBytes = varint(window, at + 1, count);
  const wanted = recordHi - frame.dataLo;
  if (dataBytes !== wanted || isPadded(window, at + 1, count)) {
    return frame.fail(at + 1, frame.dataLo, `data of ${dataBytes} bytes`, `${wanted} bytes`);
  }
  frame.dataHi = recordHi;
  return isShort ? "short" : checkPadding(window, recordHi, frame);
}

function checkPadding(window: Buffer, lo: number, frame: Frame): FrameStep {
  for (let at = lo; at < frame.end; at += 1) {
    if (window[at] !== 0) {
      return frame.fail(at, at + 1, `padding ${hex(window, at, 1)}`, "00");
    }
  }
  return "record";
}

/** Bytes of the varint at `at`, 0 when it does not end before `hi`; never more than 10. */
function varintBytes(window: Buffer, at: number, hi: number): number {
  const end = Math.min(hi, at + 10);
  for (let position = at; position < end; position += 1) {
    if ((window[position] as number) < 0x80) return position - at + 1;
  }
  return at + 10 <= hi ? 10 : 0;
}

function varint(window: Buffer, at: number, count: number): number {
  let value = 0;
  let scale = 1;
  for (let position = at; position < at + count; position += 1) {
    value += ((window[position] as number) & 0x7f) * scale;
    scale *= 128;
  }
  return value;
}

/** Written longer than needed: the last of several bytes is zero. */
function isPadded(window: Buffer, at: number, count: number): boolean {
  return count > 1 && window[at + count - 1] === 0;
}

function hex(window: Buffer, lo: number, count: number): string {
  return window.toString("hex", lo, lo + count);
}
