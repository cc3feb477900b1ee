/** Whether survivors have the same data, up to the newest revision that all of them have. */
import { hashAt, type Survivor } from "./survivor.ts";
import { type HashDisagreement, isIntact } from "./verdict.ts";

/**
 * Undefined when nothing speaks against it: they agree, or cannot be compared, since one has
 * compacted what another ends with.
 */
export async function compareHashes(
  survivors: readonly Survivor[],
): Promise<HashDisagreement | undefined> {
  const intact = survivors.filter(isIntact);
  if (intact.length < 2) return undefined;
  const revision = Math.min(...intact.map(({ store }) => store.revision));
  const hashes = new Map<Survivor, number>();
  const compacted = new Set<number>();
  for (const survivor of intact) {
    const found = await hashAt(survivor.storeDirectory as string, revision);
    if (found === undefined) continue;
    compacted.add(found.compactRevision);
    hashes.set(survivor, found.hash);
  }
  // A hash depends on what was compacted.
  if (compacted.size !== 1 || new Set(hashes.values()).size < 2) return undefined;
  return { revision, hashes };
}
