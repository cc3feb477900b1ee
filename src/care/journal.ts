/**
 * What care has found, why it decided as it did, and what it has done: a line of the log each, and
 * a row in a file that outlives the member's other data and its restarts.
 *
 * Shape: `care.jsonl`, one JSON object a line, oldest first. When it has grown to twice what is
 *   kept it is written anew.
 */
import { writeWhole } from "../datadir/index.ts";
import type { Clock, Disk, Logger } from "../seam/index.ts";

export type CareKind =
  /** Another member's state differs from the majority's. */
  | "difference"
  /** This member's does. */
  | "suspect"
  /** Nobody can tell whose is right. */
  | "split"
  /** A record, a file or a log is not what was written. */
  | "damage"
  | "quarantined"
  /** Another member's store took the place of this one's. */
  | "replaced"
  | "healed"
  /** The disk is nearly full. */
  | "space"
  /** It is no longer. */
  | "room"
  /** The leader's disk is slower than the others'. */
  | "slow disk"
  /** This member's disk went back in time, or it came back from that. */
  | "time travel"
  /** It was replaced too often: what is wrong is not the data. */
  | "hardware";

export interface CareEvent {
  readonly kind: CareKind;
  /** What was found, and where. */
  readonly found: string;
  /** Why that is decided of it. */
  readonly why: string;
  /** What is done about it now. */
  readonly done: string;
}

export interface CareRow extends CareEvent {
  /** ISO 8601. */
  readonly at: string;
}

/** Rows that are kept. */
export const JOURNAL_ROWS_MAX = 500;
/** A row is cut to this. */
const TEXT_MAX = 2_000;

export interface JournalOptions {
  readonly disk: Disk;
  readonly path: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Journal {
  /** Since the start, by kind. */
  readonly counts = new Map<CareKind, number>();
  readonly #options: JournalOptions;
  #rows: CareRow[];
  /** Rows that are not in the file yet. */
  #unwritten: CareRow[] = [];
  #writing: Promise<void> | undefined;
  /** Of the file; undefined = it is to be written anew. */
  #file: { bytes: number; rows: number } | undefined;

  /** Rows that cannot be read are dropped. */
  static async open(options: JournalOptions): Promise<Journal> {
    const { disk, path } = options;
    const bytes = (await disk.exists(path)) ? await disk.readFile(path) : Buffer.alloc(0);
    const lines = bytes.toString().split("\n").slice(0, -1);
    const rows = lines.flatMap(rowOf);
    const isWhole = rows.length === lines.length && bytes.length > 0 && bytes.at(-1) === 0x0a;
    return new Journal(
      options,
      rows.slice(-JOURNAL_ROWS_MAX),
      isWhole ? { bytes: bytes.length, rows: rows.length } : undefined,
    );
  }

  private constructor(
    options: JournalOptions,
    rows: CareRow[],
    file: { bytes: number; rows: number } | undefined,
  ) {
    this.#options = options;
    this.#rows = rows;
    this.#file = file;
  }

  /** Oldest first. */
  get rows(): readonly CareRow[] {
    return this.#rows;
  }

  /** How many of a kind there were in the last `ms`. */
  recent(kind: CareKind, ms: number): number {
    const sinceMs = this.#options.clock.wallMs() - ms;
    return this.#rows.filter((row) => row.kind === kind && Date.parse(row.at) >= sinceMs).length;
  }

  note(event: CareEvent): void {
    const { clock, logger } = this.#options;
    const { kind } = event;
    const found = event.found.slice(0, TEXT_MAX);
    const row = { at: new Date(clock.wallMs()).toISOString(), ...event, found };
    const isGood = kind === "healed" || kind === "replaced" || kind === "room";
    logger[isGood ? "info" : "error"](`care: ${event.done}`, { kind, found, why: event.why });
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    this.#rows = [...this.#rows.slice(1 - JOURNAL_ROWS_MAX), row];
    this.#unwritten.push(row);
    this.#writing ??= this.#write();
  }

  /** Settles when all that was noted is in the file, or could not be written. */
  async close(): Promise<void> {
    await this.#writing;
  }

  /** Never rejects: a journal that cannot be written is no reason to stop. */
  async #write(): Promise<void> {
    while (this.#unwritten.length > 0) {
      const rows = this.#unwritten;
      this.#unwritten = [];
      try {
        if (this.#file === undefined || this.#file.rows > 2 * JOURNAL_ROWS_MAX) await this.#renew();
        else await this.#append(this.#file, rows);
      } catch (error) {
        this.#file = undefined;
        const text = error instanceof Error ? error.message : String(error);
        this.#options.logger.warn("cannot write the care journal", { error: text });
      }
    }
    this.#writing = undefined;
  }

  async #append(file: { bytes: number; rows: number }, rows: readonly CareRow[]): Promise<void> {
    const { disk, path } = this.#options;
    const bytes = encode(rows);
    const opened = await disk.open(path, "write");
    try {
      await opened.writeDurable(bytes, file.bytes);
    } finally {
      await opened.close();
    }
    this.#file = { bytes: file.bytes + bytes.length, rows: file.rows + rows.length };
  }

  async #renew(): Promise<void> {
    const { disk, path } = this.#options;
    const rows = this.#rows;
    const bytes = encode(rows);
    await writeWhole(disk, path, bytes);
    this.#unwritten = this.#unwritten.filter((row) => !rows.includes(row));
    this.#file = { bytes: bytes.length, rows: rows.length };
  }
}

function encode(rows: readonly CareRow[]): Buffer {
  return Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
}

function rowOf(line: string): CareRow[] {
  try {
    const row = JSON.parse(line) as Partial<Record<keyof CareRow, unknown>> | null;
    const texts = [row?.at, row?.kind, row?.found, row?.why, row?.done];
    return texts.every((text) => typeof text === "string") ? [row as unknown as CareRow] : [];
  } catch {
    return [];
  }
}
