/**
 * Which member's backups a restore takes. A location holds a directory for each member that backs
 * up there, in each life of the cluster; any of them will do that leads to the target.
 */
import type { Disk } from "../seam/index.ts";
import {
  type Chain,
  planRestore,
  readChain,
  type RestorePlan,
  type RestoreTarget,
} from "./chain.ts";
import { BackupRefused } from "./errors.ts";

/**
 * The plan that leads furthest; of those that lead as far, the one of the newest files. `location`
 * is a directory of backups, or one that holds such directories. Rejects with BackupRefused when
 * none leads to the target: with the reason of the newest, which is the one that is asked about.
 */
export async function locatePlan(
  disk: Disk,
  location: string,
  target: RestoreTarget,
): Promise<RestorePlan> {
  const chains = await chainsIn(disk, location);
  let best: { readonly plan: RestorePlan; readonly reach: readonly number[] } | undefined;
  let refusal: unknown;
  for (const chain of chains) {
    try {
      const plan = planRestore(chain, target);
      const reach = reachOf(plan, chain);
      if (best === undefined || isFurther(reach, best.reach)) best = { plan, reach };
    } catch (error) {
      if (!(error instanceof BackupRefused)) throw error;
      refusal ??= error;
    }
  }
  if (best === undefined) throw refusal;
  const newestRevision = Math.max(...chains.map(newestRevisionOf));
  return { ...best.plan, newestRevision };
}

/** Whether anything was ever backed up there. */
export async function hasBackups(disk: Disk, location: string): Promise<boolean> {
  return (await disk.exists(location)) && (await filledChains(disk, location)).length > 0;
}

async function filledChains(disk: Disk, location: string): Promise<Chain[]> {
  const chains: Chain[] = [];
  for (const directory of [location, ...(await subdirectories(disk, location))]) {
    const chain = await readChain(disk, directory);
    if (chain.images.length + chain.pieces.length > 0) chains.push(chain);
  }
  return chains;
}

/** With files, the one of the newest first. */
async function chainsIn(disk: Disk, location: string): Promise<Chain[]> {
  if (!(await disk.exists(location))) {
    throw new BackupRefused(`there is no backup location ${location}`);
  }
  const chains = await filledChains(disk, location);
  if (chains.length === 0) {
    throw new BackupRefused(
      `${location} holds no backups: wanted files named <time>_etcd_r<revision>_i<index>.db, here ` +
        "or in a directory here",
    );
  }
  return chains.sort((a, b) => newestMs(b) - newestMs(a));
}

async function subdirectories(disk: Disk, location: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await disk.list(location)) {
    const path = `${location}/${name}`;
    const isDirectory = await disk.list(path).then(
      () => true,
      () => false,
    );
    if (isDirectory) found.push(path);
  }
  return found;
}

/** Clients may have seen it, whichever chain it is in. */
function newestRevisionOf({ images, pieces }: Chain): number {
  return Math.max(...[...images, ...pieces].map(({ revision }) => revision));
}

function newestMs({ images, pieces }: Chain): number {
  return Math.max(...[...images, ...pieces].map(({ timeMs }) => timeMs));
}

/** The life of the cluster first, by its newest file; then how far the plan leads. */
function reachOf(plan: RestorePlan, chain: Chain): number[] {
  const last = plan.pieces.at(-1) ?? plan.image;
  return [last.timeMs, last.revision, newestMs(chain)];
}

function isFurther(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, position) => value !== b[position]);
  return at >= 0 && (a[at] as number) > (b[at] as number);
}
