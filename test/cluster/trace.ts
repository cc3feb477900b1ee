/** What happened in a simulated run, in order: a digest of it all, and the last lines to read. */
import { closeSync, openSync, writeSync } from "node:fs";
import type { NetworkEvent } from "../../src/testing/index.ts";
import { MessageType } from "../../src/wire/index.ts";

/** What is kept for whoever wants to read the last lines. */
const KEPT_MAX = 1_024;
const CHUNK_CHARACTERS = 65_536;
/** Where all lines go as well, for reading. */
const FILE = process.env["SIM_TRACE_FILE"];

const TYPE_NAMES = new Map<number, string>(
  Object.entries(MessageType).map(([name, type]) => [type, name.toLowerCase()]),
);

interface Line {
  readonly atMs: number;
  /** Messages become words when somebody reads them: most are never read. */
  readonly what: string | NetworkEvent;
}

export class Trace {
  readonly #mixer = new Mixer();
  readonly #kept: Line[] = [];
  #count = 0;
  #fileChunk = "";
  readonly #file: number | undefined;

  constructor(path = FILE) {
    this.#file = path === undefined ? undefined : openSync(path, "w");
  }

  add(atMs: number, line: string): void {
    this.#mixer.number(atMs);
    this.#mixer.text(line);
    this.#keep({ atMs, what: line });
  }

  /** All that `describe` shows of it counts for the digest. */
  event(atMs: number, event: NetworkEvent): void {
    const { message } = event;
    const mixer = this.#mixer;
    mixer.number(atMs);
    mixer.text(event.fate);
    mixer.text(event.from);
    mixer.text(event.to);
    mixer.integer(event.number);
    mixer.integer(message.type);
    mixer.integer(message.term);
    mixer.integer(message.logTerm);
    mixer.integer(message.index);
    mixer.integer(message.commit);
    mixer.integer(message.entries.length);
    mixer.integer(message.reject ? message.rejectHint : -1);
    mixer.integer(message.snapshot?.metadata.index ?? -1);
    this.#keep({ atMs, what: event });
  }

  #keep(line: Line): void {
    this.#kept[this.#count % KEPT_MAX] = line;
    this.#count += 1;
    if (this.#file !== undefined) this.#write(textOf(line));
  }

  #write(text: string): void {
    this.#fileChunk += text;
    if (this.#fileChunk.length > CHUNK_CHARACTERS) this.#flush();
  }

  /** Somebody will read it: `detail` is worth its price. */
  get isRead(): boolean {
    return this.#file !== undefined;
  }

  /** For the file alone. */
  detail(atMs: number, line: string): void {
    if (this.#file !== undefined) this.#write(textOf({ atMs, what: line }));
  }

  #flush(): void {
    if (this.#file !== undefined) writeSync(this.#file, this.#fileChunk);
    this.#fileChunk = "";
  }

  /** Equal for two runs that did the same at the same times: of every line, from the first on. */
  digest(): string {
    return `${this.#count}:${this.#mixer.digest()}`;
  }

  /** Nothing is added any more. */
  close(): void {
    this.#flush();
    if (this.#file !== undefined) closeSync(this.#file);
  }

  /** The last lines, those that match if a pattern is given. */
  last(count: number, pattern?: RegExp): string {
    const lines: string[] = [];
    for (let at = Math.max(0, this.#count - KEPT_MAX); at < this.#count; at += 1) {
      const text = textOf(this.#kept[at % KEPT_MAX] as Line);
      if (pattern === undefined || pattern.test(text)) lines.push(text);
    }
    return lines.slice(-count).join("");
  }
}

/** Two running hashes of 32 bits: cheap, and good enough to tell runs apart. */
class Mixer {
  #one = 0x811c9dc5;
  #other = 0x9747b28c;
  readonly #float = new Float64Array(1);
  readonly #halves = new Int32Array(this.#float.buffer);

  integer(value: number): void {
    this.#one = Math.imul(this.#one ^ value, 0x01000193);
    this.#other = Math.imul((this.#other << 13) ^ (this.#other >>> 19) ^ value, 0x5bd1e995);
  }

  number(value: number): void {
    this.#float[0] = value;
    this.integer(this.#halves[0] as number);
    this.integer(this.#halves[1] as number);
  }

  text(value: string): void {
    this.integer(value.length);
    for (let at = 0; at < value.length; at += 1) this.integer(value.charCodeAt(at));
  }

  digest(): string {
    const hex = (half: number): string => (half >>> 0).toString(16).padStart(8, "0");
    return hex(this.#one) + hex(this.#other);
  }
}

function textOf({ atMs, what }: Line): string {
  return `${atMs.toFixed(3)} ${typeof what === "string" ? what : describe(what)}\n`;
}

/** What was sent with all that matters of it; what became of it by its number. */
function describe({ fate, from, to, message, number }: NetworkEvent): string {
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
