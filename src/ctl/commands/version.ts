/** `version`: of the tool, not of a server. */
import type { Command } from "../command.ts";

/** Newest patch release of each minor version whose output was compared. */
const PATCH_OF: Readonly<Record<number, number>> = { 4: 23, 5: 26, 6: 11, 7: 1 };

export const version: Command = {
  usage: "",
  examples: [
    { line: "etcdctl version", says: "the version of this tool and of the API it speaks" },
  ],
  flags: [],
  run: async (context) => {
    const { minor } = context;
    context.out(`etcdctl version: 3.${minor}.${PATCH_OF[minor] ?? 0}\nAPI version: 3.${minor}\n`);
  },
};
