/** A look as text for people, as JSON for programs, and what changed from one to the next. */
import { type Assessment, bytesText, type MemberRow, secondsText } from "./assess.ts";

const HEAD = ["MEMBER", "ID", "ROLE", "VERSION", "LAG", "DB SIZE", "FSYNC", "CLOCK", "ALARMS"];
const MARK = "! ";

const BOLD = "1";
const RED = "31";
const GREEN = "32";
const YELLOW = "33";

export interface GlanceStyle {
  readonly hasColours: boolean;
  /** Longer lines are cut there. */
  readonly columns: number;
}

/** The table, who may fail yet, and what is wrong. */
export function glanceText(found: Assessment, style: GlanceStyle): string {
  const cells = found.rows.map(cellsOf);
  const widths = HEAD.map((head, at) => {
    return Math.max(head.length, ...cells.map((row) => (row[at] as string).length));
  });
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => cell.padEnd(widths[at] as number))
      .join("  ")
      .trimEnd();
  const cut = (text: string): string => text.slice(0, style.columns).trimEnd();
  const paint = (code: string, text: string): string =>
    style.hasColours && code !== "" ? `\x1b[${code}m${text}\x1b[0m` : text;
  const rows = found.rows.map((row, at) => paint(colourOf(row), cut(line(cells[at] as string[]))));
  const summary = cut(summaryOf(found));
  return [
    paint(BOLD, cut(line(HEAD))),
    ...rows,
    "",
    paint(found.spare < 0 ? RED : found.spare === 0 && found.voters > 1 ? YELLOW : "", summary),
    ...found.troubles.map((trouble) => paint(YELLOW, `${MARK}${trouble}`)),
    "",
  ].join("\n");
}

function cellsOf(row: MemberRow): string[] {
  return [
    row.name,
    row.id,
    row.role,
    row.version ?? "-",
    row.lagEntries === undefined ? "-" : String(row.lagEntries),
    bytesText(row.dbBytes),
    secondsText(row.fsyncSeconds),
    secondsText(row.clockSeconds),
    row.alarms.join(" ") || "-",
  ];
}

function colourOf({ role, alarms }: MemberRow): string {
  if (role === "silent" || role === "no leader") return RED;
  if (role === "unstarted" || alarms.length > 0) return YELLOW;
  return role === "leader" ? GREEN : "";
}

function summaryOf({ answeringVoters, voters, spare, leader, troubles }: Assessment): string {
  const room = spare < 0 ? "no majority" : `${spare === 0 ? "none" : spare} more may fail`;
  const head = `${answeringVoters} of ${voters} voters answer, ${room}`;
  const lead = leader === undefined ? "no leader" : `${leader} leads`;
  return `${head}; ${lead}; ${troubles.length === 0 ? "no trouble found" : "to do:"}`;
}

/** One object, one line. Numbers that are not known are left out. */
export function healthJson(found: Assessment): string {
  const finite = (value: number | undefined): number | undefined => {
    return value === undefined || Number.isFinite(value) ? value : Number.MAX_VALUE;
  };
  const members = found.rows.map((row) => ({ ...row, fsyncSeconds: finite(row.fsyncSeconds) }));
  const { rows: _, ...rest } = found;
  return `${JSON.stringify({ ...rest, members })}\n`;
}

/** A line for each thing that is no longer as it was; `at` stands before each. */
export function changes(before: Assessment, now: Assessment, at: string): string {
  const lines: string[] = [];
  if (now.verdict !== before.verdict) lines.push(`cluster is ${now.verdict}`);
  if (now.leader !== before.leader) {
    lines.push(now.leader === undefined ? "no leader" : `${now.leader} leads`);
  }
  const roles = new Map(before.rows.map((row) => [row.id, row]));
  for (const row of now.rows) {
    const earlier = roles.get(row.id);
    if (earlier === undefined) lines.push(`${row.name} was added: ${row.role}`);
    else if (earlier.role !== row.role) lines.push(`${row.name} is ${row.role}`);
    roles.delete(row.id);
  }
  for (const gone of roles.values()) lines.push(`${gone.name} was removed`);
  const known = new Set(before.troubles);
  for (const trouble of now.troubles) if (!known.has(trouble)) lines.push(`${MARK}${trouble}`);
  return lines.map((line) => `${at} ${line}\n`).join("");
}
