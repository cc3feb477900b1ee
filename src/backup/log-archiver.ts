/**
 * Copies the applied log to the backup's directory, piece after piece.
 *
 * It pulls: the log keeps what is new for a while anyway, so nothing is queued here, and a location
 * that is slow, full or gone costs the member nothing. When it takes so long that the log has let
 * go of entries, there is a gap, which only a new image of the store closes.
 *
 * A piece is written under a name that no restore looks at; it gets its own when all of it is on
 * the medium and was read back.
 */
import type { AppliedPoint } from "../backend/index.ts";
import type { Clock, Disk, Logger, OpenFile } from "../seam/index.ts";
import { type LogPoint, PieceReader, PieceWriter } from "../wal/index.ts";
import type { Entry } from "../wire/index.ts";
import { type Chain, endOf, reachOf } from "./chain.ts";
import { COLLECT_BYTES, PIECE_BYTES_MAX, PIECES_MAX } from "./limits.ts";
import { namePiece, PART_SUFFIX, type PieceName } from "./names.ts";
import type { Pace } from "./pace.ts";
import { encodeNote } from "./piece-note.ts";
import type { BackupMeasures, BackupSource } from "./types.ts";

export interface LogArchiverOptions {
  readonly source: BackupSource;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pace: Pick<Pace, "spend">;
  readonly directory: string;
  readonly pieceMs: number;
  readonly measures: BackupMeasures;
  /** Entries are lost to the archive: an image is wanted. */
  readonly onGap: () => void;
}

/** Up to where the archive goes, and the revision there. */
interface Archived extends LogPoint {
  readonly revision: number;
}

interface OpenPiece {
  readonly file: OpenFile;
  readonly writer: PieceWriter;
  readonly first: number;
  readonly startedMs: number;
  offset: number;
  /** When `writer.last` was the newest that was applied, and the revision then. */
  timeMs: number;
  revision: number;
}

export class LogArchiver {
  readonly #options: LogArchiverOptions;
  readonly #partPath: string;
  /** Pieces with a name. */
  #count = 0;
  #archived: Archived | undefined;
  #open: OpenPiece | undefined;

  constructor(options: LogArchiverOptions) {
    this.#options = options;
    this.#partPath = `${options.directory}/log${PART_SUFFIX}`;
  }

  /**
   * Goes on where the files that are there end. When the log has let go of what comes after them
   * (the member was away for long, or was killed before the image that was to close a gap), only a
   * new image does: rejects with what the disk says.
   */
  async resume(chain: Chain): Promise<void> {
    this.#count = chain.pieces.length;
    const { source } = this.#options;
    const reach = reachOf(chain);
    for (const file of [lastPiece(chain), reach]) {
      // Behind a hole: what the hole needs comes first.
      if (file === undefined || (reach !== undefined && endOf(file) > endOf(reach))) continue;
      const index = endOf(file);
      const term = source.appliedLog.term(index);
      if (term === undefined) continue;
      this.#setArchived({ index, term, revision: file.revision }, file.timeMs);
      return;
    }
    if (reach !== undefined && endOf(reach) < source.position.applied.index) await this.#gap();
  }

  /** Some were removed. */
  set pieceCount(count: number) {
    this.#count = count;
  }

  /**
   * Takes what was applied since, and closes the piece when it is due. After a rejection the
   * entries of the open piece are read again.
   */
  async collect(): Promise<void> {
    try {
      await this.#collect();
      if (this.#isDue) await this.#seal();
    } catch (error) {
      await this.#drop();
      throw error;
    }
  }

  /** Closes the open piece as it is. */
  async finish(): Promise<void> {
    if (this.#open !== undefined) await this.#seal();
  }

  /** Gives the open piece up. */
  async close(): Promise<void> {
    await this.#drop();
  }

  async #collect(): Promise<void> {
    const { source, clock } = this.#options;
    const { applied, revision } = source.position;
    const timeMs = clock.wallMs();
    if (this.#archived === undefined) return this.#beginAnew();
    let last: LogPoint = this.#open?.writer.last ?? this.#archived;
    // A member that was put back from a copy has to come so far again.
    while (last.index < applied.index) {
      const entries = await source.appliedLog.read(
        last.index + 1,
        applied.index + 1,
        COLLECT_BYTES,
        last.term,
      );
      if (entries === "released") return this.#gap();
      last = await this.#add(entries, last);
    }
    if (this.#open === undefined || last.index !== applied.index) return;
    this.#open.timeMs = timeMs;
    this.#open.revision = revision;
  }

  /** The log from here on: what is before is in the next image. */
  #beginAnew(): void {
    const { position } = this.#options.source;
    const { applied, revision } = position;
    if (applied.index === 0) return;
    this.#setArchived({ ...applied, revision }, this.#options.clock.wallMs());
  }

  async #gap(): Promise<void> {
    const { logger, measures, onGap } = this.#options;
    const after = this.#archived?.index;
    await this.#drop();
    this.#beginAnew();
    measures.gaps += 1;
    logger.warn("the log went on without the backup; a new image of the store makes up for it", {
      "archived-index": after,
      "archive-goes-on-after": this.#archived?.index,
    });
    onGap();
  }

  async #add(entries: readonly Entry[], after: LogPoint): Promise<LogPoint> {
    this.#open ??= await this.#begin(after);
    const { writer, file } = this.#open;
    writer.add(entries);
    const bytes = writer.take();
    const offset = this.#open.offset;
    this.#open.offset += bytes.length;
    await file.write(bytes, offset);
    await this.#options.pace.spend(bytes.length);
    return writer.last;
  }

  async #begin({ index, term }: LogPoint): Promise<OpenPiece> {
    const { disk, clock, source } = this.#options;
    if (this.#count >= PIECES_MAX) {
      throw new Error(`there are ${this.#count} files of the log, and no newer image: at most`);
    }
    if (await disk.exists(this.#partPath)) await disk.remove(this.#partPath);
    const revision = this.#archived?.revision ?? 0;
    const { incarnation = "" } = source;
    const writer = new PieceWriter({
      nodeId: source.id,
      clusterId: source.clusterId,
      after: { index, term },
      note: encodeNote({ incarnation, revision }),
    });
    const file = await disk.open(this.#partPath, "create");
    const timeMs = clock.wallMs();
    const startedMs = clock.monotonicMs();
    return { file, writer, first: index + 1, startedMs, offset: 0, timeMs, revision };
  }

  get #isDue(): boolean {
    const open = this.#open;
    if (open === undefined) return false;
    const { clock, pieceMs } = this.#options;
    return open.offset >= PIECE_BYTES_MAX || clock.monotonicMs() - open.startedMs >= pieceMs;
  }

  async #seal(): Promise<void> {
    const { disk, directory, measures } = this.#options;
    const open = this.#open as OpenPiece;
    const { writer, file, first, timeMs, revision } = open;
    writer.end();
    const bytes = writer.take();
    await file.write(bytes, open.offset);
    await file.sync();
    await checkPiece(file, writer.last);
    this.#open = undefined;
    await file.close();
    const { index, term } = writer.last;
    const { name } = namePiece({ timeMs, revision, first, last: index });
    await disk.rename(this.#partPath, `${directory}/${name}`);
    await disk.syncDirectory(directory);
    this.#count += 1;
    measures.pieces += 1;
    measures.bytesWritten += open.offset + bytes.length;
    this.#setArchived({ index, term, revision }, timeMs);
  }

  async #drop(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.file.close().catch(() => undefined);
    await this.#options.disk.remove(this.#partPath).catch(() => undefined);
  }

  #setArchived(archived: Archived, timeMs: number): void {
    this.#archived = archived;
    this.#options.measures.archivedIndex = archived.index;
    this.#options.measures.archivedTimeMs = timeMs;
  }
}

function lastPiece({ pieces }: Chain): PieceName | undefined {
  let last: PieceName | undefined;
  for (const piece of pieces) if (piece.last > (last?.last ?? 0)) last = piece;
  return last;
}

/** Reads a piece back from its file. Throws WalCorrupt. */
async function checkPiece(file: OpenFile, last: AppliedPoint): Promise<void> {
  const reader = await PieceReader.open(file);
  let { index } = reader.head.after;
  for await (const entries of reader.batches()) index = entries.at(-1)?.index ?? index;
  if (index !== last.index)
    throw new Error(`${file.path} ends at entry ${index}, not ${last.index}`);
}
