/** Numbers of several rounds put together: medians, and ratios of what ran side by side. */

/** NaN when there is nothing. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/**
 * The median of ours[i] / theirs[i]. Each pair ran one right after the other, so what drifts on the
 * machine between rounds (other work, a warm disk, clock speed) cancels out of each ratio.
 * Rounds that only one side has are left out; NaN when no pair is left.
 */
export function pairedRatio(ours: readonly number[], theirs: readonly number[]): number {
  const ratios: number[] = [];
  for (let round = 0; round < Math.min(ours.length, theirs.length); round += 1) {
    const ratio = (ours[round] as number) / (theirs[round] as number);
    if (Number.isFinite(ratio)) ratios.push(ratio);
  }
  return median(ratios);
}
