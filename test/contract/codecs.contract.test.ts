/**
 * One contract for two implementations: whatever the hand-written codecs do, the generated ones do
 * too, and a third, slow reading of the rules (reference-decoder.ts) judges input that is not as it
 * should be, where the generated ones are lax.
 *
 * PROP_RUNS and FUZZ_RUNS say how often, SEED with which values; a failure names row and bytes.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary, ScalarType, toBinary } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { Edition } from "@bufbuild/protobuf/wkt";
import { ByteReader, ByteWriter, MalformedError, Prng } from "../../src/base/index.ts";
import { decodeMessage, encodeMessage } from "../../src/wire/index.ts";
import { ReferenceRefusal, referenceDecode } from "./reference-decoder.ts";
import { COLD_ROWS, generatedOf, plain, TABLES, valuesOf } from "./cold-rows.ts";
import { ROWS, type Row } from "./wire-rows.ts";

const PROP_RUNS = Number(process.env["PROP_RUNS"] ?? 150);
const FUZZ_RUNS = Number(process.env["FUZZ_RUNS"] ?? 1_000);
const SEED = Number(process.env["SEED"] ?? 1);

/** Bytes of each top-level field, in order. */
function fieldsOf(bytes: Buffer): { number: number; bytes: Buffer }[] {
  const fields: { number: number; bytes: Buffer }[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      assert.ok(at < bytes.length, "fields end where the message does");
      const byte = bytes[at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const start = at;
    const tag = varint();
    if (tag % 8 === 2) {
      const length = varint();
      at += length;
    } else {
      varint();
    }
    fields.push({ number: Math.floor(tag / 8), bytes: bytes.subarray(start, at) });
  }
  return fields;
}

function unknownField(prng: Prng): Buffer {
  const writer = new ByteWriter(64);
  const number = prng.pick([63, 500, 16_000, 2 ** 29 - 1]);
  const wireType = prng.pick([0, 1, 2, 3, 5]);
  writer.uint(number * 8 + wireType);
  if (wireType === 0) writer.uint(prng.uint32());
  else if (wireType === 1) writer.fixed64(BigInt(prng.uint32()));
  else if (wireType === 2) writer.bytes(prng.bytes(prng.below(200)));
  else if (wireType === 5) writer.fixed32(prng.uint32());
  else {
    writer.uint(8);
    writer.uint(prng.uint32());
    writer.uint(number * 8 + 4);
  }
  return writer.take();
}

/** Fields in another order; those of one number keep theirs. */
function shuffled(bytes: Buffer, prng: Prng): Buffer {
  const groups = new Map<number, Buffer[]>();
  for (const field of fieldsOf(bytes)) {
    groups.set(field.number, [...(groups.get(field.number) ?? []), field.bytes]);
  }
  const order = [...groups.values()];
  for (let at = order.length - 1; at > 0; at -= 1) {
    const other = prng.below(at + 1);
    [order[at], order[other]] = [order[other] as Buffer[], order[at] as Buffer[]];
  }
  return Buffer.concat(order.flat());
}

/** etcd's proto2 messages have every scalar on the wire, zero or not; empty bytes are left out. */
function assertAllPresent(message: ReflectMessage): void {
  for (const field of message.fields) {
    if (field.fieldKind === "scalar" || field.fieldKind === "enum") {
      const mayLack = field.scalar === ScalarType.BYTES;
      assert.ok(mayLack || message.isSet(field), `${field.toString()} is on the wire`);
    } else if (field.fieldKind === "message" && message.isSet(field)) {
      assertAllPresent(message.get(field));
    } else if (field.fieldKind === "list" && field.listKind === "message") {
      for (const item of message.get(field)) assertAllPresent(item as ReflectMessage);
    } else {
      // Snapshots always have metadata, and metadata a configuration.
      const mayLack = field.fieldKind === "list" || field.name === "snapshot";
      assert.ok(mayLack, `${field.toString()} is on the wire`);
    }
  }
}

type Verdict = { refused: true } | { refused: false; value: unknown };

function byHand(row: Row, bytes: Buffer): Verdict {
  try {
    return { refused: false, value: row.decode(bytes) };
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return { refused: true };
  }
}

const RAFT_REQUEST = "etcdserverpb.InternalRaftRequest";

/** An operation as anything but a message: etcd refuses these bytes, and so do we (RA-14). */
function hasFlatOperation(bytes: Buffer): boolean {
  const reader = new ByteReader(bytes);
  try {
    while (reader.pos < reader.end) {
      const tag = reader.tag();
      const field = tag >>> 3;
      const isOperation = (field >= 3 && field <= 11) || (field >= 1300 && field <= 1302);
      if (isOperation && (tag & 7) !== 2) return true;
      reader.skip(tag);
    }
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
  }
  return false;
}

function byReference(row: Row, bytes: Buffer): Verdict {
  if (row.name === RAFT_REQUEST && hasFlatOperation(bytes)) return { refused: true };
  try {
    return { refused: false, value: row.from(referenceDecode(row.schema, bytes, row.omits)) };
  } catch (error) {
    if (!(error instanceof ReferenceRefusal || error instanceof MalformedError)) throw error;
    return { refused: true };
  }
}

/** True when both agree; a message with several operations (value null) is not compared. */
function assertAgree(row: Row, bytes: Buffer): void {
  const hand = byHand(row, bytes);
  const reference = byReference(row, bytes);
  if (!reference.refused && reference.value === null) return;
  assert.deepEqual(hand, reference, `${row.name}: ${bytes.toString("hex")}`);
}

function mutated(row: Row, prng: Prng): Buffer {
  if (prng.chance(0.05)) return prng.bytes(prng.below(60));
  let bytes = row.encode(row.make(prng));
  for (let left = 1 + prng.below(4); left > 0; left -= 1) {
    const at = prng.below(bytes.length + 1);
    const next = at + prng.below(Math.min(16, bytes.length - at) + 1);
    switch (prng.below(6)) {
      case 0:
        bytes = Buffer.from(bytes);
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << prng.below(8));
        break;
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(next)]);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, next), bytes.subarray(at)]);
        break;
      case 3:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          prng.bytes(prng.below(8)),
          bytes.subarray(at),
        ]);
        break;
      case 4:
        bytes = bytes.subarray(0, at);
        break;
      default:
        bytes = Buffer.concat([bytes, unknownField(prng), row.encode(row.make(prng))]);
    }
  }
  return bytes;
}

test("tables: every message → the fields of its .proto, by name, number and kind, in order", () => {
  for (const [typeName, table] of TABLES) {
    const fields = Object.entries(table.fields).map(([name, [number, kind, many]]) => {
      const shown = typeof kind === "object" ? kind.typeName : kind;
      return [name, number, shown, many ?? "one"];
    });
    const wanted = generatedOf(typeName).fields.map((field) => {
      const { localName: name, number, fieldKind } = field;
      const kind =
        field.message?.typeName ??
        (field.enum === undefined ? ScalarType[field.scalar as ScalarType].toLowerCase() : "enum");
      return [name, number, kind, fieldKind === "list" || fieldKind === "map" ? fieldKind : "one"];
    });
    assert.deepEqual(fields, wanted, typeName);
  }
});

test("tables: a map → the generated codec's bytes, and back", () => {
  const table = TABLES.get("grpc.health.v1.HealthListResponse");
  assert.ok(table !== undefined);
  const schema = generatedOf(table.typeName);
  const prng = new Prng(SEED);
  for (let run = 0; run < PROP_RUNS; run += 1) {
    const values = valuesOf(table, prng);
    const bytes: Buffer = encodeMessage(table, values as never);
    assert.equal(
      Buffer.from(toBinary(schema, fromBinary(schema, bytes))).toString("hex"),
      bytes.toString("hex"),
    );
    assert.deepEqual(plain(table, decodeMessage(table, bytes)), plain(table, values));
    assert.deepEqual(plain(table, fromBinary(schema, bytes)), plain(table, values));
  }
});

for (const row of [...ROWS, ...COLD_ROWS]) {
  test(`${row.name}: any value → the generated codec's bytes, and back`, () => {
    const prng = new Prng(SEED);
    for (let run = 0; run < PROP_RUNS; run += 1) {
      const value = row.make(prng);
      const bytes = row.encode(value);
      const generated = fromBinary(row.schema, bytes);
      assert.deepEqual(row.from(generated), row.view(value), bytes.toString("hex"));
      assert.equal(
        Buffer.from(toBinary(row.schema, generated)).toString("hex"),
        bytes.toString("hex"),
      );
      assert.deepEqual(row.decode(bytes), row.view(value), bytes.toString("hex"));
      if (row.schema.file.edition === Edition.EDITION_PROTO2)
        assertAllPresent(reflect(row.schema, generated));
    }
  });

  test(`${row.name}: unknown fields, any order, fields left out or sent twice → as protobuf says`, () => {
    const prng = new Prng(SEED + 1);
    for (let run = 0; run < PROP_RUNS; run += 1) {
      const value = row.make(prng);
      const bytes = row.encode(value);
      assert.deepEqual(row.decode(shuffled(bytes, prng)), row.view(value), "another order");
      const fields = fieldsOf(bytes).map((field) => field.bytes);
      const at = prng.below(fields.length + 1);
      const withUnknown = [...fields.slice(0, at), unknownField(prng), ...fields.slice(at)];
      assert.deepEqual(row.decode(Buffer.concat(withUnknown)), row.view(value), "unknown field");
      assertAgree(row, Buffer.concat(fields.filter(() => prng.chance(0.6))));
      assertAgree(row, Buffer.concat([bytes, row.encode(row.make(prng))]));
    }
  });

  test(`${row.name}: cut off at every byte → refused unless a field ends there`, () => {
    const prng = new Prng(SEED + 2);
    for (let run = 0; run < 8; run += 1) {
      const bytes = row.encode(row.make(prng));
      const whole = bytes.subarray(0, 2_000);
      for (let end = 0; end < whole.length; end += 1) assertAgree(row, bytes.subarray(0, end));
    }
  });

  test(`${row.name}: damaged bytes → refused or read as protobuf says (seeded)`, () => {
    const prng = new Prng(SEED + 3);
    for (let run = 0; run < FUZZ_RUNS; run += 1) assertAgree(row, mutated(row, prng));
  });
}
