/** `watch -i`: watches and requests for progress, one a line. */
import type { Watch } from "../../client/index.ts";
import type { Context } from "../context.ts";
import { CtlError, Exit } from "../exit.ts";
import { FlagError, Flags, parseFlags } from "../flags.ts";
import { argify, byteString, shown } from "../txn/words.ts";
import { begin, show, WATCH_FLAGS, watchPlan } from "./watching.ts";

/** Until the lines end, which counts as an error; `preset` are the keys of the environment. */
export async function watchInteractively(
  context: Context,
  preset: readonly string[],
): Promise<void> {
  const client = await context.client();
  /** Of each watch, whether its next sign of progress was asked for. */
  const asked: { isAsked: boolean; readonly watching: Watch }[] = [];
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  const start = (words: readonly string[], line: string): void => {
    const flags = new Flags(WATCH_FLAGS);
    const { args, dashAt } = readFlags(words, flags);
    const plan = watchPlan(args, dashAt, preset);
    if (plan.keys.length === 0) throw new CtlError("bad number of arguments", Exit.BAD_ARGS);
    try {
      const watching = begin(client, plan, flags, true);
      const state = { isAsked: false, watching };
      asked.push(state);
      const isProgressShown = (): boolean => {
        const isShown = state.isAsked || flags.on("progress-notify");
        state.isAsked = false;
        return isShown;
      };
      show(context, watching, plan.command, isProgressShown).catch(failure.reject);
    } catch (error) {
      context.err(`Invalid command ${line} (${(error as Error).message})\n`);
    }
  };
  const lines = context.io.stdinLines()[Symbol.asyncIterator]();
  for (;;) {
    const { value: typed } = await Promise.race([lines.next(), failure.promise]);
    if (!(typed as string | undefined)?.endsWith("\n")) break;
    const line = (typed as string).slice(0, -1);
    const words = argify(byteString(line)).map(shown);
    if (words.length === 0) {
      context.err(`Invalid command: ${line} (watch and progress supported)\n`);
    } else if (words[0] === "progress") {
      for (const state of asked) state.isAsked = true;
      // A watch that is not there yet would not be answered.
      void Promise.allSettled(asked.map(({ watching }) => watching.created)).then(() =>
        client.requestProgress(),
      );
    } else if (words[0] !== "watch") {
      context.err(`Invalid command ${line} (only support watch)\n`);
    } else if (words.length < 2 && preset.length === 0) {
      context.err(`Invalid command ${line} (command type or key is not provided)\n`);
    } else start(words.slice(1), line);
  }
  for (const { watching } of asked) watching.cancel();
  throw new CtlError("error reading watch request line: EOF", Exit.INVALID_INPUT);
}

function readFlags(words: readonly string[], flags: Flags): ReturnType<typeof parseFlags> {
  try {
    return parseFlags(words, flags);
  } catch (error) {
    if (error instanceof FlagError) throw new CtlError(error.message, Exit.BAD_ARGS);
    throw error;
  }
}
