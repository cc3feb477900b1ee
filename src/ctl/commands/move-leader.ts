/** `move-leader` (CT-21). */
import type { Client, StatusResponse } from "../../client/index.ts";
import type { Command } from "../command.ts";
import { CtlError, Exit } from "../exit.ts";
import { parseUint64 } from "../go-values.ts";
import { printMoveLeader } from "../print/maintenance.ts";

export const moveLeader: Command = {
  usage: "<id>",
  description:
    "Hands the leadership to another voting member, within milliseconds and without an election.\n" +
    "One of the endpoints must be the leader.",
  examples: [
    {
      line: "etcdctl --endpoints=10.10.1.10:2379,10.10.1.11:2379 move-leader cca4e6f315097b3b",
      says: "before the leader's host is restarted",
    },
  ],
  flags: [],
  run: async (context, args) => {
    const [text] = args;
    if (text === undefined || args.length > 1) {
      throw new CtlError("move-leader command needs 1 argument", Exit.BAD_ARGS);
    }
    const target = idOf(text);
    const client = await context.client();
    const leader = await findLeader(client, context.timeoutMs);
    if (leader === undefined) {
      const shown = context.flags.list("endpoints").join(" ");
      throw new CtlError(`no leader endpoint given at [${shown}]`, Exit.BAD_ARGS);
    }
    const { timeoutMs } = context;
    const answer = await client.at(leader.endpoint).moveLeader(target, { timeoutMs });
    context.print(printMoveLeader(answer, leader.id, target));
  },
};

function idOf(text: string): bigint {
  try {
    return parseUint64(text, 16);
  } catch (error) {
    throw new CtlError((error as Error).message, Exit.BAD_ARGS);
  }
}

/** Undefined when all answered and none leads; rejects when the one that leads may be silent. */
async function findLeader(
  client: Client,
  timeoutMs: number,
): Promise<{ readonly endpoint: string; readonly id: bigint } | undefined> {
  const asked = client.endpoints.map(async (endpoint) => {
    const status: StatusResponse = await client.at(endpoint).status({ timeoutMs });
    return { endpoint, id: status.header.memberId, isLeader: isLeader(status) };
  });
  const found = await Promise.any(
    asked.map(async (answer) => {
      const one = await answer;
      if (!one.isLeader) throw new Error("not the leader");
      return one;
    }),
  ).catch(() => undefined);
  if (found === undefined) await Promise.all(asked);
  return found;
}

function isLeader({ leader, header }: StatusResponse): boolean {
  return leader === header.memberId;
}
