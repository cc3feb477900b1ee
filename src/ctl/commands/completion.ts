/** `completion bash|zsh|fish|powershell` (CT-30). */
import type { Command } from "../command.ts";
import type { CompletionTable } from "../completion/table.ts";

type Write = (table: CompletionTable) => string;

function completion(shell: string, load: string, write: () => Promise<Write>): Command {
  return {
    usage: "",
    description: "Prints what the shell is to load; it knows all commands and options.",
    examples: [{ line: load, says: `for this ${shell}` }],
    flags: [],
    run: async (context) => {
      const { completionTable } = await import("../completion/table.ts");
      // The registry loads this file, so it cannot be known to it from the start.
      context.out((await write())(await completionTable(context.commands)));
    },
  };
}

const bourne = () => import("../completion/bourne.ts");

export const COMPLETIONS = {
  bash: completion(
    "bash",
    "source <(etcdctl completion bash)",
    async () => (await bourne()).bashCompletion,
  ),
  zsh: completion(
    "zsh",
    "source <(etcdctl completion zsh)",
    async () => (await bourne()).zshCompletion,
  ),
  fish: completion(
    "fish",
    "etcdctl completion fish | source",
    async () => (await import("../completion/fish.ts")).fishCompletion,
  ),
  powershell: completion(
    "powershell",
    "etcdctl completion powershell | Out-String | Invoke-Expression",
    async () => (await import("../completion/powershell.ts")).powershellCompletion,
  ),
} as const;
