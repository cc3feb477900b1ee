/**
 * Reads the records of one segment in order through a window of bounded size, checks the crc chain,
 * and tells a torn tail from damage (WL-06).
 *
 * A crash leaves parts unwritten, whole sectors as a rule, and what was not written is zero. So a
 * tail is torn when the file ends inside the frame, when the frame is broken and one of its sectors
 * is all zero, or when it is broken and from some byte of it on the file holds only zeros; and a
 * length word of zero ends the log only when the rest of its sector is zero too. All else is
 * damage.
 */
import { crc32c } from "../base/index.ts";
import type { OpenFile } from "../seam/index.ts";
import { findLaterBatch } from "./beyond-tail.ts";
import { WalCorrupt } from "./errors.ts";
import { Frame, parseFrame } from "./frame.ts";
import { FRAME_BYTES, RecordType, SECTOR_BYTES } from "./record.ts";

const WINDOW_BYTES = 1024 * 1024;

export interface TornTail {
  readonly offset: number;
  readonly found: string;
}

interface BrokenFrame {
  /** Positions in the window: the fault, and where zeros begin at the latest if it is a tear. */
  readonly faultAt: number;
  readonly tornBelow: number;
  readonly found: string;
  readonly wanted: string;
}

export interface SegmentReaderOptions {
  /** Only the last segment of a log that nobody writes may be torn. */
  readonly isLast: boolean;
  /** Running crc before the first record; undefined = the segment's own crc record says it. */
  readonly crc: number | undefined;
  /** Where a record begins: reading begins there. 0 by default. */
  readonly offset?: number;
  /** Where the records end that may be read, in a segment that is being written. */
  readonly limit?: number;
  /** Bytes read, and looked through, at once. */
  readonly windowBytes?: number;
}

export class SegmentReader {
  readonly #file: OpenFile;
  readonly #isLast: boolean;
  readonly #limit: number;
  readonly #windowBytes: number;
  #sizeBytes = 0;
  #window: Buffer = Buffer.alloc(0);
  /** Offset in the file of the window's first byte. */
  #base = 0;
  /** In the window: the next frame, and the end of what was read. */
  #at = 0;
  #known = 0;
  /** The next frame, found broken. */
  #suspect: BrokenFrame | undefined;
  /** Up to where the window must be known for the next step. */
  #needed = 0;
  /** Of the record that `next` stepped over; positions in `window`. */
  readonly frame = new Frame();
  /** Running crc over the data of all records so far; undefined before the first crc record. */
  crc: number | undefined;
  isAtEnd = false;
  torn: TornTail | undefined;

  constructor(file: OpenFile, options: SegmentReaderOptions) {
    this.#file = file;
    this.#isLast = options.isLast;
    this.#limit = options.limit ?? Number.MAX_SAFE_INTEGER;
    this.#windowBytes = options.windowBytes ?? WINDOW_BYTES;
    this.#base = options.offset ?? 0;
    this.crc = options.crc;
  }

  /** Holds the data of the current record. Never written to again: views of it may be kept. */
  get window(): Buffer {
    return this.#window;
  }

  /** Offset in the file after the records read so far. */
  get offset(): number {
    return this.#base + this.#at;
  }

  async open(): Promise<void> {
    this.#sizeBytes = Math.min(await this.#file.size(), this.#limit);
  }

  /**
   * Steps over the next record and says its type; 0 when `fill` must be called, or when `isAtEnd`.
   * Throws WalCorrupt.
   */
  next(): number {
    const frame = this.frame;
    const step = parseFrame(this.#window, this.#at, this.#known, frame);
    if (step === "bad") {
      const { faultAt, faultHi, found, wanted } = frame;
      return this.#broken(faultAt, faultHi, { faultAt, tornBelow: faultHi - 1, found, wanted });
    }
    if (step !== "record") {
      this.#needed = step === "zero" ? this.#at + SECTOR_BYTES : frame.end;
      return 0;
    }
    if (frame.type === RecordType.CRC) {
      const wanted = this.crc ?? frame.crc;
      if (wanted !== frame.crc) return this.#brokenCrc(wanted);
      this.crc = frame.crc;
    } else if (this.crc === undefined) {
      throw this.fault(`record type ${frame.type}`, "a crc record first", this.#at);
    } else {
      const crc = crc32c(this.crc, this.#window, frame.dataLo, frame.dataHi);
      if (crc !== frame.crc) return this.#brokenCrc(crc);
      this.crc = crc;
    }
    this.#at = frame.end;
    return frame.type;
  }

  /** Reads on after `next` said 0; sets `isAtEnd` where the log ends. Throws WalCorrupt. */
  async fill(): Promise<void> {
    if (this.#suspect !== undefined) return this.#judge(this.#suspect);
    const reach = Math.min(this.#needed, this.#sizeBytes - this.#base);
    if (reach > this.#known) {
      await this.#more(reach - this.#at);
      // The window starts at the next frame now: look again with what is known.
      if (this.#known > 0) return;
    }
    const step = parseFrame(this.#window, this.#at, this.#known, this.frame);
    if (this.#at === this.#known) this.isAtEnd = true;
    else if (step === "zero") this.#endAtZero();
    else this.#endTorn(`a frame cut after ${this.#known - this.#at} bytes`);
  }

  /** The data of the current record, as a view. */
  data(): Buffer {
    return this.#window.subarray(this.frame.dataLo, this.frame.dataHi);
  }

  /** A fault at the record that `next` stepped over last. */
  fault(found: string, wanted: string, at = this.frame.dataLo): WalCorrupt {
    return new WalCorrupt({ path: this.#file.path, offset: this.#base + at, found, wanted });
  }

  /**
   * After the end of the last segment: throws WalCorrupt when later batches prove that it is none.
   */
  async checkBeyond(): Promise<void> {
    const later = await findLaterBatch(this.#file, this.offset);
    if (later === undefined) return;
    const found = this.torn?.found ?? "nothing written";
    const wanted = `what was acknowledged before the record at ${later}`;
    throw this.fault(found, wanted, this.#at);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** Makes `count` bytes from the next frame on known, or all that the file has. */
  async #more(count: number): Promise<void> {
    const kept = this.#known - this.#at;
    const offset = this.offset;
    const wanted = Math.min(Math.max(count, this.#windowBytes), this.#sizeBytes - offset);
    if (wanted <= kept) return;
    const window = Buffer.allocUnsafeSlow(wanted);
    this.#window.copy(window, 0, this.#at, this.#known);
    const read = await this.#file.read(window.subarray(kept), offset + kept);
    this.#window = window;
    this.#base = offset;
    this.#at = 0;
    this.#known = kept + read;
    // The file shrank while it was read: what is gone counts as never written.
    if (this.#known < wanted) this.#sizeBytes = offset + this.#known;
  }

  #endAtZero(): void {
    const hi = Math.min(this.#known, this.#sectorEnd(this.#at));
    if (!this.#isZero(this.#at, hi)) {
      const next = this.#window.toString("hex", this.#at + FRAME_BYTES, this.#at + FRAME_BYTES + 8);
      throw this.fault(`length word 0 before ${next}`, "the length of the record there", this.#at);
    }
    this.isAtEnd = true;
  }

  #brokenCrc(computed: number): 0 {
    const { dataLo, dataHi, crc, end } = this.frame;
    const found = `crc ${hex(crc)}`;
    const fault = { faultAt: dataLo, tornBelow: dataHi - 1, found, wanted: hex(computed) };
    return this.#broken(dataLo, end, fault);
  }

  /**
   * [lo, hi) of the frame at `#at` is not what was written there. A sector of it that was never
   * written makes it a torn tail at once; else `fill` looks at what follows. The sector of the
   * length word was written.
   */
  #broken(lo: number, hi: number, fault: BrokenFrame): 0 {
    const known = Math.min(this.#known, this.#sizeBytes - this.#base);
    this.#needed = this.#sectorEnd(hi - 1);
    if (known < Math.min(this.#needed, this.#sizeBytes - this.#base)) return 0;
    let at = Math.max(lo, this.#sectorEnd(this.#at));
    for (let end = 0; at < hi; at = end) {
      end = this.#sectorEnd(at);
      if (this.#isZero(Math.max(end - SECTOR_BYTES, this.#at), Math.min(end, known))) {
        this.#endTorn(`${fault.found} with an unwritten sector at ${this.#base + at}`);
        return 0;
      }
    }
    this.#suspect = fault;
    return 0;
  }

  /** The frame at `#at` is broken in sectors that were written: is it the end of all that was? */
  async #judge(fault: BrokenFrame): Promise<void> {
    const zeroFrom = await this.#zeroFrom(this.offset);
    if (zeroFrom > this.#base + fault.tornBelow) {
      throw this.fault(fault.found, fault.wanted, fault.faultAt);
    }
    this.#endTorn(`${fault.found} and zeros from ${zeroFrom} on`);
  }

  /** From where on, at or after `offset`, the file holds nothing but zeros. */
  async #zeroFrom(offset: number): Promise<number> {
    const bytes = Buffer.allocUnsafeSlow(WINDOW_BYTES);
    let zeroFrom = offset;
    for (let at = offset; at < this.#sizeBytes; ) {
      const count = await this.#file.read(bytes, at);
      if (count === 0) break;
      let last = count;
      while (last > 0 && bytes[last - 1] === 0) last -= 1;
      if (last > 0) zeroFrom = at + last;
      at += count;
    }
    return zeroFrom;
  }

  #endTorn(found: string): void {
    if (!this.#isLast)
      throw this.fault(found, "a whole frame: only the last segment may be torn", this.#at);
    this.torn = { offset: this.offset, found };
    this.isAtEnd = true;
  }

  #isZero(lo: number, hi: number): boolean {
    for (let at = lo; at < hi; at += 1) {
      if (this.#window[at] !== 0) return false;
    }
    return true;
  }

  /** Where in the window the sector ends that holds the byte at `at`. */
  #sectorEnd(at: number): number {
    return (Math.floor((this.#base + at) / SECTOR_BYTES) + 1) * SECTOR_BYTES - this.#base;
  }
}

function hex(crc: number): string {
  return `0x${crc.toString(16).padStart(8, "0")}`;
}
