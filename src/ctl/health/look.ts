/**
 * One look at a cluster: every member is asked at once for its /health, its Status and its
 * /metrics; what does not come in time is missing, and nobody waits for another.
 */
import type {
  Client,
  ClusterMember,
  MemberAlarm,
  MemberListResponse,
  StatusResponse,
} from "../../client/index.ts";
import { checkMember, type MemberHealth } from "../v2/health.ts";
import { MetricsPage } from "./metrics-page.ts";

export interface MemberLook {
  readonly member: ClusterMember;
  readonly health: MemberHealth;
  /** Undefined: no answer. */
  readonly status: StatusResponse | undefined;
  readonly metrics: MetricsPage | undefined;
  /** Checks of its /readyz that fail, each with its reason: `time_travel: it acknowledged ...`. */
  readonly notReady: readonly string[];
}

export interface Look {
  readonly members: readonly MemberLook[];
  /** Of all members, as the first that answered knows them. */
  readonly alarms: readonly MemberAlarm[];
}

/** How a look asks; a test hands in answers of its own. */
export interface Asker {
  readonly minor: number;
  /** The members as the first endpoint to answer knows them. Rejects when none does. */
  list(): Promise<MemberListResponse>;
  /** The body of a page; rejects, in Go's words, when there is none in time. */
  get(url: string): Promise<string>;
  status(endpoint: string): Promise<StatusResponse>;
  alarms(endpoint: string): Promise<readonly MemberAlarm[]>;
}

/** Rejects when the members cannot be listed, and for nothing else. */
export async function lookAt(asker: Asker): Promise<Look> {
  const { members } = await asker.list();
  const urls = members.flatMap(({ clientUrls }) => clientUrls);
  const alarms = Promise.any(urls.map((url) => asker.alarms(url))).catch(() => []);
  const looks = await Promise.all(members.map((member) => lookAtMember(asker, member)));
  return { members: looks, alarms: await alarms };
}

async function lookAtMember(asker: Asker, member: ClusterMember): Promise<MemberLook> {
  const page = (path: string): Promise<string> =>
    Promise.any(member.clientUrls.map((url) => asker.get(`${url}${path}`)));
  const [health, status, metrics, notReady] = await Promise.all([
    checkMember(member, asker),
    Promise.any(member.clientUrls.map((url) => asker.status(url))).catch(() => undefined),
    page("/metrics")
      .then((text) => new MetricsPage(text))
      .catch(() => undefined),
    page("/readyz").then(failedChecks, () => []),
  ]);
  return { member, health, status, metrics, notReady };
}

function failedChecks(page: string): string[] {
  return [...page.matchAll(/^\[-\](\S+) failed: (.*)$/gm)].map(
    ([, name, why]) => `${name}: ${why}`,
  );
}

/** Lists by all endpoints at once, so that a silent one costs nothing. */
export async function listByFirst(client: Client, timeoutMs: number): Promise<MemberListResponse> {
  const asked = client.endpoints.map((endpoint) =>
    client.cluster.memberList({ endpoint, timeoutMs, failFast: true, linearizable: false }),
  );
  return await Promise.any(asked);
}
