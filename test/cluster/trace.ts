/** What happened in a simulated run, in order: a digest of it all, and the last lines to read. */
import { createHash } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import type { NetworkEvent } from "../../src/testing/index.ts";
import { MessageType } from "../../src/wire/index.ts";

const LINES_MAX = 4_000;
const CHUNK_CHARACTERS = 65_536;
/** Where all lines go as well, for reading. */
const FILE = process.env["SIM_TRACE_FILE"];

const TYPE_NAMES = new Map<number, string>(
  Object.entries(MessageType).map(([name, type]) => [type, name.toLowerCase()]),
);

export class Trace {
  readonly #hash = createHash("sha256");
  /** Lines that are not in the hash yet, and those that are not in the file. */
  #chunk = "";
  #fileChunk = "";
  #lines: string[] = [];
  #count = 0;
  readonly #file: number | undefined;

  constructor(path = FILE) {
    this.#file = path === undefined ? undefined : openSync(path, "w");
  }

  add(atMs: number, line: string): void {
    const text = `${atMs.toFixed(3)} ${line}\n`;
    this.#chunk += text;
    if (this.#file !== undefined) this.#fileChunk += text;
    if (this.#chunk.length > CHUNK_CHARACTERS) this.flush();
    this.#count += 1;
    this.#lines.push(text);
    if (this.#lines.length > 2 * LINES_MAX) this.#lines = this.#lines.slice(-LINES_MAX);
  }

  /** Somebody will read it: `detail` is worth its price. */
  get isRead(): boolean {
    return this.#file !== undefined;
  }

  /** For the file alone. */
  detail(atMs: number, line: string): void {
    if (this.#file !== undefined) this.#fileChunk += `${atMs.toFixed(3)} ${line}\n`;
  }

  flush(): void {
    this.#hash.update(this.#chunk);
    if (this.#file !== undefined) writeSync(this.#file, this.#fileChunk);
    this.#chunk = "";
    this.#fileChunk = "";
  }

  /** Equal for two runs that did the same at the same times: of every line, from the first on. */
  digest(): string {
    this.flush();
    return `${this.#count}:${this.#hash.copy().digest("hex").slice(0, 16)}`;
  }

  /** Nothing is added any more. */
  close(): void {
    this.flush();
    if (this.#file !== undefined) closeSync(this.#file);
  }

  /** The last lines, those that match if a pattern is given. */
  last(count: number, pattern?: RegExp): string {
    const lines =
      pattern === undefined ? this.#lines : this.#lines.filter((line) => pattern.test(line));
    return lines.slice(-count).join("");
  }
}

/** What was sent with all that matters of it; what became of it by its number. */
export function describe({ fate, from, to, message, number }: NetworkEvent): string {
  const type = TYPE_NAMES.get(message.type) ?? String(message.type);
  const way = `#${number} ${from}>${to} ${type}`;
  if (fate !== "sent") return `${fate} ${way}`;
  const entries = message.entries.length === 0 ? "" : ` entries ${message.entries.length}`;
  const snapshot = message.snapshot?.metadata;
  const refused = message.reject ? ` reject ${message.rejectHint}` : "";
  return (
    `sent ${way} term ${message.term} ` +
    `log ${message.logTerm}/${message.index} commit ${message.commit}${entries}${refused}` +
    (snapshot === undefined ? "" : ` snapshot ${snapshot.term}/${snapshot.index}`)
  );
}
