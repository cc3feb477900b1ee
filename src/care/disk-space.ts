/**
 * Keeps room on the disk for what must still work when it is nearly full: deletes, compactions,
 * leases, changes of the membership. Below that the NOSPACE alarm is raised, which refuses what
 * costs space on all members, before a write of the log or the store fails; it clears itself when
 * there is room again (QU-02, surface 6.1).
 */
import type { Disk, Timer, Timers } from "../seam/index.ts";

const LOOK_MS = 1_000;
const RESERVE_BYTES_MIN = 32 * 1024 * 1024;
const RESERVE_BYTES_MAX = 1024 * 1024 * 1024;
const RESERVE_SHARE = 0.05;
/** Room is back when there is this many times the reserve, so that the alarm does not flap. */
const BACK_FACTOR = 1.5;

export interface DiskSpaceOptions {
  readonly disk: Pick<Disk, "space">;
  /** The directories of log and store, which may be on different disks. */
  readonly paths: readonly string[];
  readonly timers: Timers;
  /** There was too little when this member ran last, and nobody has been told that it is over. */
  readonly wasLow: boolean;
  /** Called at each look while there is too little. */
  readonly onLow: (path: string, freeBytes: number, reserveBytes: number) => void;
  /** Called once when there is room again after `onLow`. */
  readonly onBack: () => void;
}

export class DiskSpace {
  readonly #options: DiskSpaceOptions;
  #timer: Timer | undefined;
  #isLow: boolean;
  #isClosed = false;

  constructor(options: DiskSpaceOptions) {
    this.#options = options;
    this.#isLow = options.wasLow;
    this.#plan();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #plan(): void {
    if (this.#isClosed) return;
    this.#timer = this.#options.timers.after(LOOK_MS, () => void this.#look());
  }

  /** Never rejects: a disk that does not tell how full it is shows it by itself. */
  async #look(): Promise<void> {
    const { disk, paths, onLow, onBack } = this.#options;
    let isRoom = true;
    for (const path of paths) {
      const found = await disk.space(path).catch(() => undefined);
      if (found === undefined) continue;
      const reserve = reserveOf(found.totalBytes);
      if (found.freeBytes < BACK_FACTOR * reserve) isRoom = false;
      if (found.freeBytes >= reserve || this.#isClosed) continue;
      this.#isLow = true;
      onLow(path, found.freeBytes, reserve);
    }
    if (this.#isLow && isRoom && !this.#isClosed) {
      this.#isLow = false;
      onBack();
    }
    this.#plan();
  }
}

/** A twentieth of the disk, within bounds; of a disk that is smaller than that, a fourth. */
function reserveOf(totalBytes: number): number {
  const share = Math.min(RESERVE_BYTES_MAX, RESERVE_SHARE * totalBytes);
  return Math.min(totalBytes / 4, Math.max(RESERVE_BYTES_MIN, share));
}
