/** Answers of the Auth service in every format. */
import type { Printable } from "../context.ts";
import { headerFields, headerJson } from "../print/header.ts";
import { type GoJson, goJson, omitEmpty } from "../print/json.ts";
import { quote } from "../print/quote.ts";
import type { Answer, NamesAnswer, Permission, RoleAnswer, StatusAnswer } from "./methods.ts";

interface Style {
  readonly isHex: boolean;
  readonly minor: number;
}

/** A change that was made: `line` says which. */
export function printDone(answer: Answer, line: string, style: Style): Printable {
  return {
    ...encoded(answer, {}),
    simple: () => line,
    fields: () => headerFields(answer.header, style.isHex, style.minor),
  };
}

export function printUser(name: string, answer: NamesAnswer): Printable {
  return {
    ...encoded(answer, { roles: answer.names }),
    simple: () => `User: ${name}\nRoles:${answer.names.map((role) => ` ${role}`).join("")}\n`,
  };
}

export function printUsers(answer: NamesAnswer): Printable {
  return {
    ...encoded(answer, { users: answer.names }),
    simple: () => answer.names.map((user) => `${user}\n`).join(""),
  };
}

export function printRoles(answer: NamesAnswer, style: Style): Printable {
  return {
    ...encoded(answer, { roles: answer.names }),
    simple: () => answer.names.map((role) => `${role}\n`).join(""),
    fields: () =>
      headerFields(answer.header, style.isHex, style.minor) +
      `"Roles" :${answer.names.map((role) => ` ${quote(role)}`).join("")}\n`,
  };
}

export function printStatus(answer: StatusAnswer): Printable {
  const { enabled, authRevision } = answer;
  return {
    ...encoded(answer, { enabled, authRevision }),
    simple: () => `Authentication Status: ${enabled}\nAuthRevision: ${authRevision}\n`,
  };
}

const TYPES = ["READ", "WRITE", "READWRITE"];

export function printRole(name: string, answer: RoleAnswer, style: Style): Printable {
  const { permissions } = answer;
  const perm = permissions.map(({ type, key, rangeEnd }) =>
    omitEmpty({ permType: type, key, range_end: rangeEnd }),
  );
  return {
    ...encoded(answer, { perm }),
    simple: () => roleLines(name, permissions, style.minor),
    fields: () =>
      headerFields(answer.header, style.isHex, style.minor) +
      permissions.map(permissionFields).join(""),
  };
}

function permissionFields({ type, key, rangeEnd }: Permission): string {
  return (
    `"PermType" :  ${TYPES[type] ?? type}\n` +
    `"Key" : ${quote(key)}\n"RangeEnd" : ${quote(rangeEnd)}\n`
  );
}

const ALL = "\t[, <open ended>\n";

/** Since 3.6 it is said that root may everything. */
function roleLines(name: string, permissions: readonly Permission[], minor: number): string {
  if (minor >= 6 && name === "root" && permissions.length === 0) {
    return `Role ${name}\nKV Read:\n${ALL}KV Write:\n${ALL}`;
  }
  const lines = (types: readonly number[]): string =>
    permissions
      .filter(({ type }) => types.includes(type))
      .map(rangeLine)
      .join("");
  return `Role ${name}\nKV Read:\n${lines([0, 2])}KV Write:\n${lines([1, 2])}`;
}

function rangeLine({ key, rangeEnd }: Permission): string {
  const first = key.toString("utf8");
  if (rangeEnd.length === 0) return `\t${first}\n`;
  const isOpen = rangeEnd.equals(Buffer.from([0]));
  const end = isOpen ? "<open ended>" : `${rangeEnd.toString("utf8")})`;
  const isPrefix = key.length > 0 && prefixEnd(key).equals(rangeEnd);
  return `\t[${first}, ${end}${isPrefix ? ` (prefix ${first})` : ""}\n`;
}

/** The end of all keys that begin with `key`; a zero byte where there is none. */
export function prefixEnd(key: Buffer): Buffer {
  for (let at = key.length - 1; at >= 0; at -= 1) {
    const byte = key[at] as number;
    if (byte < 0xff) return Buffer.concat([key.subarray(0, at), Buffer.from([byte + 1])]);
  }
  return Buffer.from([0]);
}

function encoded(answer: Answer, fields: Record<string, GoJson>) {
  return {
    json: () => `${goJson(omitEmpty({ header: headerJson(answer.header), ...fields }))}\n`,
    protobuf: () => answer.bytes,
  };
}
