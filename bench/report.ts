/** Figures of all rounds put into Markdown: ratios first, then absolute figures, then the goals. */
import {
  type CaseSpec,
  CASES,
  type Figures,
  GOALS,
  HEADROOM_WANTED,
  type MetricName,
  METRICS,
  type MetricSpec,
} from "./cases.ts";
import { median, pairedRatio } from "./ratio.ts";

/** One case on one server in one round. */
export interface Sample {
  readonly caseName: string;
  readonly target: "etcd" | "holdfast" | "null";
  readonly round: number;
  readonly figures: Figures;
}

const RATIO_COLUMNS: readonly MetricName[] = [
  "throughput",
  "mean",
  "p50",
  "p99",
  "p999",
  "cpu",
  "peakRss",
];
/** Said once, of the generator. */
const OWN_METRICS: readonly MetricName[] = ["generatorBusy", "failed"];

export function report(samples: readonly Sample[]): string {
  const parts = [ratioTable(samples), goalTable(samples), figureTable(samples)];
  parts.push(headroomTable(samples));
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function specs(samples: readonly Sample[]): CaseSpec[] {
  return CASES.filter((spec) => samples.some((sample) => sample.caseName === spec.name));
}

/** A figure in the order of rounds; rounds that failed are missing. */
export function valuesOf(
  samples: readonly Sample[],
  caseName: string,
  target: Sample["target"],
  metric: MetricName,
): number[] {
  return samples
    .filter((sample) => sample.caseName === caseName && sample.target === target)
    .toSorted((a, b) => a.round - b.round)
    .map((sample) => sample.figures[metric])
    .filter((value) => value !== undefined);
}

/** Holdfast's over etcd's, each round's pair by itself; NaN without a pair. */
export function ratioOf(samples: readonly Sample[], caseName: string, metric: MetricName): number {
  return pairedRatio(
    valuesOf(samples, caseName, "holdfast", metric),
    valuesOf(samples, caseName, "etcd", metric),
  );
}

function ratioTable(samples: readonly Sample[]): string {
  const rows = specs(samples)
    .filter((spec) => spec.kind === "requests" || spec.kind === "watch")
    .map((spec) => [
      spec.title,
      ...RATIO_COLUMNS.map((metric) => showRatio(ratioOf(samples, spec.name, metric))),
    ])
    .filter((row) => row.slice(1).some((cell) => cell !== ""));
  if (rows.length === 0) return "";
  const head = ["Holdfast / etcd", "throughput", "mean", "p50", "p99", "p99.9"];
  return table([...head, "CPU per request", "peak RSS"], rows);
}

function goalTable(samples: readonly Sample[]): string {
  const rows: string[][] = [];
  for (const goal of GOALS) {
    const spec = CASES.find((candidate) => candidate.name === goal.caseName);
    const metric = METRICS.find((candidate) => candidate.id === goal.metric);
    if (spec === undefined || metric === undefined) continue;
    const isRatio = goal.of === "ratio";
    const found = isRatio
      ? ratioOf(samples, goal.caseName, goal.metric)
      : median(valuesOf(samples, goal.caseName, "holdfast", goal.metric));
    if (Number.isNaN(found)) continue;
    const show = (value: number): string =>
      isRatio ? showRatio(value) : showFigure(value, metric);
    const wanted =
      goal.least === undefined
        ? `${show(goal.most ?? Number.NaN)} or less`
        : `${show(goal.least)} or more`;
    const isReached = found >= (goal.least ?? -Infinity) && found <= (goal.most ?? Infinity);
    rows.push([`${spec.title}: ${metric.title}`, wanted, show(found), isReached ? "yes" : "no"]);
  }
  return rows.length === 0 ? "" : table(["must reach", "wanted", "found", "reached"], rows);
}

function figureTable(samples: readonly Sample[]): string {
  const rows: string[][] = [];
  for (const spec of specs(samples)) {
    for (const metric of METRICS) {
      if (OWN_METRICS.includes(metric.id) && !hasFailed(samples, spec.name, metric.id)) continue;
      const etcd = median(valuesOf(samples, spec.name, "etcd", metric.id));
      const holdfast = median(valuesOf(samples, spec.name, "holdfast", metric.id));
      if (Number.isNaN(etcd) && Number.isNaN(holdfast)) continue;
      const ratio = ratioOf(samples, spec.name, metric.id);
      const cells = [showFigure(etcd, metric), showFigure(holdfast, metric), showRatio(ratio)];
      rows.push([spec.title, titleOf(spec, metric), ...cells]);
    }
  }
  return rows.length === 0 ? "" : table(["case", "figure", "etcd", "Holdfast", "ratio"], rows);
}

/** In the watch cases what counts are events. */
function titleOf(spec: CaseSpec, metric: MetricSpec): string {
  if (spec.kind === "catch-up" && metric.id === "growth") return "largest growth of a member";
  if (spec.kind === "catch-up" && metric.id === "idleMean") return "put, mean, before";
  if (spec.kind !== "watch") return metric.title;
  if (metric.id === "throughput") return "events delivered";
  if (metric.id === "cpu") return "server CPU per event";
  return metric.title;
}

function hasFailed(samples: readonly Sample[], caseName: string, metric: MetricName): boolean {
  return (
    metric === "failed" &&
    (["etcd", "holdfast"] as const).some((target) =>
      valuesOf(samples, caseName, target, "failed").some((count) => count > 0),
    )
  );
}

function headroomTable(samples: readonly Sample[]): string {
  const rows: string[][] = [];
  for (const spec of specs(samples)) {
    const own = median(valuesOf(samples, spec.name, "null", "throughput"));
    if (Number.isNaN(own)) continue;
    const rates = (["etcd", "holdfast"] as const).map((target) =>
      median(valuesOf(samples, spec.name, target, "throughput")),
    );
    const fastest = Math.max(...rates.filter((rate) => !Number.isNaN(rate)));
    const isEnough = own >= HEADROOM_WANTED * fastest;
    const show = (value: number): string => Math.round(value).toLocaleString("en-US");
    rows.push([
      spec.title,
      show(own),
      Number.isFinite(fastest) ? show(fastest) : "",
      Number.isFinite(fastest) ? showRatio(own / fastest) : "",
      Number.isFinite(fastest) ? (isEnough ? "yes" : "no") : "",
    ]);
  }
  if (rows.length === 0) return "";
  const wanted = `${HEADROOM_WANTED} x or more`;
  return table(["generator", "null server /s", "faster server /s", "headroom", wanted], rows);
}

/** Three digits; nothing for NaN. */
export function showRatio(ratio: number): string {
  return Number.isNaN(ratio) ? "" : `${ratio.toPrecision(ratio >= 100 ? 4 : 3)} x`;
}

export function showFigure(value: number, metric: Pick<MetricSpec, "unit">): string {
  if (Number.isNaN(value)) return "";
  switch (metric.unit) {
    case "per second":
      return `${Math.round(value).toLocaleString("en-US")} /s`;
    case "ms":
      return value < 10 ? `${value.toFixed(3)} ms` : `${value.toFixed(1)} ms`;
    case "us":
      return `${value.toFixed(value < 10 ? 2 : 1)} us`;
    case "bytes":
      return `${(value / (1024 * 1024)).toFixed(1)} MB`;
    case "seconds":
      return `${value.toFixed(1)} s`;
    case "factor":
      return `${value.toFixed(2)} x`;
    case "share":
      return `${Math.round(value * 100)} %`;
    case "count":
      return Math.round(value).toLocaleString("en-US");
  }
}

/** A Markdown table whose columns are lined up: the first two left, numbers right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const isNumber = head.map((_, column) =>
    rows.some((row) => /^-?[0-9]/.test(row[column] ?? "")) ? column > 0 : false,
  );
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((cell, column) => {
      const width = widths[column] ?? 0;
      return isNumber[column] === true ? cell.padStart(width) : cell.padEnd(width);
    });
    return `| ${padded.join(" | ")} |`;
  };
  const rule = widths.map((width, column) =>
    isNumber[column] === true ? `${"-".repeat(width - 1)}:` : "-".repeat(width),
  );
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}
