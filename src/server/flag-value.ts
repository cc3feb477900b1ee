/**
 * Values of flags as Go's flag package reads them. Each reader gives undefined for what is none.
 */

const NANOSECONDS_PER_UNIT: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** "1h30m", "5s", "-1.5ms", "0" in milliseconds. */
export function readDurationMs(text: string): number | undefined {
  const sign = text.startsWith("-") ? -1 : 1;
  const body = text.replace(/^[+-]/, "");
  if (body === "0") return 0;
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(body)) return undefined;
  let nanoseconds = 0;
  for (const [, amount, unit] of body.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    nanoseconds += Number(amount) * (NANOSECONDS_PER_UNIT[unit as string] as number);
  }
  // Go counts nanoseconds in 64 bits.
  return nanoseconds > 2 ** 63 ? undefined : (sign * nanoseconds) / 1e6;
}

const TRUE = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const FALSE = new Set(["0", "f", "F", "false", "FALSE", "False"]);

export function readBool(text: string): boolean | undefined {
  if (TRUE.has(text)) return true;
  return FALSE.has(text) ? false : undefined;
}

/** Decimal, or with a prefix 0x, 0o, 0b; digits may be parted by underscores. */
export function readInteger(text: string): number | undefined {
  const match = /^([+-]?)(0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*)$/.exec(text);
  if (match === null) return undefined;
  const value = Number((match[2] as string).replaceAll("_", "").toLowerCase());
  if (!Number.isSafeInteger(value)) return undefined;
  return match[1] === "-" ? -value : value;
}

/** Comma-separated, without empty parts, each once, in the given order. */
export function readList(text: string): string[] {
  return [...new Set(text.split(",").map((part) => part.trim()))].filter((part) => part !== "");
}
