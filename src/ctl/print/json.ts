/**
 * JSON as Go's encoding/json writes etcd's structs: fields in the order of the struct, 64-bit
 * numbers in full, bytes in base64, and `<`, `>`, `&` and the line separators escaped.
 */
import { runeLength } from "./quote.ts";

export type GoJson =
  | undefined
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly GoJson[]
  | { readonly [name: string]: GoJson };

/** Fields that are undefined are left out; null is a nil slice or pointer. */
export function goJson(value: GoJson): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "string") return jsonString(value);
  if (typeof value === "object") {
    if (value instanceof Uint8Array) return `"${Buffer.from(value).toString("base64")}"`;
    if (Array.isArray(value)) return `[${value.map(goJson).join(",")}]`;
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    return `{${fields.map(([name, field]) => `${jsonString(name)}:${goJson(field)}`).join(",")}}`;
  }
  return String(value);
}

/** The struct without its zero fields, as the tag `omitempty` does. */
export function omitEmpty(fields: Readonly<Record<string, GoJson>>): Record<string, GoJson> {
  return Object.fromEntries(Object.entries(fields).filter(([, field]) => !isEmpty(field)));
}

function isEmpty(value: GoJson): boolean {
  if (value === null || value === undefined) return true;
  if (typeof value === "object") return "length" in value && value.length === 0;
  return value === 0 || value === 0n || value === "" || value === false;
}

/** What Go writes for a string; bytes that are no UTF-8 become U+FFFD. */
function jsonString(text: string): string {
  return JSON.stringify(text.toWellFormed()).replace(/[<>&\u2028\u2029\u007f]|\\[bf]/g, (match) => {
    if (match === "\u007f") return match;
    const code = match === "\\b" ? 8 : match === "\\f" ? 12 : match.charCodeAt(0);
    return `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** Text of bytes, as Go prints a string of them into JSON: each bad byte becomes U+FFFD. */
export function goText(bytes: Uint8Array): string {
  let out = "";
  const all = Buffer.from(bytes);
  for (let at = 0; at < all.length; ) {
    const length = runeLength(all, at);
    out += length === 0 ? "\ufffd" : all.toString("utf8", at, at + length);
    at += Math.max(1, length);
  }
  return out;
}
