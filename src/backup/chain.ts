/**
 * The files of one member's backups, and which of them lead to a state.
 *
 * Images and pieces are one chain: an image holds the log up to its index, and the pieces go on
 * from there. A chain that has a hole is followed to the hole and no further.
 */
import type { Disk } from "../seam/index.ts";
import { BackupRefused } from "./errors.ts";
import { type ImageName, type PieceName, readName } from "./names.ts";

export interface Chain {
  readonly directory: string;
  /** By index. */
  readonly images: readonly ImageName[];
  /** By first index, and then the longest first. */
  readonly pieces: readonly PieceName[];
}

/** What a restore is to come to; without either, the newest that there is. */
export interface RestoreTarget {
  readonly revision?: number;
  readonly timeMs?: number;
}

export interface RestorePlan {
  readonly directory: string;
  readonly image: ImageName;
  /** In order. The first may begin before the image ends. */
  readonly pieces: readonly PieceName[];
  /** The newest revision that is known of: in this chain, or in any at its location. */
  readonly newestRevision: number;
}

/** Rejects with what the disk says. */
export async function readChain(disk: Disk, directory: string): Promise<Chain> {
  const found = (await disk.list(directory)).map(readName);
  const images = found.filter((file) => file?.kind === "image");
  const pieces = found.filter((file) => file?.kind === "piece");
  images.sort((a, b) => a.index - b.index);
  pieces.sort((a, b) => a.first - b.first || b.last - a.last);
  return { directory, images, pieces };
}

/** Throws BackupRefused: names what is missing, and how far the files go. */
export function planRestore(chain: Chain, target: RestoreTarget): RestorePlan {
  const image = chooseImage(chain, target);
  const isEnough = (revision: number): boolean =>
    target.revision !== undefined && revision >= target.revision;
  const isLater = ({ timeMs }: PieceName): boolean => timeMs > (target.timeMs ?? Infinity);
  const pieces: PieceName[] = [];
  let index = image.index;
  let revision = image.revision;
  while (!isEnough(revision)) {
    const next = pieceFrom(chain, index + 1);
    if (next === undefined) checkNoHole(chain, { index, revision }, target);
    if (next === undefined || isLater(next)) break;
    pieces.push(next);
    index = next.last;
    revision = next.revision;
  }
  if (target.revision !== undefined && revision < target.revision) {
    throw new BackupRefused(
      `the backups in ${chain.directory} reach revision ${revision}, wanted ${target.revision}; ` +
        "give a lower --to-revision, or another location",
    );
  }
  return { directory: chain.directory, image, pieces, newestRevision: newestOf(chain) };
}

function newestOf({ images, pieces }: Chain): number {
  return Math.max(...[...images, ...pieces].map(({ revision }) => revision));
}

function chooseImage(chain: Chain, { revision, timeMs }: RestoreTarget): ImageName {
  const fits = (image: ImageName): boolean =>
    image.revision <= (revision ?? Infinity) && image.timeMs <= (timeMs ?? Infinity);
  const chosen = chain.images.findLast(fits);
  if (chosen !== undefined) return chosen;
  const oldest = chain.images[0];
  if (oldest === undefined) {
    throw new BackupRefused(
      `${chain.directory} holds no backup of a store (names like <time>_etcd_r<revision>_...db)`,
    );
  }
  const wanted =
    revision === undefined ? new Date(timeMs ?? 0).toISOString() : `revision ${revision}`;
  throw new BackupRefused(
    `the oldest backup in ${chain.directory} is ${oldest.name}, which is later than ${wanted}`,
  );
}

/** Where the newest image and the pieces after it lead without a hole; undefined = no image. */
export function reachOf(chain: Chain): ImageName | PieceName | undefined {
  let reach: ImageName | PieceName | undefined = chain.images.at(-1);
  if (reach === undefined) return undefined;
  for (;;) {
    const next = pieceFrom(chain, endOf(reach) + 1);
    if (next === undefined) return reach;
    reach = next;
  }
}

/** The last entry that a file holds. */
export function endOf(file: ImageName | PieceName): number {
  return file.kind === "image" ? file.index : file.last;
}

/** The piece that holds entry `index`, and leads furthest. */
function pieceFrom({ pieces }: Chain, index: number): PieceName | undefined {
  let best: PieceName | undefined;
  for (const piece of pieces) {
    if (piece.first > index) break;
    if (piece.last >= index && piece.last > (best?.last ?? 0)) best = piece;
  }
  return best;
}

/** Files behind a hole: something is lost, and that must be known before it is done without. */
function checkNoHole(
  chain: Chain,
  at: { readonly index: number; readonly revision: number },
  target: RestoreTarget,
): void {
  const after = chain.pieces.find(({ first }) => first > at.index + 1);
  if (after === undefined || after.timeMs > (target.timeMs ?? Infinity)) return;
  throw new BackupRefused(
    `entries ${at.index + 1} to ${after.first - 1} are in no file of ${chain.directory}: ` +
      `${after.name} does not follow what is before it; --to-revision ${at.revision} restores up ` +
      "to there",
  );
}
