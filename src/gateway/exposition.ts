/** The Prometheus text format, version 0.0.4, from plain fields that are read at scrape time. */
import type { Histogram } from "../base/index.ts";

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  /** Read at each scrape. */
  readonly samples: () => readonly Sample[];
}

export interface HistogramSample {
  readonly labels?: Labels;
  readonly histogram: Histogram;
}

export interface HistogramMetric {
  readonly name: string;
  readonly help: string;
  readonly type: "histogram";
  /** Read at each scrape. */
  readonly histograms: () => readonly HistogramSample[];
}

export type MetricSource = Metric | HistogramMetric;

export function gauge(name: string, help: string, read: () => number): Metric {
  return { name, help, type: "gauge", samples: () => [{ value: read() }] };
}

export function counter(name: string, help: string, read: () => number): Metric {
  return { name, help, type: "counter", samples: () => [{ value: read() }] };
}

export function exposition(sources: readonly MetricSource[]): string {
  const byName = [...sources].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const lines: string[] = [];
  for (const source of byName) {
    const body = source.type === "histogram" ? histogramLines(source) : sampleLines(source);
    if (body.length === 0) continue;
    lines.push(
      `# HELP ${source.name} ${source.help}`,
      `# TYPE ${source.name} ${source.type}`,
      ...body,
    );
  }
  return `${lines.join("\n")}\n`;
}

function sampleLines({ name, samples }: Metric): string[] {
  return samples().map(({ labels, value }) => `${name}${labelText(labels)} ${numberText(value)}`);
}

function histogramLines({ name, histograms }: HistogramMetric): string[] {
  return histograms().flatMap(({ labels, histogram }) => bucketLines(name, labels, histogram));
}

function bucketLines(name: string, labels: Labels | undefined, histogram: Histogram): string[] {
  const bucket = (le: string, count: number) =>
    `${name}_bucket${labelText({ ...labels, le })} ${count}`;
  const lines: string[] = [];
  let cumulative = 0;
  for (const [position, bound] of histogram.bounds.entries()) {
    cumulative += histogram.counts[position] as number;
    lines.push(bucket(numberText(bound), cumulative));
  }
  const own = labelText(labels);
  lines.push(
    bucket("+Inf", histogram.count),
    `${name}_sum${own} ${numberText(histogram.sum)}`,
    `${name}_count${own} ${histogram.count}`,
  );
  return lines;
}

function labelText(labels: Labels | undefined): string {
  if (labels === undefined) return "";
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return Number.isNaN(value) ? "NaN" : String(value);
}
