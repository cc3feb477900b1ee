/** What the kernel knows about a server process: CPU time and memory. Linux only. */
import { readFileSync } from "node:fs";

/** USER_HZ: the unit of times in /proc, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** utime + stime of a /proc/PID/stat line, in microseconds: of all threads, in steps of 10 ms. */
export function parseCpuMicros(stat: string): number {
  // The second field is the program's name in parentheses and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  if (!Number.isSafeInteger(ticks)) throw new Error(`not a line of /proc/PID/stat: "${stat}"`);
  return ticks * (1_000_000 / TICKS_PER_SECOND);
}

export interface Memory {
  /** Resident now (VmRSS). */
  readonly rssBytes: number;
  /** The most resident since the start (VmHWM). */
  readonly peakRssBytes: number;
  /** The part of what is resident now that is no page of a file (RssAnon): heaps and buffers. */
  readonly anonymousBytes: number;
}

export function parseMemory(status: string): Memory {
  return {
    rssBytes: kilobytes(status, "VmRSS"),
    peakRssBytes: kilobytes(status, "VmHWM"),
    anonymousBytes: kilobytes(status, "RssAnon"),
  };
}

function kilobytes(status: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+([0-9]+) kB$`, "m").exec(status);
  if (found === null) throw new Error(`/proc/PID/status has no line ${name}`);
  return Number(found[1]) * 1024;
}

export function readCpuMicros(pid: number): number {
  return parseCpuMicros(readFileSync(`/proc/${pid}/stat`, "utf8"));
}

export function sumCpuMicros(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + readCpuMicros(pid), 0);
}

export function readMemory(pid: number): Memory {
  return parseMemory(readFileSync(`/proc/${pid}/status`, "utf8"));
}

/** The largest `anonymousBytes` seen while it runs, looked at every few milliseconds. */
export class PeakWatch {
  readonly #timer: NodeJS.Timeout;
  readonly #pid: number;
  #peakBytes = 0;

  constructor(pid: number, periodMs: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.#look(), periodMs);
    this.#look();
  }

  #look(): void {
    this.#peakBytes = Math.max(this.#peakBytes, readMemory(this.#pid).anonymousBytes);
  }

  /** Ends the watch. */
  stop(): number {
    clearInterval(this.#timer);
    this.#look();
    return this.#peakBytes;
  }
}
