/**
 * Every table of wire/ beside the generated schema of its message, as rows of the same contract
 * that holds for the codecs written by hand.
 */
import type { DescMessage, Registry } from "@bufbuild/protobuf";
import { createRegistry } from "@bufbuild/protobuf";
import type { Prng } from "../../src/base/index.ts";
import * as schemas from "../../src/wire/cold-schemas.ts";
import { decodeMessage, encodeMessage, type Fields, type Schema } from "../../src/wire/index.ts";
import { file_authpb_auth } from "./gen/authpb/auth_pb.ts";
import { file_etcdserverpb_auth } from "./gen/etcdserverpb/auth_pb.ts";
import { file_etcdserverpb_cluster } from "./gen/etcdserverpb/cluster_pb.ts";
import { file_etcdserverpb_header } from "./gen/etcdserverpb/header_pb.ts";
import { file_etcdserverpb_lease } from "./gen/etcdserverpb/lease_pb.ts";
import { file_etcdserverpb_maintenance } from "./gen/etcdserverpb/maintenance_pb.ts";
import { file_grpc_health_v1_health } from "./gen/grpc/health/v1/health_pb.ts";
import { file_leasepb_lease } from "./gen/leasepb/lease_pb.ts";
import type { Row } from "./wire-rows.ts";

type Values = Record<string, unknown>;

const GENERATED: Registry = createRegistry(
  file_authpb_auth,
  file_etcdserverpb_header,
  file_etcdserverpb_auth,
  file_etcdserverpb_cluster,
  file_etcdserverpb_lease,
  file_etcdserverpb_maintenance,
  file_grpc_health_v1_health,
  file_leasepb_lease,
);

/** Each table, and those within. */
export const TABLES: ReadonlyMap<string, Schema> = collect();

function collect(): Map<string, Schema> {
  const tables = new Map<string, Schema>();
  const add = (table: Schema): void => {
    tables.set(table.typeName, table);
    for (const [, kind] of Object.values(table.fields)) if (typeof kind === "object") add(kind);
  };
  for (const one of Object.values(schemas)) if ("typeName" in one) add(one);
  return tables;
}

export function generatedOf(typeName: string): DescMessage {
  const generated = GENERATED.getMessage(typeName);
  if (generated === undefined) throw new Error(`${typeName} is generated from nothing`);
  return generated;
}

function scalarOf(kind: string, prng: Prng): unknown {
  if (prng.chance(0.2)) return undefined;
  const bits = BigInt(prng.uint32()) * BigInt(prng.pick([0, 1, 0x1_0000_0001]));
  switch (kind) {
    case "bool":
      return prng.chance(0.5);
    case "enum":
      return prng.pick([0, 1, 2, 2002, -1]);
    case "uint32":
      return prng.pick([0, 127, prng.uint32()]);
    case "int64":
      return BigInt.asIntN(64, bits);
    case "uint64":
      return BigInt.asUintN(64, bits);
    case "string":
      return prng.pick(["", "a", "Grüße\u0000", "x".repeat(prng.below(300))]);
    default:
      return prng.bytes(prng.below(200));
  }
}

/** A message of this table, some fields left out. */
export function valuesOf(table: Schema<Fields>, prng: Prng): Values {
  const values: Values = {};
  for (const [name, [, kind, many]] of Object.entries(table.fields)) {
    const one = (): unknown => {
      if (typeof kind === "object") return valuesOf(kind, prng);
      return scalarOf(kind, prng) ?? (kind === "string" ? "" : Buffer.alloc(0));
    };
    if (many === "list") values[name] = Array.from({ length: prng.below(4) }, one);
    else if (many === "map") values[name] = prng.chance(0.5) ? { "": one(), k: one() } : {};
    else if (typeof kind === "object") values[name] = prng.chance(0.3) ? undefined : one();
    else values[name] = scalarOf(kind, prng);
  }
  return values;
}

/** What both codecs' messages come to: absent fields as zero, nothing that is only one's own. */
export function plain(table: Schema<Fields>, message: unknown): Values {
  const given = message as Values;
  const values: Values = {};
  for (const [name, [, kind, many]] of Object.entries(table.fields)) {
    const one = (value: unknown): unknown => {
      if (typeof kind === "object") return value === undefined ? undefined : plain(kind, value);
      return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
    };
    const value = given[name];
    if (many === "list") values[name] = ((value ?? []) as unknown[]).map(one);
    else if (many === "map") {
      const entries = Object.entries((value ?? {}) as Values);
      values[name] = Object.fromEntries(entries.map(([key, item]) => [key, one(item)]));
    } else values[name] = one(value ?? zeroOf(kind));
  }
  return values;
}

function zeroOf(kind: string | Schema): unknown {
  if (typeof kind === "object") return undefined;
  if (kind === "bool") return false;
  if (kind === "enum" || kind === "uint32") return 0;
  if (kind === "int64" || kind === "uint64") return 0n;
  return kind === "string" ? "" : Buffer.alloc(0);
}

/** The judge of damaged bytes knows no maps: what has one is compared by itself. */
export const COLD_ROWS: readonly Row[] = [...TABLES.values()]
  .filter((table) => Object.values(table.fields).every(([, , many]) => many !== "map"))
  .map((table) => ({
    name: table.typeName,
    schema: generatedOf(table.typeName),
    make: (prng) => valuesOf(table, prng),
    encode: (value) => encodeMessage(table, value as Values as never),
    decode: (bytes) => plain(table, decodeMessage(table, bytes)),
    view: (value) => plain(table, value),
    from: (message) => plain(table, message),
    omits: () => false,
  }));
