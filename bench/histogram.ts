/**
 * Latencies in logarithmic buckets, as HdrHistogram keeps them: 128 equal steps in each power of
 * two, so that a reported value is at most 0.8 % above the recorded one, at any size.
 *
 * Recording is a few integer operations on one typed array (some 5 ns) and makes no garbage; the
 * generator records once per request.
 *
 * Units: milliseconds at the surface, 0.1 us inside; a value above 214 s counts as 214 s.
 */
const UNITS_PER_MS = 10_000;
const STEP_BITS = 7;
const STEPS = 1 << STEP_BITS;
const UNITS_MAX = 0x7fff_ffff;
/** Values below 2 * STEPS have a bucket each; each power of two from there up to 2^31 has STEPS. */
const BUCKETS = (31 - STEP_BITS + 1) * STEPS;

export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #sumMs = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  /** Exact, unlike the percentiles; 0 when nothing was recorded. */
  get meanMs(): number {
    return this.#count === 0 ? 0 : this.#sumMs / this.#count;
  }

  record(ms: number): void {
    const units = ms < 0 ? 0 : Math.min(ms * UNITS_PER_MS, UNITS_MAX) | 0;
    const shift = units < 2 * STEPS ? 0 : 31 - STEP_BITS - Math.clz32(units);
    const bucket = shift * STEPS + (units >>> shift);
    (this.#counts[bucket] as number)++;
    this.#count += 1;
    this.#sumMs += ms;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#sumMs = 0;
    this.#maxMs = 0;
  }

  /** The least bucket's upper edge that `fraction` of all values do not exceed; 0 when empty. */
  percentileMs(fraction: number): number {
    if (this.#count === 0) return 0;
    const rank = Math.max(1, Math.ceil(fraction * this.#count));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      seen += this.#counts[bucket] as number;
      if (seen >= rank) return Math.min(upperEdgeMs(bucket), this.#maxMs);
    }
    return this.#maxMs;
  }
}

function upperEdgeMs(bucket: number): number {
  if (bucket < 2 * STEPS) return (bucket + 1) / UNITS_PER_MS;
  const shift = Math.floor(bucket / STEPS) - 1;
  const step = bucket - shift * STEPS;
  return ((step + 1) * 2 ** shift) / UNITS_PER_MS;
}
