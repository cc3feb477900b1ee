/** Which keys a command means: an argument, two, or flags. */
import type { KeySpan } from "../../client/index.ts";
import { CtlError, Exit } from "../exit.ts";
import type { Flags } from "../flags.ts";

/** `--prefix` and `--from-key`, of get and of del, are for one argument, and not for both. */
export function checkSpanFlags(flags: Flags): void {
  if (flags.on("prefix") && flags.on("from-key")) {
    throw new CtlError(
      "`--prefix` and `--from-key` cannot be set at the same time, choose one",
      Exit.BAD_ARGS,
    );
  }
}

export function spanOf(args: readonly string[], flags: Flags): KeySpan {
  const rangeEnd = args[1];
  const isWide = flags.on("prefix") || flags.on("from-key");
  if (rangeEnd !== undefined && isWide) {
    throw new CtlError(
      "too many arguments, only accept one argument when `--prefix` or `--from-key` is set",
      Exit.BAD_ARGS,
    );
  }
  return { rangeEnd, prefix: flags.on("prefix"), fromKey: flags.on("from-key") };
}
