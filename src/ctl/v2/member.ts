/** `member list`, `add`, `remove` and `update` of the second API. */
import { type ClusterMember, isRefusal } from "../../client/index.ts";
import type { Command } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlExit, Exit } from "../exit.ts";
import type { Flags } from "../flags.ts";
import { peerUrlList } from "../peer-url-list.ts";
import { quote } from "../print/quote.ts";
import { V2_FLAGS } from "./flags.ts";
import { AllFailed, listMembers, openV2, tellAllFailed, type V2Session } from "./session.ts";

/** `ask` works with the endpoints that the cluster names, as etcdctl does unless --no-sync. */
async function withMembers(
  context: Context,
  flags: Flags,
  ask: (session: V2Session, members: readonly ClusterMember[]) => Promise<void>,
): Promise<void> {
  const session = await openV2(context, flags);
  try {
    const isSynced = !flags.on("no-sync");
    if (isSynced) {
      session.debug(`start to sync cluster using endpoints(${session.endpoints.join(",")})`);
    } else session.debug(`Cluster-Endpoints: ${session.endpoints.join(", ")}`);
    const { list } = await listMembers(session).catch((error: unknown) => {
      throw tellAllFailed(context, error);
    });
    const urls = list.members.flatMap(({ clientUrls }) => clientUrls);
    if (!isSynced || urls.length === 0) return await ask(session, list.members);
    session.debug(`got endpoints(${urls.join(",")}) after sync`);
    session.debug(`Cluster-Endpoints: ${urls.join(", ")}`);
    session.client.setEndpoints(urls);
    await ask({ ...session, endpoints: urls }, list.members);
  } finally {
    session.client.close();
  }
}

export const memberListV2: Command = {
  usage: "",
  examples: [{ line: "ETCDCTL_API=2 etcdctl member list", says: "the members, and who leads" }],
  flags: V2_FLAGS,
  run: (context, _, flags) =>
    withMembers(context, flags, async (session, members) => {
      const leader = await leaderOf(context, session);
      for (const { id, name, peerUrls, clientUrls } of members) {
        const hex = id.toString(16);
        const peers = `peerURLs=${peerUrls.join(",")}`;
        const rest = `clientURLs=${clientUrls.join(",")} isLeader=${id === leader}`;
        context.out(
          name === "" ? `${hex}[unstarted]: ${peers}\n` : `${hex}: name=${name} ${peers} ${rest}\n`,
        );
      }
    }),
};

/** From the first endpoint that knows one. */
async function leaderOf(context: Context, session: V2Session): Promise<bigint> {
  const reasons: string[] = [];
  for (const endpoint of session.endpoints) {
    session.debug(`cURL Command: curl -X GET ${endpoint}/v2/members/leader`);
    try {
      const { timeoutMs } = session;
      const { leader } = await session.client.at(endpoint).status({ timeoutMs, failFast: true });
      if (leader !== 0n) return leader;
      reasons.push(`client: etcd member ${endpoint} has no leader`);
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  context.err(`Failed to get leader:  ${new AllFailed(reasons).message}\n`);
  throw new CtlExit(Exit.ERROR);
}

export const memberAddV2: Command = {
  usage: "<name> <peerURL>",
  examples: [
    { line: "etcdctl member add etcd_2 https://10.10.1.12:2380", says: "then start it there" },
  ],
  flags: V2_FLAGS,
  run: async (context, args, flags) => {
    const [name, url, ...others] = args;
    if (name === undefined || url === undefined || others.length > 0) {
      throw refusal(context, "Provide a name and a single member peerURL");
    }
    checkUrls(context, url);
    await withMembers(context, flags, async ({ client, totalTimeoutMs: timeoutMs }) => {
      const { member, members } = await client.cluster
        .memberAdd([url], { timeoutMs })
        .catch((error: Error) => {
          throw refusal(context, v2Text(error));
        });
      const hex = member.id.toString(16);
      const cluster = members.flatMap((one) =>
        one.peerUrls.map((peer) => `${one.id === member.id ? name : one.name}=${peer}`),
      );
      context.out(
        `Added member named ${name} with ID ${hex} to cluster\n\n` +
          `ETCD_NAME=${quote(name)}\nETCD_INITIAL_CLUSTER=${quote(cluster.join(","))}\n` +
          'ETCD_INITIAL_CLUSTER_STATE="existing"\n',
      );
    });
  },
};

export const memberRemoveV2: Command = {
  usage: "<id>",
  examples: [{ line: "etcdctl member remove e767162297c84b1e", says: "one that will not return" }],
  flags: V2_FLAGS,
  run: async (context, args, flags) => {
    const [id, ...others] = args;
    if (id === undefined || others.length > 0) throw refusal(context, "Provide a single member ID");
    await withMembers(context, flags, async ({ client, totalTimeoutMs: timeoutMs }, members) => {
      const named = members.find(({ name }) => name === id);
      if (named !== undefined) {
        const use = `etcdctl member remove ${named.id.toString(16)}`;
        context.err(
          `Found a member named ${id}; if this is correct, please use its ID, eg:\n\t${use}\n`,
        );
      }
      const found = members.find((member) => member.id.toString(16) === id);
      if (found === undefined) {
        throw refusal(context, `Couldn't find a member in the cluster with an ID of ${id}.`);
      }
      await client.cluster.memberRemove(found.id, { timeoutMs }).catch((error: Error) => {
        const why = v2Text(error);
        throw refusal(context, `Received an error trying to remove member ${id}: ${why}`);
      });
      context.out(`Removed member ${id} from cluster\n`);
    });
  },
};

export const memberUpdateV2: Command = {
  usage: "<id> <peerURLs>",
  examples: [
    {
      line: "etcdctl member update e767162297c84b1e https://10.10.1.22:2380",
      says: "a member gets another address",
    },
  ],
  flags: V2_FLAGS,
  run: async (context, args, flags) => {
    const [id, urls, ...others] = args;
    if (id === undefined || urls === undefined || others.length > 0) {
      throw refusal(
        context,
        "Provide an ID and a list of comma separated peerURL (0xabcd http://example.com,http://example1.com)",
      );
    }
    await withMembers(context, flags, async ({ client, totalTimeoutMs: timeoutMs }, members) => {
      const found = members.find((member) => member.id.toString(16) === id);
      if (found === undefined) throw refusal(context, `No such member: ${id}`);
      await client.cluster
        .memberUpdate(found.id, urls.split(","), { timeoutMs })
        .catch((error: Error) => {
          throw refusal(context, v2Text(error));
        });
      context.out(`Updated member with ID ${id} in cluster\n`);
    });
  },
};

/** Told without `Error:`, as these commands do. */
function refusal(context: Context, text: string): CtlExit {
  context.err(`${text}\n`);
  return new CtlExit(Exit.ERROR);
}

function checkUrls(context: Context, urls: string): void {
  try {
    peerUrlList(urls);
  } catch (error) {
    throw refusal(context, (error as Error).message);
  }
}

/** The second API had words of its own for one refusal. */
function v2Text(error: Error): string {
  return isRefusal(error, "PeerURLExist") ? "membership: peerURL exists" : error.message;
}
