/** The header of an answer, and the pairs in it, as JSON and as fields. */
import type { KeyValue, ResponseHeader } from "../../client/index.ts";
import { NEWEST_MINOR } from "../compat.ts";
import { hex16 } from "../go-values.ts";
import { type GoJson, omitEmpty } from "./json.ts";
import { quote } from "./quote.ts";

/** The struct's own fields; etcd's lease answers have them beside their own. */
export function headerJson(header: ResponseHeader): Record<string, GoJson> {
  return omitEmpty({
    cluster_id: header.clusterId,
    member_id: header.memberId,
    revision: header.revision,
    raft_term: header.raftTerm,
  });
}

/** With --hex, where etcd honours it: the ids as hexadecimal text. */
export function hexHeaderJson(header: ResponseHeader): Record<string, GoJson> {
  return {
    cluster_id: header.clusterId.toString(16),
    member_id: header.memberId.toString(16),
    ...omitEmpty({ revision: header.revision, raft_term: header.raftTerm }),
  };
}

/** Whether ids are hexadecimal among the fields: --hex changes them from 3.6 on. */
export function areFieldsHex({ isHex, minor }: { isHex: boolean; minor: number }): boolean {
  return isHex && minor >= 6;
}

/** Lines `"ClusterID" : 1` and so on; from 3.6 on the revision only where there is one. */
export function headerFields(header: ResponseHeader, isHex: boolean, minor = NEWEST_MINOR): string {
  const areHex = areFieldsHex({ isHex, minor });
  const id = (value: bigint): string => (areHex ? value.toString(16) : String(value));
  return (
    `"ClusterID" : ${id(header.clusterId)}\n"MemberID" : ${id(header.memberId)}\n` +
    (header.revision > 0 || minor < 6 ? `"Revision" : ${header.revision}\n` : "") +
    `"RaftTerm" : ${header.raftTerm}\n`
  );
}

export function keyValueJson(kv: KeyValue): Record<string, GoJson> {
  return omitEmpty({
    key: kv.key,
    create_revision: kv.createRevision,
    mod_revision: kv.modRevision,
    version: kv.version,
    value: kv.value,
    lease: kv.lease,
  });
}

/** `prefix` is `Prev` or nothing. */
export function keyValueFields(
  prefix: string,
  kv: KeyValue,
  style: { isHex: boolean; minor: number },
): string {
  const isHex = areFieldsHex(style);
  return (
    `"${prefix}Key" : ${quote(kv.key)}\n` +
    `"${prefix}CreateRevision" : ${kv.createRevision}\n` +
    `"${prefix}ModRevision" : ${kv.modRevision}\n` +
    `"${prefix}Version" : ${kv.version}\n` +
    `"${prefix}Value" : ${quote(kv.value)}\n` +
    `"${prefix}Lease" : ${isHex ? hex16(kv.lease) : kv.lease}\n`
  );
}

const NEWLINE = Buffer.from("\n");

/** A line of the key and one of the value; with --hex as `\x61\x62`. */
export function keyValueLines(kv: KeyValue, isHex: boolean, isValueOnly = false): Buffer {
  const value = [isHex ? hexBytes(kv.value) : kv.value, NEWLINE];
  if (isValueOnly) return Buffer.concat(value);
  return Buffer.concat([isHex ? hexBytes(kv.key) : kv.key, NEWLINE, ...value]);
}

function hexBytes(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString("hex").replace(/../g, "\\x$&"), "latin1");
}
