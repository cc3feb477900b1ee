/** Strings as Go's `%q` writes them: what is no printable text is escaped. */

const SHORT: Readonly<Record<number, string>> = {
  7: "\\a",
  8: "\\b",
  9: "\\t",
  10: "\\n",
  11: "\\v",
  12: "\\f",
  13: "\\r",
  34: '\\"',
  92: "\\\\",
};
/** ASCII that is shown as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;
/** What Go calls printable: letters, marks, numbers, punctuation, symbols, and the plain space. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u;

/** `%q` of text or of bytes; bytes that are no UTF-8 come out as `\xNN`. */
export function quote(value: string | Uint8Array): string {
  const bytes = typeof value === "string" ? Buffer.from(value, "utf8") : Buffer.from(value);
  // Most keys and values are plain, and there may be many of them.
  const plain = bytes.toString("latin1");
  if (PLAIN.test(plain)) return `"${plain}"`;
  let out = '"';
  for (let at = 0; at < bytes.length; ) {
    const length = runeLength(bytes, at);
    if (length === 0) {
      out += `\\x${(bytes[at] as number).toString(16).padStart(2, "0")}`;
      at += 1;
      continue;
    }
    out += escapedRune(bytes.toString("utf8", at, at + length));
    at += length;
  }
  return `${out}"`;
}

function escapedRune(rune: string): string {
  const code = rune.codePointAt(0) as number;
  const short = SHORT[code];
  if (short !== undefined) return short;
  if (code >= 32 && code < 127) return rune;
  if (PRINTABLE.test(rune)) return rune;
  if (code < 0x80) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code < 0x10000
    ? `\\u${code.toString(16).padStart(4, "0")}`
    : `\\U${code.toString(16).padStart(8, "0")}`;
}

/** How many bytes the UTF-8 sequence at `at` takes; 0 when there is none. */
export function runeLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  for (let i = 1; i < length; i += 1) {
    if (((bytes[at + i] as number) & 0xc0) !== 0x80) return 0;
  }
  const second = bytes[at + 1] as number;
  const isBad =
    (first === 0xe0 && second < 0xa0) ||
    (first === 0xed && second > 0x9f) ||
    (first === 0xf0 && second < 0x90) ||
    (first === 0xf4 && second > 0x8f);
  return isBad ? 0 : length;
}
