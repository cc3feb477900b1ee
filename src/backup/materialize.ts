/**
 * From the files of a backup to one snapshot file of the wanted state: the newest image before it,
 * and the archived log applied to that, entry by entry, as a member would.
 *
 * Every file is checked for what it is and that it follows the one before: an image by its SHA-256,
 * a piece by its checksums and its end, both by the point in the log where they meet, by revision
 * and by the incarnation of the cluster. What does not fit is refused, the file named.
 *
 * The log itself says what the state came to on the way: members stamp entries with the digest that
 * they compare among each other. The state that is made here is held against each of these.
 */
import { CLUSTER_INCARNATION } from "../apply/index.ts";
import type { Backend } from "../backend/index.ts";
import { DigestingBackend } from "../care/index.ts";
import { importStore, openImage, Replay, requestOf } from "../datadir/index.ts";
import type { Digests, Disk, OpenFile, Timers } from "../seam/index.ts";
import { verifySnapshotFile } from "../snapshot/index.ts";
import { type LogPoint, PieceReader } from "../wal/index.ts";
import { type Entry, EntryType, readStamp } from "../wire/index.ts";
import type { RestorePlan, RestoreTarget } from "./chain.ts";
import { BackupRefused } from "./errors.ts";
import { writeImage } from "./image-file.ts";
import type { PieceName } from "./names.ts";
import { decodeNote } from "./piece-note.ts";

export interface MaterializeOptions {
  readonly disk: Disk;
  readonly timers: Timers;
  readonly digests: Digests;
  readonly openBackend: (directory: string) => Promise<Backend>;
  readonly plan: RestorePlan;
  readonly target: RestoreTarget;
  /** Goes on where the state is not the one that the log tells of. */
  readonly skipDigests?: boolean;
  /** A directory for a store and a file as large as it; emptied first, the caller's to remove. */
  readonly scratch: string;
}

export interface Materialized {
  /** A snapshot file with its checksum: the image itself, or one in the scratch directory. */
  readonly path: string;
  readonly revision: number;
  /** Entries of the log that were applied to the image. */
  readonly entries: number;
  /** How often the state on the way was found to be the one that the cluster had. */
  readonly digestsCompared: number;
}

/**
 * Rejects with BackupRefused, SnapshotCorrupt, SnapshotRefused and WalCorrupt, which name a file,
 * and with what the disk throws.
 */
export async function materialize(options: MaterializeOptions): Promise<Materialized> {
  const { disk, plan, scratch } = options;
  const imagePath = `${plan.directory}/${plan.image.name}`;
  await checkImageFile(options, imagePath);
  if (plan.pieces.length === 0) {
    return { path: imagePath, revision: plan.image.revision, entries: 0, digestsCompared: 0 };
  }
  if (await disk.exists(scratch)) await disk.remove(scratch);
  await disk.makeDirectory(scratch, 0o700);
  const directory = `${scratch}/store`;
  const point = await importStore({ ...options, imagePath, directory });
  if (point.index !== plan.image.index) {
    throw new BackupRefused(
      `backup ${imagePath} holds index ${point.index}, its name says ${plan.image.index}`,
    );
  }
  const backend = await options.openBackend(directory);
  try {
    return await new Rebuild(options, new DigestingBackend(backend)).run(imagePath);
  } finally {
    await backend.close();
  }
}

async function checkImageFile({ disk, digests }: MaterializeOptions, path: string): Promise<void> {
  const file = await disk.open(path, "read");
  try {
    const { hasChecksum } = await verifySnapshotFile(file, digests.sha256());
    if (hasChecksum) return;
    throw new BackupRefused(`backup ${path} has no checksum: the file may be cut`);
  } finally {
    await file.close();
  }
}

class Rebuild {
  readonly #options: MaterializeOptions;
  readonly #backend: DigestingBackend;
  #entries = 0;
  #digestsCompared = 0;
  /** Changes of members are not made here in every detail: not comparable from there. */
  #blindFrom = Number.POSITIVE_INFINITY;
  #hasMemberChange = false;

  constructor(options: MaterializeOptions, backend: DigestingBackend) {
    this.#options = options;
    this.#backend = backend;
  }

  async run(imagePath: string): Promise<Materialized> {
    const { disk, digests, timers, plan, target, scratch } = this.#options;
    const turn = () => new Promise<void>((resolve) => timers.soon(resolve));
    const replay = await Replay.open(this.#backend, turn);
    checkRevision(imagePath, replay.revision, plan.image.revision);
    let revision = plan.image.revision;
    for (const piece of plan.pieces) {
      await this.#apply(replay, piece, revision);
      revision = piece.revision;
    }
    if (target.revision !== undefined) {
      checkRevision(
        `${plan.directory}/${plan.pieces.at(-1)?.name}`,
        replay.revision,
        target.revision,
      );
    }
    const path = `${scratch}/snapshot.db`;
    const { image } = await openImage({ backend: this.#backend, timers });
    try {
      await writeImage(image, { disk, digests, pace: { spend: () => Promise.resolve() }, path });
    } finally {
      image.close();
    }
    const { revision: reached } = replay;
    return {
      path,
      revision: reached,
      entries: this.#entries,
      digestsCompared: this.#digestsCompared,
    };
  }

  async #apply(replay: Replay, piece: PieceName, revisionBefore: number): Promise<void> {
    const { disk, plan, target } = this.#options;
    const file = await disk.open(`${plan.directory}/${piece.name}`, "read");
    try {
      const reader = await PieceReader.open(file);
      this.#checkHead(file, reader, piece, revisionBefore);
      let last: LogPoint = reader.head.after;
      this.#checkMeets(file, last);
      for await (const entries of reader.batches()) {
        for (const entry of entries) this.#checkMeets(file, entry);
        last = entries.at(-1) ?? last;
        const before = this.#backend.applied.index;
        await replay.apply(entries, target.revision);
        this.#entries += this.#backend.applied.index - before;
        for (const entry of entries) this.#compare(file, entry);
      }
      if (last.index !== piece.last) {
        throw new BackupRefused(
          `backup ${file.path} ends at entry ${last.index}, its name says ${piece.last}`,
        );
      }
      if (replay.revision === target.revision) return;
      checkRevision(file.path, replay.revision, piece.revision);
    } finally {
      await file.close();
    }
  }

  #checkHead(
    file: OpenFile,
    { head }: PieceReader,
    piece: PieceName,
    revisionBefore: number,
  ): void {
    const note = decodeNote(head.note);
    if (note === undefined) {
      throw new BackupRefused(`backup ${file.path} is of a format that is not known here`);
    }
    const known = this.#backend.get("cluster", CLUSTER_INCARNATION)?.toString() ?? "";
    // A cluster that had none may have been given one in between.
    if (note.incarnation !== known && note.incarnation !== "" && known !== "") {
      throw new BackupRefused(
        `backup ${file.path} belongs to incarnation "${note.incarnation}" of a cluster, ` +
          `${this.#options.plan.image.name} to "${known}": they do not go together`,
      );
    }
    if (head.after.index + 1 !== piece.first) {
      throw new BackupRefused(
        `backup ${file.path} begins with entry ${head.after.index + 1}, its name says ${piece.first}`,
      );
    }
    // Where a piece begins before the image ends, the image has come further.
    const isFurther = head.after.index < this.#backend.applied.index;
    if (isFurther ? note.revision > revisionBefore : note.revision !== revisionBefore) {
      throw new BackupRefused(
        `backup ${file.path} goes on from revision ${note.revision}, what is before it comes to ` +
          `${revisionBefore}`,
      );
    }
  }

  /** What the entry says that the state had come to, before it or at an earlier one. */
  #compare(file: OpenFile, entry: Entry): void {
    const { chain, applied } = this.#backend;
    const { index, data } = entry;
    if (index > applied.index || this.#options.skipDigests === true) return;
    if (this.#changesMembers(entry)) this.#blindFrom = Math.min(this.#blindFrom, index);
    const stamp = entry.type === EntryType.NORMAL ? readStamp(data) : undefined;
    if (stamp === undefined) return;
    if (stamp.index >= this.#blindFrom) {
      // The cluster's word is taken for the change, and held against what follows it.
      if (chain.adopt(stamp)) this.#blindFrom = Number.POSITIVE_INFINITY;
      return;
    }
    const agrees = chain.agrees(stamp);
    if (agrees === true) this.#digestsCompared += 1;
    if (agrees !== false) return;
    throw new BackupRefused(
      `backup ${file.path} leads to another state at entry ${stamp.index} than the cluster had, by ` +
        `the digest that entry ${index} holds: this file or one before it is not what it was; ` +
        "--skip-hash-check takes it all the same",
    );
  }

  #changesMembers(entry: Entry): boolean {
    if (entry.type !== EntryType.NORMAL) this.#hasMemberChange = true;
    if (!this.#hasMemberChange) return false;
    return (
      entry.type !== EntryType.NORMAL || requestOf(entry)?.operation.kind === "memberAttributesSet"
    );
  }

  /** Two logs that agree on the term of an entry agree on all before it. */
  #checkMeets(file: OpenFile, { index, term }: LogPoint): void {
    const { applied } = this.#backend;
    if (index !== applied.index || term === applied.term) return;
    throw new BackupRefused(
      `backup ${file.path} has term ${term} for entry ${index}, what is before it has term ` +
        `${applied.term}: they are not of one log`,
    );
  }
}

function checkRevision(path: string, found: number, wanted: number): void {
  if (found === wanted) return;
  throw new BackupRefused(
    `backup ${path} leads to revision ${found}, and should lead to ${wanted}: it is not what its ` +
      "name says, or does not follow what is before it",
  );
}
