/** `watch` (CT-05). */
import type { Command } from "../command.ts";
import { CtlError, CtlExit, Exit, exitCodeOfSignal } from "../exit.ts";
import { quote } from "../print/quote.ts";
import { begin, show, WATCH_FLAGS, watchPlan } from "./watching.ts";

export const watch: Command = {
  usage: "[options] [key or prefix] [range_end] [--] [exec-command arg1 arg2 ...]",
  description:
    "Shows changes as they happen, over lost connections and restarts of servers, until it is\n" +
    "interrupted. A command behind `--` is run for each, with ETCD_WATCH_KEY, ETCD_WATCH_VALUE,\n" +
    "ETCD_WATCH_EVENT_TYPE and ETCD_WATCH_REVISION in its environment. The key may also come from\n" +
    "ETCDCTL_WATCH_KEY and ETCDCTL_WATCH_RANGE_END.",
  examples: [
    { line: "etcdctl watch greeting", says: "one key" },
    { line: "etcdctl watch --prefix config/ --rev=42", says: "what happened from revision 42 on" },
    { line: "etcdctl watch --prefix config/ -- ./reload.sh", says: "a command at each change" },
    { line: "etcdctl watch -i", says: "then type: watch greeting" },
  ],
  flags: WATCH_FLAGS,
  run: async (context, args, flags) => {
    const key = context.io.env["ETCDCTL_WATCH_KEY"] ?? "";
    const rangeEnd = context.io.env["ETCDCTL_WATCH_RANGE_END"] ?? "";
    if (key === "" && rangeEnd !== "") {
      throw new CtlError(
        `ETCDCTL_WATCH_KEY is empty but got ETCDCTL_WATCH_RANGE_END=${quote(rangeEnd)}`,
        Exit.BAD_ARGS,
      );
    }
    const preset = [key, rangeEnd].filter((word) => word !== "");
    if (flags.on("interactive")) {
      const { watchInteractively } = await import("./watch-interactive.ts");
      return await watchInteractively(context, preset);
    }
    const plan = watchPlan(args, context.dashAt, preset);
    const client = await context.client();
    const began = begin(client, plan, flags);
    let interruption: "SIGINT" | "SIGTERM" | undefined;
    context.io.onInterrupt((signal) => {
      interruption = signal;
      began.cancel();
    });
    await show(context, began, plan.command, () => flags.on("progress-notify"));
    if (interruption !== undefined) throw new CtlExit(exitCodeOfSignal(interruption));
    throw new CtlError("watch is canceled by the server", Exit.INTERRUPTED);
  },
};
