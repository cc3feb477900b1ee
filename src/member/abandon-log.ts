/**
 * A log that cannot be read has taken with it what this member promised: its votes and what it
 * acknowledged. So it may not go on under its id. It starts once more with an empty log, takes part
 * in nothing, and asks the others to be replaced (life-keeper.ts, decision 0029).
 *
 * The order, each step durable before the next: the life says that it is lost; store and log are
 * set aside; an empty log is begun. From the first step on each start ends up here again.
 */
import type { Journal } from "../care/index.ts";
import {
  type DataDirectory,
  DataDirectoryError,
  lifePaths,
  readLife,
  readPeers,
  setLogAside,
  setStoreAside,
  type StoredLife,
  writeLife,
} from "../datadir/index.ts";
import type { Clock, Disk } from "../seam/index.ts";
import { createWal, WalCorrupt, walExists, type WalOptions } from "../wal/index.ts";

/** The log is gone, or ends before what the store has of it. */
export class LogLost extends DataDirectoryError {}

export function isLogLost(error: unknown): error is Error {
  return error instanceof WalCorrupt || error instanceof LogLost;
}

export interface AbandonLogOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly paths: DataDirectory;
  readonly walOptions: WalOptions;
  readonly journal: Journal;
}

/** Rejects with `cause`, and has changed nothing, where nobody else could take this member back. */
export async function abandonLog(options: AbandonLogOptions, cause: Error): Promise<void> {
  const { disk, clock, paths, walOptions, journal } = options;
  const known = await readPeers(disk, paths);
  const voters = known?.members.filter(({ isLearner }) => !isLearner) ?? [];
  const others = voters.filter(({ id }) => id !== known?.id);
  if (known === undefined || others.length < Math.floor(voters.length / 2) + 1) throw cause;
  const at = lifePaths(paths);
  await writeLife(disk, at.life, { ...(await lifeOf(disk, at.life, clock)), lost: cause.message });
  journal.note({
    kind: "damage",
    found: cause.message,
    why: "without its log this member does not know what it promised",
    done: "store and log are set aside; it asks the others to take it back under another id",
  });
  if (await disk.exists(paths.store)) await setStoreAside(disk, paths);
  await setLogAside(disk, paths);
  const metadata = { nodeId: known.id, clusterId: known.clusterId };
  await (await createWal(disk, paths.wal, metadata, walOptions)).close();
}

/** Where that cannot be read either: later than any life that others can know of. */
async function lifeOf(disk: Disk, path: string, clock: Clock): Promise<StoredLife> {
  const epoch = Math.floor(clock.wallMs() / 1_000);
  return (await readLife(disk, path)) ?? { epoch, nonce: 0, base: 0 };
}

/** A member that was lost has no log that it might found a cluster with. */
export async function checkLost(disk: Disk, paths: DataDirectory): Promise<void> {
  const lost = (await readLife(disk, lifePaths(paths).life))?.lost;
  if (lost === undefined || (await walExists(disk, paths.wal))) return;
  throw new LogLost(lost);
}
