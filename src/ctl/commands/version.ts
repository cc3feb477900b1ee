/** `version`: of the tool, not of a server. */
import type { Command } from "../command.ts";

export const version: Command = {
  usage: "",
  examples: [
    { line: "etcdctl version", says: "the version of this tool and of the API it speaks" },
  ],
  flags: [],
  run: async (context) => {
    context.out("etcdctl version: 3.7.1\nAPI version: 3.7\n");
  },
};
