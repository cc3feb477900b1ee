/**
 * The member's store as it starts, or an empty one where that cannot be used and the state can be
 * had elsewhere: from the log, if that goes back to the beginning, or from the other members.
 */
import type { Backend } from "../backend/index.ts";
import { isDamage, type Journal } from "../care/index.ts";
import { type DataDirectory, setStoreAside } from "../datadir/index.ts";
import type { Disk } from "../seam/index.ts";
import {
  listSegments,
  readSnapshots,
  readWal,
  WalCorrupt,
  walExists,
  type WalSnapshot,
} from "../wal/index.ts";
import type { LocalStore } from "./local-store.ts";
import { checkBeginning, StoreBehindLog } from "./log-recovery.ts";

export interface OpenStoreOptions {
  readonly disk: Disk;
  readonly paths: DataDirectory;
  readonly openBackend: (directory: string) => Promise<Backend>;
  readonly openStore: (backend: Backend) => Promise<LocalStore>;
  readonly journal: Journal;
}

export interface OpenedStore {
  readonly local: LocalStore;
  /** The store was lost. */
  readonly loss?: Loss;
}

export interface Loss {
  readonly cause: Error;
  /** What the log counts on the store for; undefined when it tells everything itself. */
  readonly base: WalSnapshot | undefined;
}

/** Rejects with what is wrong where nobody else has the state, and changes nothing then. */
export async function openStore(options: OpenStoreOptions): Promise<OpenedStore> {
  const { disk, paths, openBackend, journal } = options;
  try {
    const local = await open(options);
    const loss = await lostBefore(options, local);
    return loss === undefined ? { local } : { local, loss };
  } catch (cause) {
    if (!isDamage(cause) && !(cause instanceof StoreBehindLog)) throw cause;
    if (!(await walExists(disk, paths.wal))) throw cause;
    const base = (await readSnapshots(disk, paths.wal)).findLast(({ index }) => index > 0);
    const isWhole = await tellsAll(disk, paths);
    // Alone it has nobody to ask: an operator has to say what is to be done.
    if (!isWhole && (base?.confState?.voters.length ?? 0) < 2) throw cause;
    const place = await setStoreAside(disk, paths);
    journal.note({
      kind: "damage",
      found: cause.message,
      why: "the store cannot be opened, or is not the one that the log counts on",
      done:
        `it is set aside as ${place}; the state comes from ` +
        (isWhole ? "the log, which has all of it" : "another member"),
    });
    const local = await options.openStore(await openBackend(paths.store));
    return { local, loss: { cause, base: isWhole ? undefined : base } };
  }
}

async function open(options: OpenStoreOptions): Promise<LocalStore> {
  const backend = await options.openBackend(options.paths.store);
  try {
    const { disk, paths } = options;
    const hasLog = await walExists(disk, paths.wal);
    if (hasLog) await checkBeginning(disk, paths.wal, backend.applied.index);
    return await options.openStore(backend);
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/**
 * An earlier start lost the store and began an empty one, into which nothing has come since: the
 * log does not tell everything, though it begins at the first entry, for a snapshot was installed
 * in it. What is damaged in the log is met by whoever reads all of it.
 */
async function lostBefore(
  { disk, paths }: OpenStoreOptions,
  { backend }: LocalStore,
): Promise<Loss | undefined> {
  if (backend.applied.index > 0 || !(await walExists(disk, paths.wal))) return undefined;
  try {
    const base = (await readSnapshots(disk, paths.wal)).findLast(({ index }) => index > 0);
    const isAlone = (base?.confState?.voters.length ?? 0) < 2;
    if (base === undefined || isAlone || (await tellsAll(disk, paths))) return undefined;
    const text = `the store is empty, and the log in ${paths.wal} counts on one of index`;
    return { cause: new StoreBehindLog(`${text} ${base.index}`), base };
  } catch (error) {
    if (error instanceof WalCorrupt) return undefined;
    throw error;
  }
}

/** Whether the log has every entry from the first on. */
async function tellsAll(disk: Disk, { wal }: DataDirectory): Promise<boolean> {
  const [first] = await listSegments(disk, wal);
  if (first === undefined || first.firstIndex > 1) return false;
  try {
    const reader = await readWal(disk, wal, { index: 0, term: 0 });
    await reader.drain();
    return reader.lastIndex > 0;
  } catch (error) {
    // A snapshot was installed here once, and what came before it is void. Damage is met again by
    // whoever reads the log from where that begins.
    if (error instanceof WalCorrupt) return false;
    throw error;
  }
}
