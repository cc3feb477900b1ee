/**
 * A part of the log as a file of its own: what backups keep between two snapshots of the store.
 *
 * Shape: a segment in etcd's format (WL-02 to WL-05): crc, metadata, a snapshot record for the
 *   point that the first entry follows, the entries, and a state whose commit is the last of them.
 *   Nothing stands behind it. The metadata hold one field more, which etcd's readers skip: text
 *   that the writer may choose.
 * Invariant: a piece is whole or refused. There is no torn end, since its name comes last.
 */
import { ByteReader, ByteWriter, MalformedError } from "../base/index.ts";
import type { OpenFile } from "../seam/index.ts";
import type { Entry } from "../wire/index.ts";
import { RecordBuffer } from "./encoder.ts";
import { WalCorrupt } from "./errors.ts";
import {
  marshalHardState,
  marshalMetadata,
  marshalSnapshot,
  readEntry,
  readHardState,
  readSnapshot,
  RecordType,
  type WalMetadata,
} from "./record.ts";
import type { LogPoint } from "./reader.ts";
import { SegmentReader } from "./segment-reader.ts";

/** Tag of field 100, bytes. */
const NOTE_TAG = 100 * 8 + 2;

/** What a piece says before its entries. */
export interface PieceHead extends WalMetadata {
  /** The entry before the first: entries go on at `after.index + 1`. */
  readonly after: LogPoint;
  /** The writer's own. */
  readonly note: string;
}

/** Encodes a piece in parts, so that memory holds one of them. */
export class PieceWriter {
  readonly #records = new RecordBuffer();
  #crc: number;
  #last: LogPoint;

  constructor(head: PieceHead) {
    this.#records.addCrc(0);
    this.#crc = this.#records.addRecord(RecordType.METADATA, 0, marshalHead(head));
    this.#crc = this.#records.addRecord(
      RecordType.SNAPSHOT,
      this.#crc,
      marshalSnapshot(head.after),
    );
    this.#last = head.after;
  }

  /** The last entry so far. */
  get last(): LogPoint {
    return this.#last;
  }

  /** Entries go on where the last ones ended. */
  add(entries: readonly Entry[]): void {
    for (const entry of entries) this.#crc = this.#records.addEntry(this.#crc, entry);
    this.#last = entries.at(-1) ?? this.#last;
  }

  /** After the last `add`, before the last `take`. */
  end(): void {
    const { index, term } = this.#last;
    const state = marshalHardState({ term, vote: 0n, commit: index });
    this.#crc = this.#records.addRecord(RecordType.STATE, this.#crc, state);
  }

  /** What was encoded since the last call; the caller's. */
  take(): Buffer {
    const bytes = Buffer.from(this.#records.written);
    this.#records.clear();
    return bytes;
  }
}

function marshalHead({ note, ...metadata }: PieceHead): Buffer {
  const writer = new ByteWriter(256);
  writer.uint(NOTE_TAG);
  writer.utf8(note);
  return Buffer.concat([marshalMetadata(metadata), writer.view()]);
}

/** Reads a piece from its beginning. */
export class PieceReader {
  readonly head: PieceHead;
  readonly #segment: SegmentReader;
  readonly #file: OpenFile;

  private constructor(file: OpenFile, segment: SegmentReader, head: PieceHead) {
    this.#file = file;
    this.#segment = segment;
    this.head = head;
  }

  /** Reads what stands before the entries. Throws WalCorrupt, and what the disk throws. */
  static async open(file: OpenFile): Promise<PieceReader> {
    const segment = new SegmentReader(file, { isLast: false, crc: undefined });
    await segment.open();
    await expect(segment, file, RecordType.CRC, "a crc record");
    await expect(segment, file, RecordType.METADATA, "whose log it is");
    const metadata = readHead(segment.data());
    if (metadata === undefined) throw segment.fault("no metadata", "member, cluster and a note");
    await expect(segment, file, RecordType.SNAPSHOT, "the point before the entries");
    const { dataLo, dataHi } = segment.frame;
    const after = readSnapshot(segment.window, dataLo, dataHi);
    if (after === undefined) throw segment.fault("no point", "index and term");
    const { index, term } = after;
    return new PieceReader(file, segment, { ...metadata, after: { index, term } });
  }

  /**
   * The entries, in order and without gaps, in batches of about 1 MiB; the caller's. Ends normally
   * only when the piece is whole. Throws WalCorrupt, and what the disk throws.
   */
  async *batches(): AsyncGenerator<Entry[], void, void> {
    const segment = this.#segment;
    let last = this.head.after;
    let batch: Entry[] = [];
    for (;;) {
      const type = segment.next();
      if (type === RecordType.ENTRY) {
        last = this.#entry(last, batch);
      } else if (type === RecordType.STATE) {
        await this.#checkEnd(last);
        yield batch;
        return;
      } else if (type === 0 && !segment.isAtEnd) {
        if (batch.length > 0) yield batch;
        batch = [];
        await segment.fill();
      } else {
        throw this.#cut(last);
      }
    }
  }

  #entry(last: LogPoint, batch: Entry[]): LogPoint {
    const segment = this.#segment;
    const { dataLo, dataHi } = segment.frame;
    const entry = readEntry(segment.window, dataLo, dataHi);
    if (entry === undefined) throw segment.fault("bytes that are no entry", "a raftpb.Entry");
    if (entry.index !== last.index + 1 || entry.term < last.term) {
      const found = `entry ${entry.index} of term ${entry.term}`;
      throw segment.fault(found, `entry ${last.index + 1} of term ${last.term} or later`);
    }
    batch.push(entry);
    return entry;
  }

  async #checkEnd(last: LogPoint): Promise<void> {
    const segment = this.#segment;
    const { dataLo, dataHi } = segment.frame;
    const state = readHardState(segment.window, dataLo, dataHi);
    if (state?.commit !== last.index || state.term !== last.term) throw this.#cut(last);
    const sizeBytes = await this.#file.size();
    if (segment.offset === sizeBytes) return;
    const found = `${sizeBytes - segment.offset} bytes behind the last record`;
    throw segment.fault(found, "the end of the file");
  }

  #cut(last: LogPoint): WalCorrupt {
    const wanted = `a state that commits entry ${last.index}: the file may be cut`;
    return this.#segment.fault("no such end", wanted);
  }
}

/** Steps to the next record, which must have this type. */
async function expect(
  segment: SegmentReader,
  file: OpenFile,
  type: number,
  wanted: string,
): Promise<void> {
  let found = segment.next();
  while (found === 0 && !segment.isAtEnd) {
    await segment.fill();
    found = segment.isAtEnd ? 0 : segment.next();
  }
  if (found === type) return;
  const shown = found === 0 ? "the end of the file" : `record type ${found}`;
  throw new WalCorrupt({ path: file.path, offset: segment.offset, found: shown, wanted });
}

function readHead(data: Buffer): Omit<PieceHead, "after"> | undefined {
  let nodeId: bigint | undefined;
  let clusterId: bigint | undefined;
  let note: string | undefined;
  try {
    const reader = new ByteReader(data, 0, data.length);
    while (reader.pos < reader.end) {
      const tag = reader.tag();
      if (tag === 0x08) nodeId = reader.bigUint();
      else if (tag === 0x10) clusterId = reader.bigUint();
      else if (tag === NOTE_TAG) note = reader.utf8();
      else return undefined;
    }
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return undefined;
  }
  if (nodeId === undefined || clusterId === undefined || note === undefined) return undefined;
  return { nodeId, clusterId, note };
}
