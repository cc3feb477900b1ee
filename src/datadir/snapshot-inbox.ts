/**
 * Snapshots on their way in from other members: files in `member/snap`, one for each snapshot.
 *
 * Shape: `<from>-<term>-<index>.part` while it arrives, in 16 hex digits each, `.store.part` when
 *   it is a store's own file; `<index>.snap.db` when it is whole (SN-02).
 *
 * Nothing here is made durable: a snapshot counts once a store was made from it, and until then the
 * leader sends it again. So a start removes whatever is left, and a connection that breaks does
 * not: the sender may go on from `offset`.
 */
import type { Digest, Digests, Disk, OpenFile, SnapshotFormat } from "../seam/index.ts";

/** Arrivals at a time: of the leader and of one that was leader a moment ago. */
const ARRIVALS_MAX = 2;
/** Broken-off parts that are kept for their senders. */
const PARTS_MAX = 2;
const READ_BYTES = 1024 * 1024;
const BLOCK_BYTES = 1024 * 1024;
const SYNC_BYTES = 32 * 1024 * 1024;

export interface SnapshotName {
  readonly from: bigint;
  readonly index: number;
  readonly term: number;
  /** Parts of one are no part of the other. Missing = "bbolt". */
  readonly format?: SnapshotFormat;
}

export interface Arrival extends SnapshotName {
  /** Where in the file the chunks begin. */
  readonly offset: number;
  /** Taken one by one, as fast as the disk takes them. */
  readonly chunks: AsyncIterable<Buffer>;
  /** Of the whole file, asked for after the last chunk; undefined = not known. */
  sha256(): Buffer | undefined;
}

/** Why a snapshot was not taken; its sender may try again. */
export class ArrivalRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ArrivalRefused";
  }
}

export class SnapshotInbox {
  readonly #disk: Disk;
  readonly #digests: Digests;
  readonly #directory: string;
  readonly #arriving = new Set<string>();
  /** Broken off, oldest first. */
  #parts: string[] = [];

  private constructor(disk: Disk, digests: Digests, directory: string) {
    this.#disk = disk;
    this.#digests = digests;
    this.#directory = directory;
  }

  /** Makes the directory and removes everything that an earlier process has left in it. */
  static async open(disk: Disk, digests: Digests, directory: string): Promise<SnapshotInbox> {
    await disk.makeDirectory(directory, 0o700);
    for (const name of await disk.list(directory)) {
      if (/\.(part|snap\.db)$/.test(name)) await disk.remove(`${directory}/${name}`);
    }
    return new SnapshotInbox(disk, digests, directory);
  }

  /** Bytes of the snapshot that are here already; 0 while it arrives. */
  async offset(name: SnapshotName): Promise<number> {
    const path = this.#partPath(name);
    if (this.#arriving.has(path) || !this.#parts.includes(path)) return 0;
    const file = await this.#disk.open(path, "read");
    try {
      return await file.size();
    } finally {
      await file.close();
    }
  }

  /**
   * Settles with the path of the whole file, which is the caller's to `remove`. Rejects with
   * ArrivalRefused when the file is not the one that was sent, with what the chunks throw when they
   * break off (what has come is then kept), with what the disk throws when it takes no more.
   */
  async receive(arrival: Arrival): Promise<string> {
    const path = this.#partPath(arrival);
    if (this.#arriving.has(path)) {
      throw new ArrivalRefused("the same snapshot is arriving on another connection");
    }
    if (this.#arriving.size >= ARRIVALS_MAX) {
      throw new ArrivalRefused(`${this.#arriving.size} other snapshots are arriving`);
    }
    this.#arriving.add(path);
    try {
      return await this.#receive(arrival, path);
    } finally {
      this.#arriving.delete(path);
    }
  }

  /** A file that `receive` has given out. */
  async remove(path: string): Promise<void> {
    if (await this.#disk.exists(path)) await this.#disk.remove(path);
  }

  async #receive(arrival: Arrival, path: string): Promise<string> {
    const disk = this.#disk;
    const file = await this.#openPart(arrival, path);
    try {
      await this.#take(arrival, file);
    } catch (error) {
      await file.close();
      if (error instanceof BrokenOff) await this.#keep(path);
      else await disk.remove(path);
      throw error instanceof BrokenOff ? error.cause : error;
    }
    await file.close();
    const whole = `${this.#directory}/${hex16(arrival.index)}.snap.db`;
    if (await disk.exists(whole)) await disk.remove(whole);
    await disk.rename(path, whole);
    return whole;
  }

  /** The part to go on with, or a new one. */
  async #openPart(arrival: Arrival, path: string): Promise<OpenFile> {
    const isKept = this.#parts.includes(path);
    this.#parts = this.#parts.filter((part) => part !== path);
    if (!isKept || arrival.offset === 0) {
      if (isKept) await this.#disk.remove(path);
      if (arrival.offset > 0) {
        throw new ArrivalRefused(`the rest from byte ${arrival.offset} was sent, nothing is here`);
      }
      return this.#disk.open(path, "create");
    }
    const file = await this.#disk.open(path, "write");
    const size = await file.size();
    if (arrival.offset <= size) {
      await file.truncate(arrival.offset);
      return file;
    }
    await file.close();
    await this.#disk.remove(path);
    throw new ArrivalRefused(`the rest from byte ${arrival.offset} was sent, ${size} are here`);
  }

  async #take(arrival: Arrival, file: OpenFile): Promise<void> {
    const digest = this.#digests.sha256();
    await hashFile(file, digest, arrival.offset);
    const writer = new BlockWriter(file, arrival.offset, arrival.format === "store");
    const chunks = arrival.chunks[Symbol.asyncIterator]();
    try {
      for (;;) {
        const step = await nextOf(chunks);
        if (step.done === true) break;
        digest.update(step.value);
        await writer.write(step.value);
      }
    } finally {
      await chunks.return?.();
      await writer.end();
    }
    const wanted = arrival.sha256();
    const found = digest.digest();
    if (wanted !== undefined && !wanted.equals(found)) {
      throw new ArrivalRefused(
        `its SHA-256 is ${found.toString("hex")}, ${wanted.toString("hex")} was sent with it`,
      );
    }
  }

  /** Of broken-off parts the newest few stay. */
  async #keep(path: string): Promise<void> {
    this.#parts.push(path);
    while (this.#parts.length > PARTS_MAX) {
      const oldest = this.#parts.shift() as string;
      await this.#disk.remove(oldest);
    }
  }

  #partPath({ from, index, term, format }: SnapshotName): string {
    const id = from.toString(16).padStart(16, "0");
    const end = format === "store" ? "store.part" : "part";
    return `${this.#directory}/${id}-${hex16(term)}-${hex16(index)}.${end}`;
  }
}

/**
 * Writes in blocks, one of them under way while the next is filled: chunks as they come from a
 * connection are small, and a trip to the disk for each would wait for a thread that is free.
 */
class BlockWriter {
  readonly #file: OpenFile;
  #offset: number;
  #filling = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  #writing = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  #used = 0;
  #written: Promise<void> = Promise.resolve();
  readonly #isSynced: boolean;
  #unsyncedBytes = 0;
  #synced: Promise<void> = Promise.resolve();

  /** `isSynced`: the file will count as it is, so most of it is to be on the medium by then. */
  constructor(file: OpenFile, offset: number, isSynced: boolean) {
    this.#file = file;
    this.#offset = offset;
    this.#isSynced = isSynced;
  }

  /** Copies the chunk. Rejects when a block before it could not be written. */
  async write(chunk: Buffer): Promise<void> {
    for (let lo = 0; lo < chunk.length; ) {
      const count = chunk.copy(this.#filling, this.#used, lo);
      lo += count;
      this.#used += count;
      if (this.#used === BLOCK_BYTES) await this.#flush();
    }
  }

  /** All of it is in the file. */
  async end(): Promise<void> {
    if (this.#used > 0) await this.#flush();
    await this.#written;
    await this.#synced;
  }

  async #flush(): Promise<void> {
    await this.#written;
    const block = this.#filling;
    this.#filling = this.#writing;
    this.#writing = block;
    this.#written = this.#file.write(block.subarray(0, this.#used), this.#offset);
    // Told to the next block, or the end.
    this.#written.catch(() => undefined);
    this.#offset += this.#used;
    this.#unsyncedBytes += this.#used;
    this.#used = 0;
    if (this.#isSynced && this.#unsyncedBytes >= SYNC_BYTES) await this.#sync();
  }

  /** Waits for the one before: a gigabyte at once would stand in the way of the log's syncs. */
  async #sync(): Promise<void> {
    await this.#synced;
    this.#unsyncedBytes = 0;
    this.#synced = this.#file.sync();
    this.#synced.catch(() => undefined);
  }
}

/** The chunks ended with an error: what has come is good. */
class BrokenOff extends Error {
  constructor(cause: unknown) {
    super("broken off", { cause });
  }
}

async function nextOf(chunks: AsyncIterator<Buffer>): Promise<IteratorResult<Buffer>> {
  try {
    return await chunks.next();
  } catch (error) {
    throw new BrokenOff(error);
  }
}

async function hashFile(file: OpenFile, digest: Digest, endOffset: number): Promise<void> {
  const bytes = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, endOffset));
  for (let offset = 0; offset < endOffset; ) {
    const wanted = Math.min(bytes.length, endOffset - offset);
    const count = await file.read(bytes.subarray(0, wanted), offset);
    if (count === 0) throw new ArrivalRefused(`what was here has shrunk to ${offset} bytes`);
    digest.update(bytes.subarray(0, count));
    offset += count;
  }
}

function hex16(value: number): string {
  return value.toString(16).padStart(16, "0");
}
