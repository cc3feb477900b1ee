/** What `top` shows of two looks at a cluster, as lines. Pure. */
import { assess, bytesText, type MemberRow, secondsText } from "../health/assess.ts";
import type { Look } from "../health/look.ts";
import type { MetricsPage } from "../health/metrics-page.ts";

export interface TopPage {
  readonly now: Look;
  readonly before: Look;
  /** Between the two. */
  readonly seconds: number;
  readonly minor: number;
  /** What stands first: the time. */
  readonly title: string;
  /** Longer lines are cut there. */
  readonly columns: number;
}

const HEAD = [
  "MEMBER",
  "ROLE",
  "LAG",
  "PUT/S",
  "RANGE/S",
  "TXN/S",
  "WATCHERS",
  "DB SIZE",
  "FSYNC P99",
  "MEMORY",
  "ALARMS",
];
const HANDLED = "grpc_server_handled_total";
const WATCHERS = "etcd_debugging_mvcc_watcher_total";
const MEMORY = "process_resident_memory_bytes";

export function topPage({ now, before, seconds, minor, title, columns }: TopPage): string {
  const found = assess(now, minor, before);
  const earlier = new Map(before.members.map(({ member, metrics }) => [member.id, metrics]));
  const rates = now.members.map(({ member, metrics }) =>
    ["Put", "Range", "Txn"].map((method) =>
      rateOf(method, metrics, earlier.get(member.id), seconds),
    ),
  );
  const rows = found.rows.map((row, at) => cellsOf(row, rates[at] ?? [], now.members[at]?.metrics));
  const total = (column: number): string =>
    String(rates.reduce((sum, of) => sum + (of[column] ?? 0), 0));
  const term = Math.max(0, ...found.rows.map((row) => row.term ?? 0));
  const revision = Math.max(0, ...now.members.map(({ status }) => status?.header.revision ?? 0));
  const lead = found.leader === undefined ? "no leader" : `${found.leader} leads`;
  const head = `${title}  cluster is ${found.verdict}; ${lead}; term ${term}, revision ${revision}`;
  const sums = `all: ${total(0)} puts/s, ${total(1)} ranges/s, ${total(2)} txns/s`;
  const lines = [head, sums, "", ...aligned([HEAD, ...rows]), ""];
  const told = found.troubles.map((trouble) => `! ${trouble}`);
  return [...lines, ...told].map((line) => `${line.slice(0, columns)}\n`).join("");
}

/** Requests that the member has answered, a second; undefined where it does not tell. */
function rateOf(
  method: string,
  now: MetricsPage | undefined,
  before: MetricsPage | undefined,
  seconds: number,
): number | undefined {
  if (now === undefined || before === undefined) return undefined;
  const count = (page: MetricsPage): number => page.sumWhere(HANDLED, "grpc_method", method);
  // Less than before: it was started in between.
  const done = count(now) - count(before);
  return Math.round((done < 0 ? count(now) : done) / seconds);
}

function cellsOf(
  row: MemberRow,
  rates: readonly (number | undefined)[],
  metrics: MetricsPage | undefined,
): string[] {
  const text = (value: number | undefined): string => (value === undefined ? "-" : String(value));
  return [
    row.name,
    row.role,
    text(row.lagEntries),
    ...rates.map(text),
    text(metrics?.value(WATCHERS)),
    bytesText(row.dbBytes),
    secondsText(row.fsyncSeconds),
    bytesText(metrics?.value(MEMORY)),
    row.alarms.join(" ") || "-",
  ];
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = HEAD.map((_, at) => Math.max(...rows.map((row) => (row[at] ?? "").length)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
