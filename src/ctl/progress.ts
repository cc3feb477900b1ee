/**
 * A line that tells how far long work has come. On a terminal it is redrawn in place and wiped at
 * the end; elsewhere nothing is written, so that scripts read results alone.
 */
import { humanBytes } from "../base/index.ts";
import type { CtlIo } from "./io.ts";

/** How often it is drawn at most. */
const DRAW_MS = 100;
const BAR_COLUMNS = 24;

export interface ProgressOptions {
  /** What is being done: `fetching snapshot`. */
  readonly what: string;
  /** 0 = not known: then the time that has passed is shown. */
  readonly total: number;
  readonly unit: "bytes" | "things";
  /** Milliseconds that only go on. */
  readonly now: () => number;
}

export class Progress {
  readonly #io: CtlIo;
  readonly #options: ProgressOptions;
  readonly #beganMs: number;
  #drawnMs = Number.NEGATIVE_INFINITY;

  constructor(io: CtlIo, options: ProgressOptions) {
    this.#io = io;
    this.#options = options;
    this.#beganMs = options.now();
  }

  /** `done` in the unit of `total`, which may have become known meanwhile. */
  show(done: number, total = this.#options.total): void {
    const now = this.#options.now();
    if (!this.#io.isTerminal || now - this.#drawnMs < DRAW_MS) return;
    this.#drawnMs = now;
    const text = lineOf(this.#options, done, total, now - this.#beganMs);
    this.#io.stdout(`\r${text.slice(0, this.#io.columns - 1)}\x1b[K`);
  }

  /** Wipes the line. */
  end(): void {
    if (this.#drawnMs === Number.NEGATIVE_INFINITY) return;
    this.#io.stdout("\r\x1b[K");
    this.#drawnMs = Number.NEGATIVE_INFINITY;
  }
}

function lineOf({ what, unit }: ProgressOptions, done: number, total: number, ms: number): string {
  const seconds = ms / 1000;
  const size = (value: number): string => (unit === "bytes" ? humanBytes(value) : String(value));
  if (total === 0) return `${what}  ${seconds.toFixed(1)} s`;
  const share = Math.min(1, done / total);
  const filled = Math.round(share * BAR_COLUMNS);
  const bar = `${"#".repeat(filled)}${".".repeat(BAR_COLUMNS - filled)}`;
  const rate = seconds > 0 ? `  ${size(Math.round(done / seconds))}/s` : "";
  const percent = String(Math.floor(share * 100)).padStart(3);
  return `${what}  [${bar}] ${percent} %  ${size(done)} of ${size(total)}${rate}`;
}
