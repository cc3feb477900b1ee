/**
 * Protobuf's wire format by the book: slow, strict, driven by a schema, and written without
 * anything of the product's. It is the judge of what bytes mean and of which must be refused.
 *
 * Shape:  what protobuf-es makes of a message: bigint for 64 bits, oneofs as {case, value}, absent
 *         scalars as zero, absent messages as undefined. A field of another wire type than its own
 *         is an unknown field, and unknown fields are left out.
 */
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";

export class ReferenceRefusal extends Error {}

export type Decoded = Record<string, unknown>;

/** Fields of the message itself that count as unknown although the schema has them. */
export type Omits = (fieldNumber: number) => boolean;
const nothing: Omits = () => false;

interface Cursor {
  readonly bytes: Buffer;
  pos: number;
  readonly end: number;
}

function varint(cursor: Cursor): bigint {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    if (cursor.pos >= cursor.end) throw new ReferenceRefusal("varint is cut off");
    const byte = BigInt(cursor.bytes[cursor.pos++] as number);
    value |= (byte & 0x7fn) << shift;
    if (byte < 0x80n) {
      if (value >= 1n << 64n) throw new ReferenceRefusal("varint beyond 64 bits");
      return value;
    }
  }
  throw new ReferenceRefusal("varint of more than ten bytes");
}

function take(cursor: Cursor, count: bigint): Buffer {
  if (count > BigInt(cursor.end - cursor.pos)) throw new ReferenceRefusal("beyond the end");
  const piece = cursor.bytes.subarray(cursor.pos, cursor.pos + Number(count));
  cursor.pos += Number(count);
  return piece;
}

function tagOf(cursor: Cursor): { field: number; wire: number } {
  const tag = varint(cursor);
  if (tag >= 1n << 32n || tag < 8n || (tag & 7n) > 5n) throw new ReferenceRefusal("illegal tag");
  return { field: Number(tag >> 3n), wire: Number(tag & 7n) };
}

function skip(cursor: Cursor, field: number, wire: number): void {
  if (wire === 0) varint(cursor);
  else if (wire === 1) take(cursor, 8n);
  else if (wire === 2) take(cursor, varint(cursor));
  else if (wire === 5) take(cursor, 4n);
  else if (wire === 4) throw new ReferenceRefusal("stray end of a group");
  else {
    for (;;) {
      const inner = tagOf(cursor);
      if (inner.wire === 4) {
        if (inner.field !== field) throw new ReferenceRefusal("group ends wrongly");
        return;
      }
      skip(cursor, inner.field, inner.wire);
    }
  }
}

/** A varint as the value of its type; undefined when the type is not a varint. */
function scalar(type: ScalarType, raw: bigint): unknown {
  if (type === ScalarType.INT64) return BigInt.asIntN(64, raw);
  if (type === ScalarType.UINT64) return raw;
  if (type === ScalarType.UINT32) return Number(BigInt.asUintN(32, raw));
  if (type === ScalarType.INT32) return Number(BigInt.asIntN(32, raw));
  return raw !== 0n;
}

function varintType(field: DescField): ScalarType | undefined {
  if (field.fieldKind === "enum") return ScalarType.INT32;
  if (field.fieldKind === "list" && field.listKind === "enum") return ScalarType.INT32;
  const type = field.scalar;
  return type === ScalarType.BYTES || type === ScalarType.STRING ? undefined : type;
}

function zero(field: DescField): unknown {
  if (field.fieldKind === "list") return [];
  if (field.fieldKind === "message") return undefined;
  if (field.fieldKind === "enum") return 0;
  if (field.scalar === ScalarType.BYTES) return Buffer.alloc(0);
  if (field.scalar === ScalarType.STRING) return "";
  return scalar(field.scalar as ScalarType, 0n);
}

function empty(schema: DescMessage): Decoded {
  const message: Decoded = {};
  for (const field of schema.fields) {
    if (field.oneof === undefined) message[field.localName] = zero(field);
  }
  for (const oneof of schema.oneofs) message[oneof.localName] = { case: undefined };
  return message;
}

/** Puts a value in its place; `make` gets what is there, so that messages merge. */
function place(message: Decoded, field: DescField, make: (before: unknown) => unknown): void {
  if (field.fieldKind === "list") {
    (message[field.localName] as unknown[]).push(make(undefined));
  } else if (field.oneof === undefined) {
    message[field.localName] = make(message[field.localName]);
  } else {
    const before = message[field.oneof.localName] as { case?: string; value?: unknown };
    const same = before.case === field.localName ? before.value : undefined;
    message[field.oneof.localName] = { case: field.localName, value: make(same) };
  }
}

function readField(cursor: Cursor, message: Decoded, field: DescField, wire: number): boolean {
  const type = field.message === undefined ? varintType(field) : undefined;
  if (wire === 0 && type !== undefined) {
    const value = scalar(type, varint(cursor));
    place(message, field, () => value);
    return true;
  }
  if (wire !== 2 || (type !== undefined && field.fieldKind !== "list")) return false;
  const piece = take(cursor, varint(cursor));
  const schema = field.message;
  if (schema !== undefined) {
    place(message, field, (before) => {
      const target = (before as Decoded | undefined) ?? empty(schema);
      read({ bytes: piece, pos: 0, end: piece.length }, schema, target);
      return target;
    });
  } else if (type !== undefined) {
    const packed: Cursor = { bytes: piece, pos: 0, end: piece.length };
    while (packed.pos < packed.end) {
      const value = scalar(type, varint(packed));
      place(message, field, () => value);
    }
  } else {
    const isText = field.scalar === ScalarType.STRING;
    place(message, field, () => (isText ? piece.toString("utf8") : piece));
  }
  return true;
}

function read(cursor: Cursor, schema: DescMessage, message: Decoded, omits = nothing): void {
  while (cursor.pos < cursor.end) {
    const { field: number, wire } = tagOf(cursor);
    const field = schema.fields.find((candidate) => candidate.number === number);
    if (field === undefined || omits(number) || !readField(cursor, message, field, wire)) {
      skip(cursor, number, wire);
    }
  }
}

export function referenceDecode(schema: DescMessage, bytes: Buffer, omits = nothing): Decoded {
  const message = empty(schema);
  read({ bytes, pos: 0, end: bytes.length }, schema, message, omits);
  return message;
}
