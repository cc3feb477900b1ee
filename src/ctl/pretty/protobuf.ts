/**
 * Protobuf without its description: fields by number. What is a message, a text or bytes inside can
 * only be guessed: a text when it is readable, a message when it can be read as one to its end.
 */
import { ByteReader, MalformedError } from "../../base/index.ts";
import { readableText } from "./bytes.ts";
import type { Paint } from "./paint.ts";

const DEPTH_MAX = 24;
const FIELD_MAX = 100_000;

type Value =
  | { readonly kind: "number"; readonly value: bigint }
  | { readonly kind: "fixed"; readonly bytes: Buffer }
  | { readonly kind: "bytes"; readonly bytes: Buffer };

interface Field {
  readonly number: number;
  readonly value: Value;
}

/** Lines of fields; undefined when `bytes` are no message. */
export function prettyProtobuf(bytes: Buffer, paint: Paint, depth = 0): string | undefined {
  const fields = depth < DEPTH_MAX ? readFields(bytes) : undefined;
  if (fields === undefined || fields.length === 0) return undefined;
  const pad = "  ".repeat(depth);
  return fields
    .map(({ number, value }) => pad + paint("name", String(number)) + shown(value, paint, depth))
    .join("\n");
}

function shown(value: Value, paint: Paint, depth: number): string {
  switch (value.kind) {
    case "number":
      return `: ${paint("number", String(value.value))}`;
    case "fixed":
      return `: ${paint("number", `0x${Buffer.from(value.bytes).reverse().toString("hex")}`)}`;
    case "bytes": {
      const { bytes } = value;
      const text = readableText(bytes);
      if (text !== undefined) return `: ${paint("text", JSON.stringify(text))}`;
      const inner = prettyProtobuf(bytes, paint, depth + 1);
      if (inner !== undefined) return ` {\n${inner}\n${"  ".repeat(depth)}}`;
      return `: ${paint("note", `<${bytes.length} bytes> ${bytes.toString("hex").slice(0, 64)}`)}`;
    }
  }
}

/** Undefined when they do not end where the bytes end. */
function readFields(bytes: Buffer): Field[] | undefined {
  const reader = new ByteReader(bytes);
  const fields: Field[] = [];
  try {
    while (reader.pos < reader.end) {
      const tag = reader.uint();
      const number = Math.floor(tag / 8);
      if (number < 1 || number > FIELD_MAX) return undefined;
      const value = readValue(reader, bytes, tag % 8);
      if (value === undefined) return undefined;
      fields.push({ number, value });
    }
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
  return fields;
}

function readValue(reader: ByteReader, bytes: Buffer, wireType: number): Value | undefined {
  switch (wireType) {
    case 0:
      return { kind: "number", value: reader.bigUint() };
    case 1:
    case 5: {
      const lo = reader.pos;
      const hi = lo + (wireType === 1 ? 8 : 4);
      if (hi > reader.end) return undefined;
      reader.pos = hi;
      return { kind: "fixed", bytes: bytes.subarray(lo, hi) };
    }
    case 2:
      return { kind: "bytes", bytes: reader.bytes() };
    default:
      return undefined;
  }
}

/** The message in which Kubernetes wraps an object: what it is, and its bytes. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Buffer;
}

const KUBERNETES = Buffer.from("k8s\0", "latin1");

/** Undefined when `bytes` are no such object. */
export function kubernetesObject(bytes: Buffer): KubernetesObject | undefined {
  if (!bytes.subarray(0, KUBERNETES.length).equals(KUBERNETES)) return undefined;
  const fields = readFields(bytes.subarray(KUBERNETES.length)) ?? [];
  const type = readFields(bytesOf(fields, 1)) ?? [];
  return {
    apiVersion: bytesOf(type, 1).toString("utf8"),
    kind: bytesOf(type, 2).toString("utf8"),
    raw: bytesOf(fields, 2),
  };
}

function bytesOf(fields: readonly Field[], number: number): Buffer {
  const value = fields.find((field) => field.number === number)?.value;
  return value?.kind === "bytes" ? value.bytes : Buffer.alloc(0);
}
