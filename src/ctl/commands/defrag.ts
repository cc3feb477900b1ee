/** `defrag` (CT-12). */
import type { Command } from "../command.ts";
import type { Context } from "../context.ts";
import { CLUSTER_FLAG, endpointsOf } from "../endpoint-list.ts";
import { CtlExit, Exit } from "../exit.ts";
import { formatDuration } from "../go-values.ts";
import { Progress } from "../progress.ts";

const DRAW_MS = 200;

export const defrag: Command = {
  usage: "[options]",
  description:
    "Gives the free space of each store's file back, one member after the other. There is no time\n" +
    "limit unless --command-timeout is given.",
  examples: [
    { line: "etcdctl defrag --cluster", says: "every member, one at a time" },
    { line: "etcdctl --endpoints=10.10.1.10:2379 defrag", says: "one member" },
  ],
  flags: [CLUSTER_FLAG],
  run: async (context, _, flags) => {
    let hasFailed = false;
    for (const endpoint of await endpointsOf(context, flags)) {
      hasFailed = !(await defragment(context, endpoint)) || hasFailed;
    }
    if (hasFailed) throw new CtlExit(Exit.ERROR);
  },
};

/** False when it failed, which has been told. */
export async function defragment(context: Context, endpoint: string): Promise<boolean> {
  const client = await context.client();
  const { io, flags } = context;
  const isLimited = flags.isGiven("command-timeout");
  const now = (): number => performance.now();
  const begin = now();
  const progress = new Progress(io, {
    what: `defragmenting ${endpoint}`,
    total: 0,
    unit: "things",
    now,
  });
  const ticker = io.isTerminal ? setInterval(() => progress.show(0), DRAW_MS) : undefined;
  // Which etcdctl said how long it took: 3.6.
  const took = (): string => (context.minor >= 6 ? `. took ${formatDuration(now() - begin)}` : "");
  let failure: Error | undefined;
  try {
    await client.at(endpoint).defragment(isLimited ? { timeoutMs: context.timeoutMs } : {});
  } catch (error) {
    failure = error as Error;
  } finally {
    clearInterval(ticker);
    progress.end();
  }
  if (failure === undefined) {
    context.out(`Finished defragmenting etcd member[${endpoint}]${took()}\n`);
    return true;
  }
  const lead = took() === "" ? "" : `${took()}.`;
  context.err(`Failed to defragment etcd member[${endpoint}]${lead} (${failure.message})\n`);
  return false;
}
