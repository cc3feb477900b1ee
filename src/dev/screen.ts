/** What `holdfast dev` shows: a table that is redrawn on a terminal, lines of events elsewhere. */
import type { ChildState } from "./child-member.ts";
import type { MemberStatus } from "./member-status.ts";

export interface Row {
  readonly name: string;
  readonly pid: number | undefined;
  readonly clientPort: number;
  readonly state: ChildState;
  readonly status: MemberStatus | undefined;
}

export interface Output {
  readonly isTTY?: boolean;
  /** Of a terminal. */
  readonly columns?: number;
  write(text: string): unknown;
}

const HEAD = ["member", "clients", "pid", "state", "term", "revision", "applied"];
const BOLD = "1";
const GREEN = "32";
const YELLOW = "33";
const RED = "31";
const DIM = "2";

/** "leader", "follower", .. : what is known of it now. */
export function roleOf({ state, status }: Row): string {
  if (state !== "running") return state;
  if (status === undefined) return "no answer";
  if (status.isLearner) return "learner";
  if (status.leader === 0n) return "no leader";
  return status.leader === status.id ? "leader" : "follower";
}

/** The one that says it leads, in the newest term. */
export function leaderOf(rows: readonly Row[]): Row | undefined {
  let leader: Row | undefined;
  for (const row of rows) {
    if (roleOf(row) !== "leader") continue;
    if ((row.status?.term ?? 0) >= (leader?.status?.term ?? 0)) leader = row;
  }
  return leader;
}

export class Screen {
  readonly #output: Output;
  readonly #isLive: boolean;
  readonly #hasColours: boolean;
  #drawnLines = 0;
  #lastRoles = new Map<string, string>();
  #lastLeader = "";

  constructor(output: Output, environment: Readonly<Record<string, string | undefined>>) {
    this.#output = output;
    this.#isLive = output.isTTY === true && environment["TERM"] !== "dumb";
    this.#hasColours = this.#isLive && (environment["NO_COLOR"] ?? "") === "";
  }

  /** Something that happened: stays on the screen above the table. */
  say(text: string): void {
    this.#erase();
    this.#output.write(`${text}\n`);
  }

  /** The table on a terminal; what has changed elsewhere. */
  show(rows: readonly Row[], footer: string): void {
    if (this.#isLive) this.#draw(rows, footer);
    else this.#tellChanges(rows);
  }

  #draw(rows: readonly Row[], footer: string): void {
    const cells = rows.map((row) => {
      const { name, clientPort, pid, status } = row;
      const numbers = [status?.term, status?.revision, status?.applied];
      return [
        name,
        `127.0.0.1:${clientPort}`,
        String(pid ?? "-"),
        roleOf(row),
        ...numbers.map((number) => String(number ?? "-")),
      ];
    });
    const widths = HEAD.map((title, column) =>
      Math.max(title.length, ...cells.map((row) => (row[column] as string).length)),
    );
    const line = (row: readonly string[]): string =>
      `  ${row.map((cell, column) => cell.padEnd(widths[column] as number)).join("  ")}`;
    // A line that wrapped would make the table longer than what is erased.
    const fit = (text: string): string => text.slice(0, this.#output.columns ?? text.length);
    const lines = [
      "",
      this.#paint(DIM, fit(line(HEAD))),
      ...cells.map((row) => this.#paint(colourOf(row[3] as string), fit(line(row)))),
      "",
      this.#paint(DIM, fit(`  ${footer}`)),
    ];
    this.#erase();
    this.#output.write(`${lines.join("\n")}\n`);
    this.#drawnLines = lines.length;
  }

  #erase(): void {
    if (this.#drawnLines > 0) this.#output.write(`\x1b[${this.#drawnLines}A\x1b[J`);
    this.#drawnLines = 0;
  }

  #tellChanges(rows: readonly Row[]): void {
    const leader = leaderOf(rows);
    const leading = leader === undefined ? "" : `${leader.name} ${leader.status?.term}`;
    if (leading !== this.#lastLeader && leader?.status !== undefined) {
      const { term, revision, applied } = leader.status;
      this.say(`${leader.name} leads: term ${term}, revision ${revision}, applied ${applied}`);
    }
    if (leading !== "") this.#lastLeader = leading;
    for (const row of rows) {
      const role = roleOf(row);
      const before = this.#lastRoles.get(row.name);
      this.#lastRoles.set(row.name, role);
      const isNews = role !== before && before !== undefined && role !== "leader";
      if (isNews && row.state === "running") this.say(`${row.name} is ${wordsOf(role)}`);
    }
  }

  #paint(code: string, text: string): string {
    return this.#hasColours && code !== "" ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

function wordsOf(role: string): string {
  if (role === "no leader") return "without a leader";
  return role === "no answer" ? "not answering" : `a ${role}`;
}

function colourOf(role: string): string {
  if (role === "leader") return `${BOLD};${GREEN}`;
  if (role === "down") return RED;
  return role === "follower" || role === "learner" ? "" : YELLOW;
}
