/**
 * Messages off the hot path, by their tables: `encodeMessage(StatusResponseSchema, {...})`.
 * 64-bit fields are bigint here, and absent fields of `init` are zero.
 */
import { ByteReader, ByteWriter } from "../base/index.ts";
import { EMPTY } from "./fields.ts";
import type { Field, Fields, MessageInit, MessageShape, Scalar, Schema } from "./schema.ts";

const BYTES_TYPICAL = 256;

/** Owned by the caller. */
export function encodeMessage<F extends Fields>(schema: Schema<F>, init: MessageInit<F>): Buffer {
  const writer = new ByteWriter(BYTES_TYPICAL);
  writeFields(writer, schema, init as Values);
  return writer.take();
}

/** Fields of type bytes are views into `bytes`. Throws MalformedError and nothing else. */
export function decodeMessage<F extends Fields>(schema: Schema<F>, bytes: Buffer): MessageShape<F> {
  const values = zeroOf(schema);
  readFields(new ByteReader(bytes), schema, values);
  return values as MessageShape<F>;
}

/** A message seen without its type. */
type Values = Record<string, unknown>;

const VARINT = 0;
const LENGTH_DELIMITED = 2;

function wireTypeOf(kind: Scalar | Schema): number {
  return typeof kind === "object" || kind === "string" || kind === "bytes"
    ? LENGTH_DELIMITED
    : VARINT;
}

function isZero(value: unknown): boolean {
  if (value instanceof Uint8Array) return value.length === 0;
  return value === undefined || value === "" || value === 0 || value === 0n || value === false;
}

function writeFields(writer: ByteWriter, schema: Schema, values: Values): void {
  for (const [name, [number, kind, many]] of Object.entries(schema.fields)) {
    const value = values[name];
    if (isZero(value)) continue;
    const tag = (number << 3) | wireTypeOf(kind);
    if (many === "list") {
      for (const one of value as unknown[]) writeOne(writer, tag, kind, one);
    } else if (many === "map") {
      for (const [key, one] of Object.entries(value as Values)) {
        writer.uint(tag);
        const mark = writer.beginMessage();
        writeOne(writer, (1 << 3) | LENGTH_DELIMITED, "string", key);
        writeOne(writer, (2 << 3) | LENGTH_DELIMITED, kind, one);
        writer.endMessage(mark);
      }
    } else {
      writeOne(writer, tag, kind, value);
    }
  }
}

function writeOne(writer: ByteWriter, tag: number, kind: Scalar | Schema, value: unknown): void {
  writer.uint(tag);
  if (typeof kind === "object") {
    const mark = writer.beginMessage();
    writeFields(writer, kind, value as Values);
    writer.endMessage(mark);
    return;
  }
  switch (kind) {
    case "bool":
      return writer.bool(value as boolean);
    case "enum":
      return writer.int(value as number);
    case "uint32":
      return writer.uint(value as number);
    case "int64":
    case "uint64":
      return writer.big(value as bigint);
    case "string":
      return writer.utf8(value as string);
    case "bytes":
      return writer.bytes(value as Uint8Array);
  }
}

const ZEROS: Readonly<Record<Scalar, unknown>> = {
  bool: false,
  enum: 0,
  uint32: 0,
  int64: 0n,
  uint64: 0n,
  string: "",
  bytes: EMPTY,
};

function zeroOf(schema: Schema): Values {
  const values: Values = {};
  for (const [name, [, kind, many]] of Object.entries(schema.fields)) {
    if (many === "list") values[name] = [];
    // Keys come from outside, and "__proto__" is one like any other.
    else if (many === "map") values[name] = Object.create(null);
    else values[name] = typeof kind === "object" ? undefined : ZEROS[kind];
  }
  return values;
}

function readFields(reader: ByteReader, schema: Schema, values: Values): void {
  const fields = Object.entries(schema.fields);
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    const found = fields.find(([, field]) => field[0] === tag >>> 3);
    if (found === undefined || (tag & 7) !== wireTypeOf(found[1][1])) reader.skip(tag);
    else readField(reader, found[0], found[1], values);
  }
}

function readField(reader: ByteReader, name: string, field: Field, values: Values): void {
  const [, kind, many] = field;
  if (many === "list") (values[name] as unknown[]).push(readOne(reader, kind, undefined));
  else if (many === "map") readEntry(reader, kind, values[name] as Values);
  // A message that is sent twice is merged.
  else values[name] = readOne(reader, kind, values[name]);
}

function readOne(reader: ByteReader, kind: Scalar | Schema, before: unknown): unknown {
  if (typeof kind === "object") {
    const values = (before as Values | undefined) ?? zeroOf(kind);
    const outer = reader.enter();
    readFields(reader, kind, values);
    reader.leave(outer);
    return values;
  }
  switch (kind) {
    case "bool":
      return reader.bool();
    case "enum":
      return reader.int32();
    case "uint32":
      return reader.int32() >>> 0;
    case "int64":
      return reader.bigInt();
    case "uint64":
      return reader.bigUint();
    case "string":
      return reader.utf8();
    case "bytes":
      return reader.bytes();
  }
}

function readEntry(reader: ByteReader, kind: Schema, map: Values): void {
  const entry = { key: [1, "string"], value: [2, kind] } as const;
  const read = readOne(reader, { typeName: "", fields: entry }, undefined) as Values;
  map[read["key"] as string] = read["value"] ?? zeroOf(kind);
}
