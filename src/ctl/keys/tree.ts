/** A tree of keys as lines; below its depth, and beside its keys, only counts. */
import { humanBytes } from "../../base/index.ts";
import { endOf, type KeyReader, Level, type LevelEntry } from "./level.ts";

export interface TreeOptions {
  readonly separator: Buffer;
  /** Levels that are opened. */
  readonly depth: number;
  /** Lines of a tree at most. */
  readonly linesMax: number;
  /** Bytes of keys and values in [from, to); undefined = sizes are not wanted. */
  readonly bytesOf: ((from: Buffer, to: Buffer) => Promise<number>) | undefined;
}

/** Writes line by line, so that a large tree is never in memory. */
export async function writeTree(
  reader: KeyReader,
  path: Buffer,
  options: TreeOptions,
  write: (line: string) => void,
): Promise<void> {
  const tree = new TreeWriter(reader, options, write);
  const name = path.length === 0 ? "(all keys)" : path.toString();
  write(`${name}${await tree.note(path)}`);
  const isWhole = await tree.level(path, "", options.depth);
  if (!isWhole) write(`... more than ${options.linesMax} lines: give a prefix, or less --depth`);
}

class TreeWriter {
  readonly #reader: KeyReader;
  readonly #options: TreeOptions;
  readonly #write: (line: string) => void;
  #lines = 0;

  constructor(reader: KeyReader, options: TreeOptions, write: (line: string) => void) {
    this.#reader = reader;
    this.#options = options;
    this.#write = write;
  }

  /** False when there are too many lines. */
  async level(path: Buffer, indent: string, depth: number): Promise<boolean> {
    if (depth === 0) return true;
    const level = new Level(this.#reader, this.#options.separator, path);
    let held: LevelEntry | undefined;
    // One entry is held back: the last one is drawn otherwise.
    while (!level.isOver) {
      for (const entry of await level.more()) {
        if (held !== undefined && !(await this.#entry(held, indent, depth, false))) return false;
        held = entry;
      }
    }
    return held === undefined || (await this.#entry(held, indent, depth, true));
  }

  async #entry(
    entry: LevelEntry,
    indent: string,
    depth: number,
    isLast: boolean,
  ): Promise<boolean> {
    if (this.#lines >= this.#options.linesMax) return false;
    this.#lines += 1;
    const note = entry.isDirectory ? await this.note(entry.path) : await this.#size(entry.path);
    this.#write(`${indent}${isLast ? "└── " : "├── "}${entry.name}${note}`);
    if (!entry.isDirectory) return true;
    return await this.level(entry.path, `${indent}${isLast ? "    " : "│   "}`, depth - 1);
  }

  /** `  12 keys, 3.4 kB`. */
  async note(path: Buffer): Promise<string> {
    const to = endOf(path);
    const count = await this.#reader.count(path, to);
    const bytes = await this.#options.bytesOf?.(path, to);
    const size = bytes === undefined ? "" : `, ${humanBytes(bytes)}`;
    return `  ${count} ${count === 1 ? "key" : "keys"}${size}`;
  }

  async #size(key: Buffer): Promise<string> {
    const bytes = await this.#options.bytesOf?.(key, Buffer.concat([key, Buffer.of(0)]));
    return bytes === undefined ? "" : `  ${humanBytes(bytes)}`;
  }
}
