/** `cluster-health` of the second API (EQ-d2). */
import { untilInterrupted } from "../check-load.ts";
import { type Command, switchFlag } from "../command.ts";
import { firstOf } from "../commands/lock.ts";
import type { Context } from "../context.ts";
import { CtlExit, Exit } from "../exit.ts";
import { httpGet } from "../http-get.ts";
import { isPausedFor } from "../pause.ts";
import { checkMember, clusterVerdict } from "./health.ts";
import { listMembers, openV2, tellAllFailed, type V2Session } from "./session.ts";
import { V2_FLAGS } from "./flags.ts";

const PAUSE_MS = 10_000;
const EXIT_LIST_FAILED = 4;
const EXIT_NOT_HEALTHY = Exit.INTERRUPTED;

export const clusterHealth: Command = {
  usage: "[options]",
  description:
    "Asks every member's /health, all at once, each for --timeout at most. The exit code is 0 when\n" +
    "the cluster is healthy, 5 when not, 4 when the members could not be listed.\n" +
    "`holdfast health` shows more.",
  examples: [
    {
      line: "etcdctl --endpoints https://127.0.0.1:2379 --ca-file=ca.pem cluster-health",
      says: "a look",
    },
    { line: "etcdctl cluster-health --forever", says: "again each 10 seconds" },
  ],
  flags: [...V2_FLAGS, switchFlag("forever", "again each 10 seconds, until Ctrl-C", "f")],
  run: async (context, _, flags) => {
    const session = await openV2(context, flags);
    try {
      await check(context, session, flags.on("forever"));
    } finally {
      session.client.close();
    }
  },
};

async function check(context: Context, session: V2Session, isForever: boolean): Promise<void> {
  session.debug(`Cluster-Endpoints: ${session.endpoints.join(", ")}`);
  const { list } = await listMembers(session).catch((error: unknown) => {
    context.out("cluster may be unhealthy: failed to list members\n");
    throw tellAllFailed(context, error, EXIT_LIST_FAILED);
  });
  const { tls, timeoutMs } = session;
  const get = async (url: string): Promise<string> => (await httpGet(url, { tls, timeoutMs })).body;
  const report = async (): Promise<boolean> => {
    const { minor } = context;
    const found = await Promise.all(
      list.members.map((member) => checkMember(member, { minor, get })),
    );
    const verdicts = found.map(({ verdict }) => verdict);
    const { line, isHealthy } = clusterVerdict(verdicts, minor);
    context.out(found.map(({ lines }) => lines.join("")).join("") + line);
    return isHealthy;
  };
  if (isForever) await reportForever(context, report);
  else if (!(await report())) throw new CtlExit(EXIT_NOT_HEALTHY);
}

/** Ctrl-C is heard from before the first report, so that it ends this in order at any moment. */
async function reportForever(context: Context, report: () => Promise<unknown>): Promise<void> {
  const interrupt = untilInterrupted(context);
  try {
    do {
      await Promise.race([report(), firstOf(interrupt.signal)]);
      if (interrupt.signal.aborted) return;
      context.out("\nnext check after 10 second...\n\n");
    } while (await isPausedFor(PAUSE_MS, interrupt.signal));
  } finally {
    interrupt.end();
  }
}
