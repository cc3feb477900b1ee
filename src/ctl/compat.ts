/**
 * Whose command line is spoken. `--compat` alone means the second API, as etcdctl with
 * ETCDCTL_API=2; `--compat=3.2`, or ETCDCTL_COMPAT, means the etcdctl of that version: its columns,
 * its lines, and up to 3.3 the second API unless ETCDCTL_API=3 asks for the third.
 */
import { CtlError, CtlExit, Exit } from "./exit.ts";
import type { CtlIo } from "./io.ts";

/** The etcdctl that this is unless told otherwise. */
export const NEWEST_MINOR = 7;
/** The last etcdctl that spoke the second API when nothing was said. */
const LAST_MINOR_OF_V2 = 3;

export interface Compat {
  /** Y of the etcdctl 3.Y that is to be equalled. */
  readonly minor: number;
  /** The second API is asked for; a command that it alone has asks for it too. */
  readonly isV2: boolean;
  /** The command line without `--compat`. */
  readonly words: readonly string[];
}

/** Throws CtlError for a version or an API that is none. */
export function readCompat(given: readonly string[], io: CtlIo): Compat {
  const dash = given.indexOf("--");
  const before = dash === -1 ? given : given.slice(0, dash);
  const words: string[] = [];
  let wanted = io.env["ETCDCTL_COMPAT"] ?? "";
  let isBare = false;
  for (let at = 0; at < before.length; at += 1) {
    const word = before[at] as string;
    const next = before[at + 1] ?? "";
    if (word.startsWith("--compat=")) wanted = word.slice("--compat=".length);
    else if (word !== "--compat") words.push(word);
    else if (/^\d+\.\d+$/.test(next)) {
      wanted = next;
      at += 1;
    } else isBare = true;
  }
  const minor = minorOf(wanted);
  const isV2 = isBare || apiOf(minor, io) === "2";
  return { minor, isV2, words: dash === -1 ? words : [...words, ...given.slice(dash)] };
}

function minorOf(text: string): number {
  if (text === "") return NEWEST_MINOR;
  const minor = Number(/^3\.(\d)$/.exec(text)?.[1] ?? -1);
  if (minor >= 0 && minor <= NEWEST_MINOR) return minor;
  throw new CtlError(`--compat ${text} is none of 3.0 to 3.${NEWEST_MINOR}`, Exit.BAD_ARGS);
}

function apiOf(minor: number, io: CtlIo): string {
  const api = io.env["ETCDCTL_API"] ?? "";
  if (api === "") return minor <= LAST_MINOR_OF_V2 ? "2" : "3";
  if (api === "2" || api === "3") return api;
  io.stderr(`unsupported API version ${api}\n`);
  throw new CtlExit(Exit.ERROR);
}
