/**
 * Measurements as plain fields: a room makes its own, counts with them, and the wiring gives them
 * their names at scrape time. Nothing here is global, so several members fit in one process.
 */
export class Counter {
  value = 0;

  add(amount = 1): void {
    this.value += amount;
  }
}

/**
 * Fixed upper bounds, ascending; an implicit +Inf bucket follows. Units are the caller's (seconds).
 */
export class Histogram {
  readonly bounds: readonly number[];
  /** Observations per bucket, not cumulative; one more than `bounds`. */
  readonly counts: Float64Array;
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > (this.bounds[bucket] as number)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    this.sum += value;
    this.count += 1;
  }
}

/** `count` bounds from `start`, each `factor` times the one before. */
export function exponentialBounds(start: number, factor: number, count: number): number[] {
  return Array.from({ length: count }, (_, position) => start * factor ** position);
}
