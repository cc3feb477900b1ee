/** `member list`, `add`, `remove`, `update` and `promote` (CT-17 to CT-19). */
import type { ClusterMember, MemberListResponse } from "../../client/index.ts";
import { type Command, switchFlag, textFlag } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlError, Exit } from "../exit.ts";
import type { Flags } from "../flags.ts";
import { parseUint64 } from "../go-values.ts";
import { peerUrlList } from "../peer-url-list.ts";
import { printMemberChange, printMembers } from "../print/members.ts";
import { quote } from "../print/quote.ts";
import { isSerializable } from "./get.ts";

export const memberList: Command = {
  usage: "[options]",
  description:
    "Lines of id, status, name, peer URLs, client URLs and whether it is a learner. A member that\n" +
    "was added and has not come up yet is unstarted.",
  examples: [
    { line: "etcdctl member list -w table", says: "the members" },
    { line: "etcdctl member list --consistency=s", says: "even without a leader" },
  ],
  flags: [
    textFlag("consistency", "l", "linearizable (l), or serializable (s): of the member asked", [
      "l",
      "s",
    ]),
  ],
  run: async (context, _, flags) => {
    const linearizable = !isSerializable(flags.text("consistency"));
    const { cluster } = await context.client();
    const { timeoutMs } = context;
    context.print(printMembers(await cluster.memberList({ linearizable, timeoutMs }), context));
  },
};

const PEER_URLS = textFlag("peer-urls", "", "URLs where the other members reach it, with commas");

export const memberAdd: Command = {
  usage: "[options] <name> --peer-urls=<urls>",
  description:
    "Tells the cluster of a new member and prints the environment to start it with. As a learner\n" +
    "it counts for no majority until it is promoted.",
  examples: [
    {
      line: "etcdctl member add etcd_2 --peer-urls=https://10.10.1.12:2380",
      says: "a voting member",
    },
    {
      line: "etcdctl member add etcd_3 --peer-urls=https://10.10.1.13:2380 --learner",
      says: "one that catches up first",
    },
  ],
  flags: [PEER_URLS, switchFlag("learner", "without a vote until it is promoted")],
  run: async (context, args, flags) => {
    const [name] = args;
    if (name === undefined) throw badArgs("member name not provided");
    if (args.length > 1) throw badArgs(tooMany(args));
    const given = peerUrls(flags);
    const { cluster } = await context.client();
    const isLearner = flags.on("learner");
    const { timeoutMs } = context;
    const answer = await cluster.memberAdd(peerUrlList(given), { isLearner, timeoutMs });
    const { member, members } = answer;
    const how = isLearner && context.minor >= 6 ? "added as learner to" : "added to";
    const line = lineOf(member.id, how, answer);
    context.print(printMemberChange(answer, line, context));
    if (context.format !== "simple") return;
    context.out(`\n${startVariables(context, { name, given, member, members })}`);
  },
};

interface Added {
  readonly name: string;
  /** The peer URLs as they were typed. */
  readonly given: string;
  readonly member: ClusterMember;
  readonly members: readonly ClusterMember[];
}

function startVariables({ minor }: Context, { name, given, member, members }: Added): string {
  const cluster = members.flatMap((one) =>
    one.peerUrls.map((url) => `${one.id === member.id ? name : one.name}=${url}`),
  );
  const rows = [`ETCD_NAME=${quote(name)}`, `ETCD_INITIAL_CLUSTER=${quote(cluster.join(","))}`];
  if (minor >= 3) rows.push(`ETCD_INITIAL_ADVERTISE_PEER_URLS=${quote(given)}`);
  return [...rows, 'ETCD_INITIAL_CLUSTER_STATE="existing"', ""].join("\n");
}

export const memberRemove: Command = {
  usage: "<id>",
  description: "The member ends by itself when it learns of it. Ids are hexadecimal.",
  examples: [{ line: "etcdctl member remove e767162297c84b1e", says: "one that will not return" }],
  flags: [],
  run: async (context, args) => {
    const id = memberId(args);
    const { cluster } = await context.client();
    const answer = await cluster.memberRemove(id, { timeoutMs: context.timeoutMs });
    context.print(printMemberChange(answer, lineOf(id, "removed from", answer), context));
  },
};

export const memberUpdate: Command = {
  usage: "<id> --peer-urls=<urls>",
  description: "New peer URLs for a member that moves; tell the cluster before it moves.",
  examples: [
    {
      line: "etcdctl member update e767162297c84b1e --peer-urls=https://10.10.1.22:2380",
      says: "a member gets another address",
    },
  ],
  flags: [PEER_URLS],
  run: async (context, args, flags) => {
    const id = memberId(args);
    const urls = peerUrlList(peerUrls(flags));
    const { cluster } = await context.client();
    const answer = await cluster.memberUpdate(id, urls, { timeoutMs: context.timeoutMs });
    context.print(printMemberChange(answer, lineOf(id, "updated in", answer), context));
  },
};

export const memberPromote: Command = {
  usage: "<id>",
  description: "Gives a learner that has caught up a vote.",
  examples: [{ line: "etcdctl member promote e13b1d076b2f9344", says: "a learner" }],
  flags: [],
  run: async (context, args) => {
    const id = memberId(args);
    const { cluster } = await context.client();
    const answer = await cluster.memberPromote(id, { timeoutMs: context.timeoutMs });
    context.print(printMemberChange(answer, lineOf(id, "promoted in", answer), context));
  },
};

function lineOf(id: bigint, what: string, { header }: MemberListResponse): string {
  return `Member ${hexPadded(id)} ${what} cluster ${hexPadded(header.clusterId)}\n`;
}

/** Go's `%16x`. */
function hexPadded(id: bigint): string {
  return id.toString(16).padStart(16);
}

function peerUrls(flags: Flags): string {
  const text = flags.text("peer-urls");
  if (text === "") throw badArgs("member peer urls not provided");
  return text;
}

function memberId(args: readonly string[]): bigint {
  const [text] = args;
  if (text === undefined || args.length > 1) throw badArgs("member ID is not provided");
  try {
    return parseUint64(text, 16);
  } catch (error) {
    throw badArgs(`bad member ID arg (${(error as Error).message}), expecting ID in Hex`);
  }
}

function tooMany(args: readonly string[]): string {
  const urls = args.filter((arg) => arg.toLowerCase().startsWith("http"));
  return `too many arguments${urls.map((url) => `, did you mean --peer-urls=${url}`).join("")}`;
}

function badArgs(message: string): CtlError {
  return new CtlError(message, Exit.BAD_ARGS);
}
