/** What is asked of a member's /metrics: numbers by name, and shares of a histogram. */

interface Sample {
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

/** Lines of a page that are read; whoever sends more is no member. */
const LINES_MAX = 100_000;
const LINE = /^([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

export class MetricsPage {
  readonly #samples = new Map<string, Sample[]>();

  /** The Prometheus text format; a line that is none of it is passed over. */
  constructor(text: string) {
    for (const line of text.split("\n", LINES_MAX)) {
      const [, name, labels = "", value] = line.startsWith("#") ? [] : (LINE.exec(line) ?? []);
      if (name === undefined || value === undefined) continue;
      const sample = { labels: labelsOf(labels), value: numberOf(value) };
      const known = this.#samples.get(name);
      if (known === undefined) this.#samples.set(name, [sample]);
      else known.push(sample);
    }
  }

  /** All samples of one name. */
  values(name: string): number[] {
    return (this.#samples.get(name) ?? []).map(({ value }) => value);
  }

  /** The first sample of that name. */
  value(name: string): number | undefined {
    return this.values(name)[0];
  }

  /** All samples whose label is `wanted`, added up. */
  sumWhere(name: string, label: string, wanted: string): number {
    const found = (this.#samples.get(name) ?? []).filter(
      ({ labels }) => labels.get(label) === wanted,
    );
    return found.reduce((sum, { value }) => sum + value, 0);
  }

  /** The values of one label of samples that are `wanted`. */
  labelsWhere(name: string, label: string, wanted: number): string[] {
    const found = (this.#samples.get(name) ?? []).filter(({ value }) => value === wanted);
    return found.flatMap(({ labels }) => labels.get(label) ?? []);
  }

  /**
   * The upper bound of the bucket that holds the quantile, without what `before` had counted
   * already; undefined when nothing was counted, Infinity beyond the last bucket.
   */
  quantile(name: string, share: number, before?: MetricsPage): number | undefined {
    const buckets = this.#buckets(name, before);
    const total = buckets.at(-1)?.count ?? 0;
    if (total <= 0) return undefined;
    return buckets.find(({ count }) => count >= share * total)?.bound;
  }

  /** How often a histogram has counted. */
  count(name: string): number {
    return this.value(`${name}_count`) ?? 0;
  }

  #buckets(name: string, before?: MetricsPage): { bound: number; count: number }[] {
    const counted = before === undefined ? [] : before.#buckets(name);
    const earlier = new Map(counted.map(({ bound, count }) => [bound, count]));
    return (this.#samples.get(`${name}_bucket`) ?? [])
      .map(({ labels, value }) => {
        const bound = numberOf(labels.get("le") ?? "");
        return { bound, count: value - (earlier.get(bound) ?? 0) };
      })
      .sort((a, b) => a.bound - b.bound);
  }
}

function labelsOf(text: string): ReadonlyMap<string, string> {
  const pairs = [...text.matchAll(LABEL)];
  return new Map(pairs.map(([, name = "", value = ""]) => [name, value]));
}

function numberOf(text: string): number {
  if (text === "+Inf") return Number.POSITIVE_INFINITY;
  return text === "-Inf" ? Number.NEGATIVE_INFINITY : Number(text);
}
