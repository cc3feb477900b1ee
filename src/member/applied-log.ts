/**
 * The applied part of the log, for whoever keeps it elsewhere (backup/): the newest entries come
 * from memory, older ones from the log's files for as long as these are there.
 *
 * A reader of its own: who lags here takes no page and no turn from a follower that lags.
 */
import type { Entry } from "../wire/index.ts";
import type { RaftStorage } from "./raft-storage.ts";

/** The parts of RaftStorage and of RangeReader that are used. */
export type AppliedStorage = Pick<
  RaftStorage,
  "applied" | "cachedFrom" | "entries" | "firstIndex" | "term"
>;
export interface LogFiles {
  read(
    lo: number,
    hi: number,
    bytesMax: number,
    termOf: (index: number) => number | undefined,
  ): Promise<Entry[]>;
}

export class AppliedLog {
  readonly #storage: AppliedStorage;
  readonly #files: LogFiles;

  constructor(storage: AppliedStorage, files: LogFiles) {
    this.#storage = storage;
    this.#files = files;
  }

  /** Of an applied entry; undefined when it is released. */
  term(index: number): number | undefined {
    return index <= this.#storage.applied ? this.#storage.term(index) : undefined;
  }

  /**
   * Entries of [lo, hi), at least one, beyond the first no more than about `bytesMax`; "released"
   * when the log begins after `lo`. They are kept elsewhere too: not to be changed. `hi` is at most
   * one past the last applied. `termBefore` is the term of the entry before `lo`: with it the files
   * serve for a while after the log was released, as long as they are there and no term began
   * since. Rejects when a file of the log is damaged.
   */
  async read(
    lo: number,
    hi: number,
    bytesMax: number,
    termBefore: number,
  ): Promise<readonly Entry[] | "released"> {
    const storage = this.#storage;
    const first = storage.firstIndex();
    if (lo < first && storage.term(first - 1) !== termBefore) return "released";
    if (lo >= first && lo >= storage.cachedFrom) {
      return storage.entries(lo, hi, bytesMax) as Entry[];
    }
    const termOf = (index: number): number | undefined =>
      index < first ? termBefore : storage.term(index);
    try {
      return await this.#files.read(lo, hi, bytesMax, termOf);
    } catch (error) {
      // The file may have gone while it was read.
      if (lo < storage.firstIndex()) return "released";
      throw error;
    }
  }
}
