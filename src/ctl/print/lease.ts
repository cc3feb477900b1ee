/** Answers of the Lease service in every format. */
import { ByteWriter } from "../../base/index.ts";
import type {
  HeaderResponse,
  LeaseGrantResponse,
  LeaseKeepAliveResponse,
  LeaseLeasesResponse,
  LeaseTimeToLiveResponse,
  ResponseHeader,
} from "../../client/index.ts";
import { encodeHeader, encodeLeaseRevokeResponse } from "../../wire/index.ts";
import type { Printable } from "../context.ts";
import { hex16 } from "../go-values.ts";
import { areFieldsHex, headerFields, headerJson } from "./header.ts";
import { type GoJson, goJson } from "./json.ts";
import { quote } from "./quote.ts";

interface Style {
  readonly isHex: boolean;
  readonly minor: number;
}

export function printGrant(answer: LeaseGrantResponse, style: Style): Printable {
  const { id, ttlSeconds: ttl } = answer;
  return {
    simple: () => `lease ${hex16(id)} granted with TTL(${ttl}s)\n`,
    ...wrapped(answer.header, { ID: id, TTL: ttl, Error: "" }),
    fields: () => `${fieldsOf(answer, style)}"TTL" : ${ttl}\n`,
  };
}

export function printRevoke(id: bigint, { header }: HeaderResponse, style: Style): Printable {
  return {
    simple: () => `lease ${hex16(id)} revoked\n`,
    json: () => `${goJson({ header: headerJson(header) })}\n`,
    fields: () => headerFields(header, style.isHex, style.minor),
    protobuf: () => {
      const writer = new ByteWriter();
      encodeLeaseRevokeResponse(writer, header);
      return writer.take();
    },
  };
}

export function printKeepAlive(answer: LeaseKeepAliveResponse, style: Style): Printable {
  const { id, ttlSeconds: ttl } = answer;
  return {
    simple: () => `lease ${hex16(id)} keepalived with TTL(${ttl})\n`,
    ...wrapped(answer.header, { ID: id, TTL: ttl }),
    fields: () => `${fieldsOf(answer, style)}"TTL" : ${ttl}\n`,
  };
}

/** `areKeysAsked`: with --keys, even when there are none. */
export function printTimeToLive(
  answer: LeaseTimeToLiveResponse,
  areKeysAsked: boolean,
  style: Style,
): Printable {
  const { id, ttlSeconds: ttl, grantedTtlSeconds: granted, keys } = answer;
  return {
    simple: () => timeToLiveLine(answer, areKeysAsked),
    ...wrapped(answer.header, {
      id,
      ttl,
      "granted-ttl": granted,
      keys: keys.length === 0 ? null : keys,
    }),
    fields: () =>
      `${fieldsOf(answer, style)}"TTL" : ${ttl}\n"GrantedTTL" : ${granted}\n` +
      keys.map((key) => `"Key" : ${quote(key)}\n`).join(""),
  };
}

function timeToLiveLine(answer: LeaseTimeToLiveResponse, areKeysAsked: boolean): Buffer {
  const { id, ttlSeconds: ttl, grantedTtlSeconds: granted, keys } = answer;
  if (granted === 0 && ttl === -1) return Buffer.from(`lease ${hex16(id)} already expired\n`);
  const line = `lease ${hex16(id)} granted with TTL(${granted}s), remaining(${ttl}s)`;
  if (!areKeysAsked) return Buffer.from(`${line}\n`);
  const space = Buffer.from(" ");
  const joined = keys.flatMap((key, at) => (at === 0 ? [key] : [space, key]));
  return Buffer.concat([Buffer.from(`${line}, attached keys([`), ...joined, Buffer.from("])\n")]);
}

export function printLeases(answer: LeaseLeasesResponse, style: Style): Printable {
  const { header, leases } = answer;
  return {
    simple: () => `found ${leases.length} leases\n${leases.map((id) => `${hex16(id)}\n`).join("")}`,
    ...wrapped(header, { leases: leases.map((id) => ({ id })) }),
    fields: () =>
      headerFields(header, style.isHex, style.minor) +
      leases.map((id) => idField(id, style)).join(""),
  };
}

/**
 * etcd's own struct around the message: the header's fields stand beside its own in JSON, and in
 * protobuf nothing but the header comes out.
 */
function wrapped(
  header: ResponseHeader,
  fields: Readonly<Record<string, GoJson>>,
): Pick<Printable, "json" | "protobuf"> {
  return {
    json: () => `${goJson({ ...headerJson(header), ...fields })}\n`,
    protobuf: () => {
      const writer = new ByteWriter();
      encodeHeader(writer, header);
      return writer.take();
    },
  };
}

function fieldsOf(answer: { header: ResponseHeader; id: bigint }, style: Style): string {
  return headerFields(answer.header, style.isHex, style.minor) + idField(answer.id, style);
}

function idField(id: bigint, style: Style): string {
  return `"ID" : ${areFieldsHex(style) ? hex16(id) : id}\n`;
}
