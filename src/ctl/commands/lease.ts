/** `lease grant`, `revoke`, `timetolive`, `list` and `keep-alive` (CT-06 to CT-10). */
import { type Command, switchFlag } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlError, CtlExit, Exit, exitCodeOfSignal } from "../exit.ts";
import { hex16, parseInt64 } from "../go-values.ts";
import {
  printGrant,
  printKeepAlive,
  printLeases,
  printRevoke,
  printTimeToLive,
} from "../print/lease.ts";

export const leaseGrant: Command = {
  usage: "<ttl>",
  description: "Keys that are put with the lease's id go when its seconds have passed unrenewed.",
  examples: [{ line: "etcdctl lease grant 60", says: "a lease of a minute" }],
  flags: [],
  run: async (context, args) => {
    const [text] = args;
    if (text === undefined || args.length > 1) {
      throw badArgs("lease grant command needs TTL argument");
    }
    const ttl = Number(
      parsed(
        () => parseInt64(text, 10),
        (why) => `bad TTL (${why})`,
      ),
    );
    const { lease } = await context.client();
    const { timeoutMs } = context;
    const answer = await saying("failed to grant lease", lease.grant(ttl, { timeoutMs }));
    context.print(printGrant(answer, context));
  },
};

export const leaseRevoke: Command = {
  usage: "<leaseID>",
  description: "Ends a lease now, and deletes the keys that hang on it.",
  examples: [{ line: "etcdctl lease revoke 32695410dcc0ca06", says: "its keys are gone too" }],
  flags: [],
  run: async (context, args) => {
    const id = leaseId(args, "lease revoke command needs 1 argument");
    const { lease } = await context.client();
    const { timeoutMs } = context;
    const answer = await saying("failed to revoke lease", lease.revoke(id, { timeoutMs }));
    context.print(printRevoke(id, answer, context));
  },
};

export const leaseTimeToLive: Command = {
  usage: "<leaseID> [options]",
  examples: [
    {
      line: "etcdctl lease timetolive 2d8257079fa1bc0c --keys",
      says: "what is left, and its keys",
    },
  ],
  flags: [switchFlag("keys", "show the keys that hang on it")],
  run: async (context, args, flags) => {
    const id = leaseId(args, "lease timetolive command needs lease ID as argument");
    const { lease } = await context.client();
    const keys = flags.on("keys");
    const { timeoutMs } = context;
    const answer = await reaching(lease.timeToLive(id, { keys, timeoutMs }));
    context.print(printTimeToLive(answer, keys, context));
  },
};

export const leaseList: Command = {
  usage: "",
  examples: [{ line: "etcdctl lease list", says: "the ids of all leases" }],
  flags: [],
  run: async (context) => {
    const { lease } = await context.client();
    const answer = await reaching(lease.leases({ timeoutMs: context.timeoutMs }));
    context.print(printLeases(answer, context));
  },
};

export const leaseKeepAlive: Command = {
  usage: "[options] <leaseID>",
  description: "Renews a lease until the command is interrupted or the lease is gone.",
  examples: [
    { line: "etcdctl lease keep-alive 32695410dcc0ca06", says: "as long as this runs" },
    { line: "etcdctl lease keep-alive --once 32695410dcc0ca06", says: "a single time" },
  ],
  flags: [switchFlag("once", "renew it a single time")],
  run: async (context, args, flags) => {
    const id = leaseId(args, "lease keep-alive command needs lease ID as argument");
    if (!flags.on("once")) return await keepAlive(context, id);
    const { lease } = await context.client();
    const answer = await reaching(lease.keepAliveOnce(id, { timeoutMs: context.timeoutMs }));
    context.print(printKeepAlive(answer, context));
  },
};

async function keepAlive(context: Context, id: bigint): Promise<void> {
  const { lease } = await context.client();
  const keeper = lease.keepAlive(id, {
    onRenewed: (answer) => context.print(printKeepAlive(answer, context)),
  });
  const interruption = await new Promise<"SIGINT" | "SIGTERM" | undefined>((resolve) => {
    keeper.lost.addEventListener("abort", () => resolve(undefined));
    context.io.onInterrupt(resolve);
  });
  if (interruption !== undefined) {
    keeper.stop();
    throw new CtlExit(exitCodeOfSignal(interruption));
  }
  if (context.format === "simple") context.out(`lease ${hex16(id)} expired or revoked.\n`);
}

function leaseId(args: readonly string[], need: string): bigint {
  const [text] = args;
  if (text === undefined || args.length > 1) throw badArgs(need);
  return parsed(
    () => parseInt64(text, 16),
    (why) => `bad lease ID arg (${why}), expecting ID in Hex`,
  );
}

function parsed<T>(parse: () => T, say: (why: string) => string): T {
  try {
    return parse();
  } catch (error) {
    throw badArgs(say((error as Error).message));
  }
}

async function saying<T>(what: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw new CtlError(`${what} (${(error as Error).message})`, Exit.ERROR, error);
  }
}

/** Whatever these are refused for counts as a bad connection, as etcdctl has it. */
async function reaching<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw new CtlError((error as Error).message, Exit.BAD_CONNECTION, error);
  }
}

function badArgs(message: string): CtlError {
  return new CtlError(message, Exit.BAD_ARGS);
}
