/** Values of options, as commander hands them over. Each reader throws UtlError. */
import { UtlError } from "./io.ts";

export type Given = Readonly<Record<string, string | boolean | undefined>>;

/** Whether an option without a default is there. */
export function wasGiven(given: Given, option: string): boolean {
  return given[option] !== undefined;
}

/** 0 when it is not given. */
export function readCount(given: Given, option: string, flag: string): number {
  const text = String(given[option] ?? "0");
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new UtlError(`invalid argument "${text}" for "${flag}" flag: a whole number is wanted`);
}

/** `--flag`, `--flag=true`, `--flag=false`. */
export function readBool(given: Given, option: string, flag: string): boolean {
  const value = given[option];
  if (typeof value === "boolean") return value;
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0" || value === undefined) return false;
  throw new UtlError(`invalid argument "${value}" for "${flag}" flag: true or false is wanted`);
}

/** RFC 3339 with a zone, such as 2026-11-21T15:04:05Z; in ms since the epoch. */
export function readTime(given: Given, option: string, flag: string): number {
  const text = String(given[option]);
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(text);
  const timeMs = isTime ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(timeMs)) return timeMs;
  throw new UtlError(
    `invalid argument "${text}" for "${flag}" flag: a time such as 2026-11-21T15:04:05Z is wanted`,
  );
}

/** "10s", "500ms", "1m30s"; in ms. */
export function readDuration(given: Given, option: string, flag: string): number {
  const text = String(given[option]);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const isWhole = parts.length > 0 && parts.map(([part]) => part).join("") === text;
  if (text === "0") return 0;
  if (!isWhole) {
    throw new UtlError(`invalid argument "${text}" for "${flag}" flag: a duration such as 10s`);
  }
  const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3 };
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (unitMs[unit ?? ""] ?? 0), 0);
}
