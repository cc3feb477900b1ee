/**
 * Words of a line typed into `txn` or `watch -i`. Lines and words are byte strings (latin1), since
 * escapes such as `\xff` can make what is no text.
 */
import { latin1FromBytes, latin1FromText } from "../../base/index.ts";
import { CtlError, Exit } from "../exit.ts";

/** Space as Go's expressions have it, which is that of ASCII. */
const WORD = /"(?:[^"\\]|\\.)*"|'[^']*'|[^'"\t\n\f\r ][^\t\n\f\r ]*/g;

/** A typed line as a byte string. */
export function byteString(line: string): string {
  return latin1FromText(line);
}

/** A byte string as it was typed, for messages. */
export function shown(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/** Splits at space; quotes of both kinds hold words together, escapes count in double ones. */
export function argify(line: string): string[] {
  return [...line.matchAll(WORD)].map(([word]) => {
    if (word.startsWith("'")) return word.slice(1, -1);
    if (!word.startsWith('"')) return word;
    const text = unquote(word);
    if (text === undefined) throw new CtlError("invalid syntax", Exit.INVALID_INPUT);
    return text;
  });
}

const ESCAPE =
  /^\\(?:([abfnrtv\\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/;
const LETTERS: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  '"': '"',
};

/** What a Go string literal says; undefined when it is none. */
export function unquote(literal: string): string | undefined {
  if (literal.startsWith("`")) return literal.slice(1, -1);
  let out = "";
  for (let at = 1; at < literal.length - 1; ) {
    if (literal[at] !== "\\") {
      out += literal[at];
      at += 1;
      continue;
    }
    const escape = ESCAPE.exec(literal.slice(at, literal.length - 1));
    const text = escape === null ? undefined : escaped(escape);
    if (escape === null || text === undefined) return undefined;
    out += text;
    at += escape[0].length;
  }
  return out;
}

function escaped([, letter, hex, octal, short, long]: RegExpExecArray): string | undefined {
  if (letter !== undefined) return LETTERS[letter];
  if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
  if (octal !== undefined) {
    const byte = Number.parseInt(octal, 8);
    return byte > 255 ? undefined : String.fromCharCode(byte);
  }
  const rune = Number.parseInt(short ?? long ?? "", 16);
  if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) return undefined;
  return latin1FromBytes(Buffer.from(String.fromCodePoint(rune), "utf8"));
}
