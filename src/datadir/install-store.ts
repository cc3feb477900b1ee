/**
 * Puts a store made from a snapshot in the place of the member's own.
 *
 * The order of an installation, each step durable before the next: the new store is complete in
 * `store.incoming`; the log has a record of the snapshot; `store` becomes `store.old`;
 * `store.incoming` becomes `store`; `store.old` is removed. From the record on the member's state
 * is the new store, whatever directories a crash leaves; before it, the old one with the old log.
 *
 * Invariant: at each point of it `finishInstall` finds one whole store, and says which.
 */
import type { AppliedPoint, Backend } from "../backend/index.ts";
import type { Disk } from "../seam/index.ts";
import { readSnapshots, walExists } from "../wal/index.ts";
import { type DataDirectory, parentOf } from "./data-directory.ts";
import { importedPoint } from "./import-store.ts";

export interface InstallPlace {
  readonly disk: Disk;
  readonly paths: DataDirectory;
}

/**
 * Swaps the store in. The import is complete, the record of its snapshot is durable in the log, and
 * no backend is open in `paths.store` nor in `paths.incoming`.
 */
export async function installStore(place: InstallPlace): Promise<void> {
  const { disk, paths } = place;
  await removeIfThere(disk, paths.replaced);
  if (await disk.exists(paths.store)) {
    await disk.rename(paths.store, paths.replaced);
    await disk.syncDirectory(parentOf(paths.store));
  }
  await putInPlace(place);
}

/** Which store the member goes on with: its own, or one that an installation had made. */
export type InstallOutcome = "unchanged" | "installed";

export interface FinishOptions extends InstallPlace {
  readonly openBackend: (directory: string) => Promise<Backend>;
}

/**
 * At a start, before the store is opened: ends what a crash has interrupted and removes what is
 * left over. Rejects with what the disk, the log or the backend throw; then nothing is removed.
 */
export async function finishInstall(options: FinishOptions): Promise<InstallOutcome> {
  const { disk, paths } = options;
  const isIncoming = await disk.exists(paths.incoming);
  if (await disk.exists(paths.replaced)) {
    const isMissing = !(await hasFiles(disk, paths.store));
    if (isMissing && isIncoming) {
      await putInPlace(options);
      return "installed";
    }
    if (isMissing) {
      await disk.rename(paths.replaced, paths.store);
      await disk.syncDirectory(parentOf(paths.store));
      return "unchanged";
    }
    await removeIfThere(disk, paths.replaced);
  }
  if (!isIncoming) return "unchanged";
  if (await isRecorded(options)) {
    await installStore(options);
    return "installed";
  }
  await removeIfThere(disk, paths.incoming);
  return "unchanged";
}

async function putInPlace({ disk, paths }: InstallPlace): Promise<void> {
  await disk.rename(paths.incoming, paths.store);
  await disk.syncDirectory(parentOf(paths.store));
  await removeIfThere(disk, paths.replaced);
}

/** Whether the log counts on the store in `incoming`. */
async function isRecorded(options: FinishOptions): Promise<boolean> {
  const { disk, paths, openBackend } = options;
  const incoming = await pointOf(paths.incoming, openBackend, importedPoint);
  if (incoming === undefined || !(await walExists(disk, paths.wal))) return false;
  const snapshots = await readSnapshots(disk, paths.wal);
  const isIncoming = ({ index, term }: AppliedPoint): boolean =>
    index === incoming.index && term === incoming.term;
  if (!snapshots.some(isIncoming)) return false;
  if (!(await hasFiles(disk, paths.store))) return true;
  const own = await pointOf(paths.store, openBackend, (backend) => backend.applied);
  return own === undefined || own.index < incoming.index;
}

/** Undefined when the store cannot be opened: it was not complete, or is damaged. */
async function pointOf(
  directory: string,
  openBackend: FinishOptions["openBackend"],
  read: (backend: Backend) => AppliedPoint | undefined,
): Promise<AppliedPoint | undefined> {
  let backend: Backend;
  try {
    backend = await openBackend(directory);
  } catch {
    return undefined;
  }
  try {
    return read(backend);
  } finally {
    await backend.close();
  }
}

/** A directory that was only just made counts as missing. */
async function hasFiles(disk: Disk, directory: string): Promise<boolean> {
  if (!(await disk.exists(directory))) return false;
  return (await disk.list(directory)).length > 0;
}

async function removeIfThere(disk: Disk, path: string): Promise<void> {
  if (!(await disk.exists(path))) return;
  await disk.remove(path);
  await disk.syncDirectory(parentOf(path));
}
