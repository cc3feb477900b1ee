/** `care log`: what members have found wrong and done about it, from their own journals. */
import type { ClusterMember } from "../../client/index.ts";
import { type Command, textFlag } from "../command.ts";
import { CtlError, CtlExit, Exit } from "../exit.ts";
import { type Asker, listByFirst } from "../health/look.ts";
import { askerOf } from "../health/asker.ts";
import { quote } from "../print/quote.ts";

const PAGE_MS_MAX = 5_000;

export interface CareRow {
  readonly member: string;
  readonly at: string;
  readonly kind: string;
  readonly found: string;
  readonly why: string;
  readonly done: string;
}

export const careLog: Command = {
  usage: "[options]",
  description:
    "Each entry says what was found, why it was decided so, and what was done. All members are asked;\n" +
    "their entries are merged by time. Exit code 1 when a member could not be asked.",
  examples: [
    { line: "etcdctl care log", says: "of all members" },
    { line: "etcdctl care log --member m2 -w json", says: "of one, for a program" },
  ],
  flags: [textFlag("member", "", "name or id of the only one that is asked")],
  run: async (context, args, flags) => {
    if (args.length > 0) throw new CtlError("care log takes no arguments", Exit.BAD_ARGS);
    const { format } = context;
    if (format !== "simple" && format !== "json") {
      throw new CtlError(`${format} not supported as output format`, Exit.BAD_FEATURE);
    }
    const client = await context.client();
    const { members } = await listByFirst(client, PAGE_MS_MAX);
    const wanted = flags.text("member");
    const asked = members.filter(
      ({ name, id }) => wanted === "" || name === wanted || id.toString(16) === wanted,
    );
    if (asked.length === 0) throw new CtlError(`there is no member ${quote(wanted)}`);
    const asker = askerOf(context, client, PAGE_MS_MAX);
    const results = await Promise.allSettled(asked.map((member) => rowsOf(asker, member)));
    const rows = results.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
    rows.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
    context.out(format === "json" ? `${JSON.stringify(rows)}\n` : careText(rows));
    const failed = results.filter((one) => one.status === "rejected");
    for (const { reason } of failed) context.err(`${(reason as Error).message}\n`);
    if (failed.length > 0) throw new CtlExit(Exit.ERROR);
  },
};

async function rowsOf(asker: Asker, member: ClusterMember): Promise<CareRow[]> {
  const name = member.name || member.id.toString(16);
  const failed = (why: string): Error => new Error(`${name} did not tell: ${why}`);
  if (member.clientUrls.length === 0) throw failed("it was never started");
  const page = await Promise.any(member.clientUrls.map((url) => asker.get(`${url}/care`))).catch(
    ({ errors }: AggregateError) => {
      throw failed((errors[0] as Error).message);
    },
  );
  const rows = careRows(page, name);
  if (rows === undefined) throw failed("it keeps no journal; is it another server?");
  return rows;
}

/** Undefined when it is no such page. */
export function careRows(page: string, member: string): CareRow[] | undefined {
  let log: unknown;
  try {
    log = (JSON.parse(page) as { log?: unknown } | null)?.log;
  } catch {
    return undefined;
  }
  if (!Array.isArray(log)) return undefined;
  return (log as (Record<string, unknown> | null)[]).map((row) => {
    const text = (name: string): string => {
      const value = row?.[name];
      return typeof value === "string" ? value : "";
    };
    const [at, kind, found] = [text("at"), text("kind"), text("found")];
    return { member, at, kind, found, why: text("why"), done: text("done") };
  });
}

/** Three lines an entry; nothing in it is obeyed by a terminal. */
export function careText(rows: readonly CareRow[]): string {
  if (rows.length === 0) return "nothing was found wrong\n";
  const plain = (text: string): string => quote(text).slice(1, -1).replaceAll('\\"', '"');
  return rows
    .map(
      ({ member, at, kind, found, why, done }) =>
        `${plain(at)}  ${plain(member)}  ${plain(kind)}: ${plain(found)}\n` +
        `    why:  ${plain(why)}\n    done: ${plain(done)}\n`,
    )
    .join("");
}
