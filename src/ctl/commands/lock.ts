/** `lock` (CT-27). */
import type { Lock, Session } from "../../client/index.ts";
import type { Command } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlError, Exit } from "../exit.ts";
import type { Child } from "../io.ts";
import { printRange } from "../print/kv.ts";

/** Time that a command has to end by itself when its lock is gone. */
const KILL_MS = 5_000;

export const lock: Command = {
  usage: "<lockname> [exec-command arg1 arg2 ...]",
  description:
    "Waits for the lock, then holds it until it is interrupted, or while the command runs, whose\n" +
    "exit code becomes its own. ETCD_LOCK_KEY and ETCD_LOCK_REV in the command's environment\n" +
    "name the lock's key and its revision. When the lock is lost (the servers were out of reach\n" +
    "for longer than --ttl), another may hold it: the command is then told with SIGTERM, and\n" +
    "killed 5 s later.",
  examples: [
    { line: "etcdctl lock nightly", says: "hold it until Ctrl-C" },
    { line: "etcdctl lock nightly -- ./backup.sh --full", says: "one backup at a time" },
    { line: "etcdctl lock nightly --ttl=60 ./report.sh", says: "outlive 60 s without servers" },
  ],
  flags: [
    {
      name: "ttl",
      kind: "int",
      initial: "10",
      help: "seconds after which a holder that is out of reach loses it",
    },
  ],
  run: async (context, args, flags) => {
    const [name, ...command] = args;
    if (name === undefined) {
      throw new CtlError(
        "lock takes a lock name argument and an optional command to execute",
        Exit.BAD_ARGS,
      );
    }
    const client = await context.client();
    const ttlSeconds = flags.count("ttl");
    const session = await client.session({ ttlSeconds, timeoutMs: context.timeoutMs });
    const interrupt = new AbortController();
    context.io.onInterrupt(() => interrupt.abort());
    try {
      const held = await client.lock(name, session, { signal: interrupt.signal });
      if (command.length > 0) await runHolding(context, held, command);
      else await hold(context, held, interrupt.signal);
    } finally {
      await end(session, context);
    }
  },
};

async function runHolding(context: Context, held: Lock, command: readonly string[]): Promise<void> {
  const child = context.io.start(command, {
    ETCD_LOCK_KEY: held.key.toString("utf8"),
    ETCD_LOCK_REV: String(held.revision),
  });
  const stopTelling = context.io.onInterrupt((signal) => {
    // Ctrl-C reaches it from the terminal.
    if (signal === "SIGTERM") child.kill("SIGTERM");
  });
  const dismiss = endWith(held.lost, child);
  const { exitCode, error } = await child.ended;
  dismiss();
  stopTelling();
  if (held.lost.aborted) throw new CtlError("session expired");
  await held.unlock();
  if (error !== undefined) throw new CtlError(error, exitCode);
}

/** Ends the child when `lost` is aborted; the returned function calls it off. */
function endWith(lost: AbortSignal, child: Child): () => void {
  let timer: NodeJS.Timeout | undefined;
  const tell = (): void => {
    child.kill("SIGTERM");
    timer = setTimeout(() => child.kill("SIGKILL"), KILL_MS);
  };
  if (lost.aborted) tell();
  else lost.addEventListener("abort", tell);
  return () => {
    lost.removeEventListener("abort", tell);
    clearTimeout(timer);
  };
}

async function hold(context: Context, held: Lock, interrupt: AbortSignal): Promise<void> {
  const client = await context.client();
  const answer = await client.kv.get(held.key, { timeoutMs: context.timeoutMs });
  if (answer.kvs.length === 0) throw new CtlError("lock lost on init");
  context.print(printRange(answer, context));
  await firstOf(interrupt, held.lost);
  if (held.lost.aborted) throw new CtlError("session expired");
  await held.unlock();
}

/** Resolves when one of them is aborted. */
export async function firstOf(...signals: readonly AbortSignal[]): Promise<void> {
  const any = AbortSignal.any([...signals]);
  if (any.aborted) return;
  await new Promise((resolve) => any.addEventListener("abort", resolve));
}

/** Nothing is left behind; servers that cannot be reached end the lease by themselves. */
export async function end(session: Session, { timeoutMs }: Context): Promise<void> {
  if (session.lost.aborted) return;
  await session.close({ timeoutMs }).catch(() => undefined);
}
