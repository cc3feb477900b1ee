/** `compaction` (CT-11). */
import { type Command, switchFlag } from "../command.ts";
import { CtlError, Exit } from "../exit.ts";
import { parseInt64 } from "../go-values.ts";

export const compaction: Command = {
  usage: "[options] <revision>",
  description: "Gives up the history before a revision; the pairs as they are at it stay.",
  examples: [
    { line: "etcdctl compaction 1234", says: "older revisions cannot be read or watched any more" },
    { line: "etcdctl compaction --physical 1234", says: "and they are gone from the disk too" },
  ],
  flags: [switchFlag("physical", "wait until the old revisions are gone from the store")],
  run: async (context, args, flags) => {
    const [text] = args;
    if (text === undefined || args.length > 1) {
      throw new CtlError("compaction command needs 1 argument", Exit.BAD_ARGS);
    }
    const revision = parseInt64(text, 10);
    const physical = flags.on("physical");
    const client = await context.client();
    const { timeoutMs } = context;
    await client.kv.compact(Number(revision), { physical, timeoutMs });
    context.out(`compacted revision ${revision}\n`);
  },
};
