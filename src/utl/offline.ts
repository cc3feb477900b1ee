/** The data directory of a member that does not run. */
import { type Backend, openLmdbBackend, openStoreReadOnly } from "../backend/index.ts";
import { type DataDirectory, findDataDirectory } from "../datadir/index.ts";
import { type DirectoryLock, hostDisk, lockDirectory, systemClock } from "../host/index.ts";
import { UtlError, type UtlIo } from "./io.ts";

const POLL_MS = 100;
const TOLD_AFTER_MS = 1_000;

export interface OfflineOptions {
  readonly dataDirectory: string;
  /** How long a member that is ending may take to let go of it. */
  readonly timeoutMs: number;
  /** For reading only nothing in the store is changed. */
  readonly isReadOnly: boolean;
}

/**
 * Runs `work` on the store while no member can start on it. Throws UtlError when there is none, or
 * when a member holds it for longer than the timeout.
 */
export async function withStore<T>(
  options: OfflineOptions,
  io: UtlIo,
  work: (backend: Backend, paths: DataDirectory) => Promise<T>,
): Promise<T> {
  const { dataDirectory, isReadOnly } = options;
  if (!(await hostDisk.exists(`${dataDirectory}/member`))) {
    throw new UtlError(`data-dir "${dataDirectory}" has no member: no such directory`);
  }
  const lock = await takeLock(options, io);
  try {
    const paths = await findDataDirectory(hostDisk, dataDirectory);
    const backend = isReadOnly
      ? await openStoreReadOnly(paths.store)
      : await openLmdbBackend({ directory: paths.store });
    try {
      return await work(backend, paths);
    } finally {
      await backend.close();
    }
  } finally {
    await lock.release();
  }
}

async function takeLock(
  { dataDirectory, timeoutMs }: OfflineOptions,
  io: UtlIo,
): Promise<DirectoryLock> {
  const startMs = systemClock.monotonicMs();
  let isTold = false;
  for (;;) {
    try {
      return await lockDirectory(dataDirectory);
    } catch (error) {
      const waitedMs = systemClock.monotonicMs() - startMs;
      if (waitedMs >= timeoutMs) throw error;
      if (!isTold && waitedMs >= TOLD_AFTER_MS) {
        isTold = true;
        io.stderr(`waiting for the member to close and release its lock on "${dataDirectory}"\n`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}
