/**
 * The key index as bytes, written and read in slices of any size: what a checkpoint file holds.
 *
 * Shape: per key, in key order: key bytes | main | version (0 = tombstone) | main - create (not for
 *   tombstones) | sub * 4 + 2 if leased + 1 if there are older revisions | lease; then the older
 *   revisions, newest first: 1 + how much less their main is | sub * 2 + 1 for a tombstone; 0 ends
 *   them. Numbers are varints. A slice may end between any two revisions.
 */
import { ByteReader, type ByteWriter, type Key, MalformedError } from "../base/index.ts";
import type { IndexEntry, KeyIndex, KeyIndexLoader } from "./key-index.ts";

const LEASED = 2;
const HAS_OLDER = 1;

/** Writes an index that may change between slices; what changes is met again in the records. */
export class IndexEncoder {
  readonly #index: KeyIndex;
  #after: Key | undefined;
  /** The next older revision of the key written last; 0 = none. */
  #node = 0;
  #nodeMain = 0;
  #isListOpen = false;
  keys = 0;

  constructor(index: KeyIndex) {
    this.#index = index;
  }

  /** Writes about `max` revisions; false when all is written. */
  write(writer: ByteWriter, max: number): boolean {
    let budget = this.#writeOlder(writer, max);
    while (budget > 0) {
      const entry = this.#index.entryAfter(this.#after);
      if (entry === undefined) return false;
      this.#after = entry.key;
      this.#writeEntry(writer, entry);
      budget = this.#writeOlder(writer, budget - 1);
    }
    return true;
  }

  #writeEntry(writer: ByteWriter, entry: IndexEntry): void {
    this.keys += 1;
    writer.latin1(entry.key);
    writer.uint(entry.main);
    writer.uint(entry.version);
    if (entry.version !== 0) writer.uint(entry.main - entry.create);
    const isLeased = entry.lease !== 0n;
    const hasOlder = entry.older !== 0;
    writer.uint(entry.sub * 4 + (isLeased ? LEASED : 0) + (hasOlder ? HAS_OLDER : 0));
    if (isLeased) writer.big(entry.lease);
    this.#isListOpen = hasOlder;
    this.#node = entry.older;
    this.#nodeMain = entry.main;
  }

  #writeOlder(writer: ByteWriter, max: number): number {
    if (!this.#isListOpen) return max;
    const { history } = this.#index;
    let budget = max;
    for (; this.#node !== 0 && budget > 0; budget -= 1) {
      const main = history.main(this.#node);
      writer.uint(1 + this.#nodeMain - main);
      writer.uint(history.sub(this.#node) * 2 + (history.isTombstone(this.#node) ? 1 : 0));
      this.#nodeMain = main;
      this.#node = history.older(this.#node);
    }
    if (this.#node === 0) {
      writer.uint(0);
      this.#isListOpen = false;
    }
    return budget;
  }
}

/** Reads what the encoder wrote. Throws MalformedError on anything else. */
export class IndexDecoder {
  readonly #loader: KeyIndexLoader;
  #isListOpen = false;
  #nodeMain = 0;
  /** Main and sub-with-tombstone of the open list, newest first. */
  #older: number[] = [];
  #last: Key | undefined;
  keys = 0;

  constructor(loader: KeyIndexLoader) {
    this.#loader = loader;
  }

  /** `block` holds whole revisions. */
  read(block: Buffer): void {
    const reader = new ByteReader(block);
    while (reader.pos < reader.end) {
      if (this.#isListOpen) this.#readOlder(reader);
      else this.#readEntry(reader);
    }
  }

  /** To be called at the end. */
  finish(): void {
    if (this.#isListOpen) throw new MalformedError("the list of a key is cut off", 0);
    this.#loader.finish();
  }

  #readEntry(reader: ByteReader): void {
    const start = reader.pos;
    const key = reader.latin1();
    const main = reader.uint();
    const version = reader.uint();
    const create = version === 0 ? 0 : main - reader.uint();
    const flags = reader.uint();
    const lease = (flags & LEASED) !== 0 ? reader.bigInt() : 0n;
    const isAscending = this.#last === undefined || key > this.#last;
    if (!isAscending || main < 1 || create < 0) throw new MalformedError("impossible key", start);
    this.#last = key;
    this.#loader.add({ key, main, sub: Math.floor(flags / 4), create, version, lease, older: 0 });
    this.keys += 1;
    this.#isListOpen = (flags & HAS_OLDER) !== 0;
    this.#nodeMain = main;
  }

  #readOlder(reader: ByteReader): void {
    const older = this.#older;
    while (reader.pos < reader.end) {
      const start = reader.pos;
      const step = reader.uint();
      if (step === 0) {
        this.#isListOpen = false;
        this.#loader.setOlder(older);
        this.#older = [];
        return;
      }
      this.#nodeMain -= step - 1;
      if (this.#nodeMain < 1) throw new MalformedError("impossible revision", start);
      older.push(this.#nodeMain, reader.uint());
    }
  }
}
