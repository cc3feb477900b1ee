/** What cannot be used makes room for another, and is kept for who looks into it. */
import type { Disk } from "../seam/index.ts";
import { type DataDirectory, parentOf } from "./data-directory.ts";

/** Stores, and logs, kept beside the one in use; the oldest is removed for a new one. */
export const STORES_ASIDE_MAX = 2;
const PREFIX = "store.damaged-";
const LOG_MARK = ".damaged-";

/** No backend is open in it. Settles with where it is now; the store's own place is empty then. */
export async function setStoreAside(disk: Disk, paths: DataDirectory): Promise<string> {
  const parent = parentOf(paths.store);
  const numbers = (await disk.list(parent))
    .filter((name) => name.startsWith(PREFIX))
    .map((name) => Number(name.slice(PREFIX.length)))
    .sort((a, b) => a - b);
  const place = `${parent}/${PREFIX}${(numbers.at(-1) ?? 0) + 1}`;
  await disk.rename(paths.store, place);
  await disk.makeDirectory(paths.store, 0o700);
  await disk.syncDirectory(parent);
  const surplus = numbers.slice(0, Math.max(0, numbers.length + 1 - STORES_ASIDE_MAX));
  for (const number of surplus) await disk.remove(`${parent}/${PREFIX}${number}`);
  return place;
}

/** The same for the log: segment by segment, since its directory may be a volume of its own. */
export async function setLogAside(disk: Disk, { wal }: DataDirectory): Promise<void> {
  if (!(await disk.exists(wal))) return;
  const names = await disk.list(wal);
  const numberOf = (name: string): number => Number(name.slice(name.indexOf(LOG_MARK) + 9));
  const asides = names.filter((name) => name.includes(LOG_MARK));
  const next = Math.max(0, ...asides.map(numberOf)) + 1;
  for (const name of names) {
    if (name.includes(LOG_MARK)) {
      if (numberOf(name) <= next - STORES_ASIDE_MAX) await disk.remove(`${wal}/${name}`);
    } else {
      await disk.rename(`${wal}/${name}`, `${wal}/${name}${LOG_MARK}${next}`);
    }
  }
  await disk.syncDirectory(wal);
}
