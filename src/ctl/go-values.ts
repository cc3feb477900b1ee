/** Numbers, switches and durations as Go's library reads and writes them, errors included. */
import { quote } from "./print/quote.ts";

const TRUE = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const FALSE = new Set(["0", "f", "F", "FALSE", "false", "False"]);

export function parseBool(text: string): boolean {
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw new Error(`strconv.ParseBool: parsing ${quote(text)}: invalid syntax`);
}

const INT64_MAX = (1n << 63n) - 1n;
const UINT64_MAX = (1n << 64n) - 1n;

/** Base 0 reads the prefixes 0x, 0o, 0b and 0 too. Throws an Error in Go's words. */
export function parseInt64(text: string, base: 0 | 10 | 16): bigint {
  const [, sign = "", rest = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  const magnitude = magnitudeOf(rest, base);
  const failed = (why: string): Error =>
    new Error(`strconv.ParseInt: parsing ${quote(text)}: ${why}`);
  if (magnitude === undefined) throw failed("invalid syntax");
  const isOut = sign === "-" ? magnitude > INT64_MAX + 1n : magnitude > INT64_MAX;
  if (isOut) throw failed("value out of range");
  return sign === "-" ? -magnitude : magnitude;
}

/** As parseInt64, for ids of members and clusters. */
export function parseUint64(text: string, base: 10 | 16): bigint {
  const value = magnitudeOf(text, base);
  const failed = (why: string): Error =>
    new Error(`strconv.ParseUint: parsing ${quote(text)}: ${why}`);
  if (value === undefined) throw failed("invalid syntax");
  if (value > UINT64_MAX) throw failed("value out of range");
  return value;
}

function magnitudeOf(text: string, base: 0 | 10 | 16): bigint | undefined {
  if (base === 10) return /^[0-9]+$/.test(text) ? BigInt(text) : undefined;
  if (base === 16) return /^[0-9a-f]+$/i.test(text) ? BigInt(`0x${text}`) : undefined;
  const plain = text.replace(/(?<=[0-9a-fx])_(?=[0-9a-f])/gi, "");
  if (/^0[0-7]+$/.test(plain)) return BigInt(`0o${plain.slice(1)}`);
  if (/^(0|[1-9][0-9]*|0x[0-9a-f]+|0o[0-7]+|0b[01]+)$/i.test(plain)) return BigInt(plain);
  return undefined;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;

/** `1h2m3.5s` in milliseconds. Throws an Error in Go's words. */
export function parseDuration(text: string): number {
  const [, sign = "", rest = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (rest === "0") return 0;
  let ms = 0;
  let at = 0;
  while (at < rest.length) {
    PART.lastIndex = at;
    const part = PART.exec(rest);
    if (part === null) break;
    ms += Number(part[1]) * (UNIT_MS[part[2] as string] as number);
    at = PART.lastIndex;
  }
  if (at === rest.length && at > 0) return sign === "-" ? -ms : ms;
  const missing = /^(\d+\.?\d*|\.\d+)([^\d.]*)/.exec(rest.slice(at));
  if (missing === null) throw new Error(`time: invalid duration ${quote(text)}`);
  if (missing[2] === "") throw new Error(`time: missing unit in duration ${quote(text)}`);
  throw new Error(`time: unknown unit ${quote(missing[2] as string)} in duration ${quote(text)}`);
}

/** As Go prints one: `2.345678ms`, `1m30s`, `0s`. */
export function formatDuration(ms: number): string {
  const ns = Math.round(Math.abs(ms) * 1e6);
  const sign = ms < 0 ? "-" : "";
  if (ns === 0) return "0s";
  if (ns < 1e3) return `${sign}${ns}ns`;
  if (ns < 1e6) return `${sign}${trimmed(ns / 1e3, 3)}µs`;
  if (ns < 1e9) return `${sign}${trimmed(ns / 1e6, 6)}ms`;
  const hours = Math.floor(ns / 3.6e12);
  const minutes = Math.floor((ns % 3.6e12) / 6e10);
  const seconds = `${trimmed((ns % 6e10) / 1e9, 9)}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}` : `${sign}${seconds}`;
}

function trimmed(value: number, decimals: number): string {
  return String(Number(value.toFixed(decimals)));
}

/** An id of 64 bits as Go's `%016x`; leases may be negative, and keep their sign. */
export function hex16(id: bigint): string {
  return id < 0n ? `-${(-id).toString(16).padStart(15, "0")}` : id.toString(16).padStart(16, "0");
}
