/** `options`: the flags that every command takes. */
import type { Command } from "../command.ts";
import { globalHelp } from "../help.ts";

export const options: Command = {
  usage: "",
  examples: [{ line: "etcdctl options", says: "endpoints, TLS, time limits, formats" }],
  flags: [],
  run: async (context) => context.out(globalHelp()),
};
