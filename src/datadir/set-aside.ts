/** A store that cannot be used makes room for another one, and is kept for who looks into it. */
import type { Disk } from "../seam/index.ts";
import { type DataDirectory, parentOf } from "./data-directory.ts";

/** Stores kept beside the one in use; the oldest is removed for a new one. */
export const STORES_ASIDE_MAX = 2;
const PREFIX = "store.damaged-";

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
