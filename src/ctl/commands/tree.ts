/** `tree`: the keys as a tree, with how many there are and how large. */
import type { Client } from "../../client/index.ts";
import { type Command, countFlag, switchFlag, textFlag } from "../command.ts";
import { CtlError, Exit } from "../exit.ts";
import { keyReaderOf } from "../keys/level.ts";
import { writeTree } from "../keys/tree.ts";

const LINES_MAX = 10_000;
/** Values of a page: at most these many, of 1.5 MiB each where nobody raised the limit. */
const SIZED_KEYS = 64;

export const SEPARATOR_FLAG = textFlag("separator", "/", "what stands between the parts of a key");

export const tree: Command = {
  usage: "[prefix] [options]",
  description:
    "Keys are read in pages, without their values unless --sizes is given, all at one revision.\n" +
    `At most ${LINES_MAX} lines are printed.`,
  examples: [
    { line: "etcdctl tree", says: "the upper levels of everything" },
    { line: "etcdctl tree /registry/ --depth=2 --sizes", says: "what takes the space" },
  ],
  flags: [
    countFlag("depth", 3, "levels that are opened; below them keys are only counted"),
    SEPARATOR_FLAG,
    switchFlag("sizes", "bytes of keys and values too; reads every value once for each level"),
  ],
  run: async (context, args, flags) => {
    const depth = flags.count("depth");
    const separator = Buffer.from(flags.text("separator"));
    if (args.length > 1) throw new CtlError("tree takes one prefix", Exit.BAD_ARGS);
    if (depth < 1) throw new CtlError("--depth is 1 at least", Exit.BAD_ARGS);
    if (separator.length === 0) throw new CtlError("--separator is empty", Exit.BAD_ARGS);
    if (context.format !== "simple") {
      throw new CtlError(`${context.format} not supported as output format`, Exit.BAD_FEATURE);
    }
    const client = await context.client();
    const { timeoutMs } = context;
    await writeTree(
      keyReaderOf(client, timeoutMs),
      Buffer.from(args[0] ?? ""),
      {
        separator,
        depth,
        linesMax: LINES_MAX,
        bytesOf: flags.on("sizes") ? (from, to) => bytesOf(client, timeoutMs, from, to) : undefined,
      },
      (line) => context.out(`${line}\n`),
    );
  },
};

async function bytesOf(
  client: Client,
  timeoutMs: number,
  from: Buffer,
  to: Buffer,
): Promise<number> {
  const span = to.length === 0 ? { fromKey: true } : { rangeEnd: to };
  let bytes = 0;
  for (let at = from.length === 0 ? Buffer.of(0) : from; ; ) {
    const { kvs, more } = await client.kv.get(at, { ...span, limit: SIZED_KEYS, timeoutMs });
    for (const { key, value } of kvs) bytes += key.length + value.length;
    const last = kvs.at(-1);
    if (!more || last === undefined) return bytes;
    at = Buffer.concat([last.key, Buffer.of(0)]);
  }
}
