/** The versions that we can answer as (`--compat`), and our own. */

/** What Holdfast itself is; the same as in package.json, which a test compares. */
export const HOLDFAST_VERSION = "0.1.0";

/** Newest patch release of each minor version whose behaviour was compared. */
const PATCH_OF: Readonly<Record<number, number>> = { 4: 23, 5: 26, 6: 11, 7: 1 };

export const MINOR_VERSIONS: readonly number[] = Object.keys(PATCH_OF).map(Number);
export const MINOR_VERSION_DEFAULT = 7;

/** "3.7.1". */
export function serverVersionOf(minor: number): string {
  return `3.${minor}.${PATCH_OF[minor] ?? 0}`;
}

/** "3.7.0". */
export function clusterVersionOf(minor: number): string {
  return `3.${minor}.0`;
}
