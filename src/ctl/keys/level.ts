/**
 * Keys as a file system: what lies between two separators is a name, and names that lead on are
 * directories. One level is read in pages of keys without values; the inside of a directory is
 * jumped over.
 */
import type { Client, RangeResponse } from "../../client/index.ts";
import { readableText } from "../pretty/bytes.ts";
import { quote } from "../print/quote.ts";

/** Keys of one page. */
export const PAGE_KEYS = 256;

export interface LevelEntry {
  /** The key, or the beginning that all keys of the directory have, separator included. */
  readonly path: Buffer;
  /** What is shown: its part behind the level's own path. */
  readonly name: string;
  readonly isDirectory: boolean;
}

/** Reads keys in order, all as of one revision; a test hands in its own. */
export interface KeyReader {
  /** Keys in [from, to). An empty `to` is the end of all keys. */
  page(from: Buffer, to: Buffer, limit: number): Promise<KeyPage>;
  /** How many keys are in [from, to). */
  count(from: Buffer, to: Buffer): Promise<number>;
}

export interface KeyPage {
  readonly keys: readonly Buffer[];
  readonly hasMore: boolean;
}

export function keyReaderOf(client: Client, timeoutMs: number): KeyReader {
  let revision = 0;
  const range = async (from: Buffer, to: Buffer, more: object): Promise<RangeResponse> => {
    const span = to.length === 0 ? { fromKey: true } : { rangeEnd: to };
    // No key is empty, and none may be asked for.
    const key = from.length === 0 ? ZERO : from;
    const answer = await client.kv.get(key, { ...span, ...more, revision, timeoutMs });
    if (revision === 0) revision = answer.header.revision;
    return answer;
  };
  return {
    page: async (from, to, limit) => {
      const { kvs, more } = await range(from, to, { keysOnly: true, limit });
      // Copied: a view would keep the whole answer in memory.
      return { keys: kvs.map(({ key }) => Buffer.from(key)), hasMore: more };
    },
    count: async (from, to) => (await range(from, to, { countOnly: true })).count,
  };
}

/** The first key behind all that begin with `prefix`; empty = there is none. */
export function endOf(prefix: Buffer): Buffer {
  for (let at = prefix.length - 1; at >= 0; at -= 1) {
    const byte = prefix[at] as number;
    if (byte === 0xff) continue;
    const end = Buffer.from(prefix.subarray(0, at + 1));
    end[at] = byte + 1;
    return end;
  }
  return Buffer.alloc(0);
}

/** Goes through one level from where it stopped. */
export class Level {
  readonly path: Buffer;
  readonly #reader: KeyReader;
  readonly #separator: Buffer;
  readonly #end: Buffer;
  #cursor: Buffer;
  #isOver = false;

  /** `from`: the first key that is wanted, at least `path`. */
  constructor(reader: KeyReader, separator: Buffer, path: Buffer, from = path) {
    this.#reader = reader;
    this.#separator = separator;
    this.path = path;
    this.#cursor = from;
    this.#end = endOf(path);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The next few entries, in order; none when the level is over. */
  async more(): Promise<readonly LevelEntry[]> {
    if (this.#isOver) return [];
    const { keys, hasMore } = await this.#reader.page(this.#cursor, this.#end, PAGE_KEYS);
    const found: LevelEntry[] = [];
    let last: LevelEntry | undefined;
    for (const key of keys) {
      if (last?.isDirectory === true && startsWith(key, last.path)) continue;
      last = this.#entry(key);
      found.push(last);
    }
    if (!hasMore || last === undefined) this.#isOver = true;
    else {
      const from = last.isDirectory ? endOf(last.path) : Buffer.concat([last.path, ZERO]);
      // Behind the last possible name there is nothing.
      if (from.length === 0) this.#isOver = true;
      this.#cursor = from;
    }
    return found;
  }

  #entry(key: Buffer): LevelEntry {
    const at = key.indexOf(this.#separator, this.path.length);
    const isDirectory = at !== -1;
    const path = isDirectory ? key.subarray(0, at + this.#separator.length) : key;
    const rest = path.subarray(this.path.length);
    // A key that is the beginning of the others.
    return { path, name: rest.length === 0 ? "." : shown(rest), isDirectory };
  }
}

const ZERO = Buffer.of(0);

export function startsWith(key: Buffer, prefix: Buffer): boolean {
  return key.length >= prefix.length && key.subarray(0, prefix.length).equals(prefix);
}

/** As text without anything that a terminal would obey. */
export function shown(bytes: Buffer): string {
  const text = readableText(bytes);
  return text === undefined || /[\n\r\t]/.test(text) ? quote(bytes) : text;
}
