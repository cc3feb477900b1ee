/** The endpoints that a command asks one by one. */
import { switchFlag } from "./command.ts";
import type { Context } from "./context.ts";
import { CtlError } from "./exit.ts";
import type { Flags } from "./flags.ts";

export const CLUSTER_FLAG = switchFlag(
  "cluster",
  "all members' client URLs, from the cluster's own list, instead of --endpoints",
);

/** As they were typed, or as the cluster has them with --cluster. */
export async function endpointsOf(context: Context, flags: Flags): Promise<readonly string[]> {
  const client = await context.client();
  if (!flags.on("cluster")) {
    // Those of a discovery are known to the client alone.
    const isTyped = flags.text("discovery-srv") === "";
    return isTyped ? flags.list("endpoints") : client.endpoints;
  }
  try {
    const { members } = await client.cluster.memberList({ timeoutMs: context.timeoutMs });
    return members.flatMap((member) => member.clientUrls);
  } catch (error) {
    const why = (error as Error).message;
    throw new CtlError(`failed to fetch endpoints from etcd cluster member list: ${why}`);
  }
}
