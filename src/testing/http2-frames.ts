/**
 * HTTP/2 frames as plain bytes, made and read without http2/, so that its tests do not prove it by
 * itself.
 */

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export function rawFrame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array | string = "",
): Buffer {
  const bytes = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  const header = Buffer.alloc(9);
  header.writeUIntBE(bytes.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, bytes]);
}

/** Whole frames in `bytes`; throws when it ends inside one. */
export function readFrames(bytes: Buffer): RawFrame[] {
  const frames: RawFrame[] = [];
  let at = 0;
  while (at < bytes.length) {
    const length = bytes.readUIntBE(at, 3);
    if (at + 9 + length > bytes.length) throw new Error("bytes end inside a frame");
    frames.push({
      type: bytes[at + 3] as number,
      flags: bytes[at + 4] as number,
      streamId: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + 9, at + 9 + length),
    });
    at += 9 + length;
  }
  return frames;
}

export function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [position, value] of values.entries()) bytes.writeUInt32BE(value, position * 4);
  return bytes;
}

/** A SETTINGS payload of name, value, name, value ... */
export function settings(...pairs: number[]): Buffer {
  const bytes = Buffer.alloc(pairs.length * 3);
  for (let position = 0; position < pairs.length; position += 2) {
    bytes.writeUInt16BE(pairs[position] as number, position * 3);
    bytes.writeUInt32BE(pairs[position + 1] as number, position * 3 + 2);
  }
  return bytes;
}

/** A header block of literals without indexing and without Huffman code (RFC 7541 6.2.2). */
export function literalBlock(...fields: string[]): Buffer {
  const parts: Buffer[] = [];
  for (let position = 0; position < fields.length; position += 2) {
    parts.push(Buffer.of(0), literal(fields[position] ?? ""), literal(fields[position + 1] ?? ""));
  }
  return Buffer.concat(parts);
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const length: number[] = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128);
  length.push(rest);
  return Buffer.concat([Buffer.from(length), bytes]);
}
