/**
 * What the files of a backup are called. A name says all that is needed to choose files for a
 * restore, and is given only to a file that is complete, durable and checked.
 *
 *   2026-11-21T15:04:05.123Z_etcd_r300001_i300017.db          the store at a revision
 *   2026-11-21T15:04:15.482Z_log_r300451_i300018-300468.wal   what came after it
 *
 * The time is when the state was as the file leaves it; r is the revision then; i are indices of
 * the log: the last that an image holds, the first and the last of a piece.
 */
export interface ImageName {
  readonly kind: "image";
  readonly name: string;
  readonly timeMs: number;
  readonly revision: number;
  readonly index: number;
}

export interface PieceName {
  readonly kind: "piece";
  readonly name: string;
  readonly timeMs: number;
  /** After its last entry. */
  readonly revision: number;
  readonly first: number;
  readonly last: number;
}

/** Ends the name of a file that is being written. */
export const PART_SUFFIX = ".part";

const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)_/;
const IMAGE = /^_etcd_r(\d{1,16})_i(\d{1,16})\.db$/;
const PIECE = /^_log_r(\d{1,16})_i(\d{1,16})-(\d{1,16})\.wal$/;

export function nameImage(given: Omit<ImageName, "kind" | "name">): ImageName {
  const name = `${stamp(given.timeMs)}_etcd_r${given.revision}_i${given.index}.db`;
  return { kind: "image", name, ...given };
}

export function namePiece(given: Omit<PieceName, "kind" | "name">): PieceName {
  const { timeMs, revision, first, last } = given;
  const name = `${stamp(timeMs)}_log_r${revision}_i${first}-${last}.wal`;
  return { kind: "piece", name, ...given };
}

/** Undefined for the name of anything else. */
export function readName(name: string): ImageName | PieceName | undefined {
  const time = TIME.exec(name)?.[1];
  const timeMs = time === undefined ? Number.NaN : Date.parse(time);
  if (time === undefined || Number.isNaN(timeMs)) return undefined;
  const rest = name.slice(time.length);
  const image = IMAGE.exec(rest);
  if (image !== null)
    return nameImage({ timeMs, revision: Number(image[1]), index: Number(image[2]) });
  const piece = PIECE.exec(rest);
  if (piece === null) return undefined;
  const [revision, first, last] = piece.slice(1).map(Number) as [number, number, number];
  return first <= last ? namePiece({ timeMs, revision, first, last }) : undefined;
}

function stamp(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
