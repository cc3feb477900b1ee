/**
 * Protocol buffers for tests, from a table of fields. It shares nothing with src/wire, so that a
 * fault there cannot hide behind its own mirror image, and it can write what a careful codec would
 * not: unknown enum values, a oneof without a member, a field of the wrong kind.
 */

export type Kind = "bytes" | "string" | "int64" | "uint64" | "int32" | "bool" | "message";

export interface Field {
  readonly name: string;
  readonly tag: number;
  readonly kind: Kind;
  readonly repeated: boolean;
  /** Member of a oneof: written even when zero, absent when it was not sent. */
  readonly optional: boolean;
  readonly schema?: () => Schema<object>;
}

/** `T` has every field as it is after decoding; encoding takes any part of it. */
export interface Schema<T extends object> {
  readonly fields: readonly Field[];
  /** Only carries the type. */
  readonly type?: T;
}

export type Part<T> = T extends Buffer | bigint | string | number | boolean | undefined
  ? T
  : T extends readonly (infer U)[]
    ? readonly Part<U>[]
    : { readonly [K in keyof T]?: Part<T[K]> | undefined };

type Options = { repeated?: boolean; optional?: boolean };

export function field(
  name: string,
  tag: number,
  kind: Kind | (() => Schema<object>),
  options: Options = {},
): Field {
  const common = {
    name,
    tag,
    repeated: options.repeated === true,
    optional: options.optional === true || typeof kind === "function",
  };
  if (typeof kind === "function") return { ...common, kind: "message", schema: kind };
  return { ...common, kind };
}

export function schema<T extends object>(fields: readonly Field[]): Schema<T> {
  return { fields };
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

function isZero(value: unknown): boolean {
  if (value instanceof Uint8Array) return value.length === 0;
  return value === 0 || value === 0n || value === false || value === "";
}

function encodeValue(field: Field, value: unknown): Buffer[] {
  const key = (wireType: number): Buffer => varint(BigInt(field.tag * 8 + wireType));
  switch (field.kind) {
    case "bytes":
    case "string": {
      const bytes = field.kind === "bytes" ? (value as Buffer) : Buffer.from(value as string);
      return [key(2), varint(BigInt(bytes.length)), bytes];
    }
    case "message": {
      const body = encode(field.schema?.() ?? { fields: [] }, value as object);
      return [key(2), varint(BigInt(body.length)), body];
    }
    case "bool":
      return [key(0), varint(value === true ? 1n : 0n)];
    case "int32":
      return [key(0), varint(BigInt(value as number))];
    case "int64":
    case "uint64":
      return [key(0), varint(value as bigint)];
  }
}

export function encode<T extends object>(schema: Schema<T>, message: Part<T>): Buffer {
  const pieces: Buffer[] = [];
  for (const field of schema.fields) {
    const value = (message as Record<string, unknown>)[field.name];
    if (value === undefined) continue;
    if (field.repeated) {
      for (const item of value as unknown[]) pieces.push(...encodeValue(field, item));
    } else if (field.optional || !isZero(value)) pieces.push(...encodeValue(field, value));
  }
  return Buffer.concat(pieces);
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new RangeError("varint runs past the end of the message");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new RangeError("varint has more than 10 bytes");
  }

  block(): Buffer {
    return this.take(Number(this.varint()));
  }

  take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) {
      throw new RangeError(`field of ${length} bytes runs past the end of the message`);
    }
    const out = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return out;
  }
}

function decodeValue(field: Field, wireType: number, reader: Reader): unknown {
  const wanted = field.kind === "bytes" || field.kind === "string" || field.kind === "message";
  if (wireType !== (wanted ? 2 : 0)) {
    throw new TypeError(`field "${field.name}" came with wire type ${wireType}`);
  }
  switch (field.kind) {
    case "bytes":
      return reader.block();
    case "string":
      return reader.block().toString("utf8");
    case "message":
      return decode(field.schema?.() ?? { fields: [] }, reader.block());
    case "bool":
      return reader.varint() !== 0n;
    case "int32":
      return Number(BigInt.asIntN(32, reader.varint()));
    case "int64":
      return BigInt.asIntN(64, reader.varint());
    case "uint64":
      return reader.varint();
  }
}

const ZERO: Readonly<Record<Kind, unknown>> = {
  bytes: Buffer.alloc(0),
  string: "",
  int64: 0n,
  uint64: 0n,
  int32: 0,
  bool: false,
  message: undefined,
};

function skip(wireType: number, reader: Reader): void {
  if (wireType === 0) reader.varint();
  else if (wireType === 1) reader.take(8);
  else if (wireType === 2) reader.block();
  else if (wireType === 5) reader.take(4);
  else throw new TypeError(`unknown wire type ${wireType}`);
}

/** Unknown fields are skipped; malformed bytes throw. */
export function decode<T extends object>(schema: Schema<T>, bytes: Buffer): T {
  const out: Record<string, unknown> = {};
  for (const field of schema.fields) {
    if (field.repeated) out[field.name] = [];
    else if (!field.optional) out[field.name] = ZERO[field.kind];
  }
  const reader = new Reader(bytes);
  while (!reader.isAtEnd) {
    const key = Number(reader.varint());
    const wireType = key & 7;
    const field = schema.fields.find((candidate) => candidate.tag === key >>> 3);
    if (field === undefined) {
      skip(wireType, reader);
      continue;
    }
    const value = decodeValue(field, wireType, reader);
    if (field.repeated) (out[field.name] as unknown[]).push(value);
    else out[field.name] = value;
  }
  return out as T;
}
