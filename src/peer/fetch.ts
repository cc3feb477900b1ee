/** What is asked of a cluster before one is a member of it (PV-04, PV-05). */
import type { HttpClient, PeerMember, PeerVersions } from "../seam/index.ts";
import { readAll } from "./body.ts";
import { decodeMembers } from "./members-json.ts";

export interface FetchOptions {
  readonly http: HttpClient;
  /** For each URL: to connect, and again to answer. */
  readonly timeoutMs: number;
}

export interface FetchedCluster {
  readonly clusterId: bigint;
  readonly members: readonly PeerMember[];
}

const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

/**
 * The cluster as the first of `urls` tells it that answers, asked one after the other. Rejects with
 * an Error that names what each of them did.
 */
export async function fetchCluster(
  options: FetchOptions,
  urls: readonly string[],
): Promise<FetchedCluster> {
  const failures: string[] = [];
  for (const url of urls) {
    try {
      const { headers, text } = await get(options, url, "/members");
      const clusterId = headers["x-etcd-cluster-id"] ?? "";
      if (!/^[0-9a-f]{1,16}$/i.test(clusterId)) throw new Error("the answer names no cluster id");
      const members = decodeMembers(text);
      if (members.length === 0) throw new Error("the list of members is empty");
      return { clusterId: BigInt(`0x${clusterId}`), members };
    } catch (error) {
      failures.push(`${url}: ${(error as Error).message}`);
    }
  }
  throw new Error(`cannot fetch the members of the cluster: ${failures.join("; ")}`);
}

/** `/version` of one peer URL. */
export async function fetchVersions(options: FetchOptions, url: string): Promise<PeerVersions> {
  const { text } = await get(options, url, "/version");
  return decodeVersions(text);
}

/** Whether a downgrade is under way; members before 3.5 do not know the question. */
export async function fetchDowngradeEnabled(options: FetchOptions, url: string): Promise<boolean> {
  const { text } = await get(options, url, "/downgrade/enabled");
  return text.trim() === "true";
}

export function decodeVersions(text: string): PeerVersions {
  const { etcdserver, etcdcluster } = JSON.parse(text) as Record<string, unknown>;
  if (typeof etcdserver !== "string") throw new Error("the answer names no version");
  return {
    server: etcdserver,
    cluster: typeof etcdcluster === "string" && etcdcluster !== "" ? etcdcluster : "not_decided",
  };
}

async function get({ http, timeoutMs }: FetchOptions, url: string, target: string) {
  const answer = await http.request({
    method: "GET",
    url,
    target,
    headers: {},
    connectTimeoutMs: timeoutMs,
    answerTimeoutMs: timeoutMs,
    isAlone: true,
  });
  const text = (await readAll(answer.body, ANSWER_BYTES_MAX, timeoutMs)).toString("utf8");
  if (answer.status !== 200) {
    throw new Error(`status ${answer.status}: ${text.trim().slice(0, 200)}`);
  }
  return { headers: answer.headers, text };
}
