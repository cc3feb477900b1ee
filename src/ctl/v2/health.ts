/**
 * The health of each member as etcdctl of the second API told it: `GET <client URL>/health`, the
 * first URL that answers decides. Members are asked all at once, each with its own bound, so that
 * one that is frozen holds up nobody.
 */
import type { ClusterMember } from "../../client/index.ts";

export type Verdict = "healthy" | "unhealthy" | "unreachable" | "unpublished";

export interface MemberHealth {
  readonly member: ClusterMember;
  readonly verdict: Verdict;
  /** In etcdctl's words, each with its newline. */
  readonly lines: readonly string[];
}

export interface HealthStyle {
  /** Y of the etcdctl 3.Y whose words are wanted. */
  readonly minor: number;
  /** The body of a page; rejects, in Go's words, when there is none in time. */
  readonly get: (url: string) => Promise<string>;
}

/** From this etcdctl on the last line tells a cluster that has lost members from a whole one. */
const DEGRADED_SINCE = 3;

export async function checkMember(
  member: ClusterMember,
  { minor, get }: HealthStyle,
): Promise<MemberHealth> {
  const name = `member ${member.id.toString(16)}`;
  if (member.clientUrls.length === 0) {
    const line = `${name} is unreachable: no available published client urls\n`;
    return { member, verdict: "unpublished", lines: [line] };
  }
  const lines: string[] = [];
  for (const url of member.clientUrls) {
    try {
      const isHealthy = isHealthyPage(await get(`${url}/health`));
      const word = isHealthy ? "healthy" : "unhealthy";
      lines.push(`${name} is ${word}: got ${word} result from ${url}\n`);
      return { member, verdict: word, lines };
    } catch (error) {
      const why = goGetText(`${url}/health`, error as Error, minor);
      lines.push(`failed to check the health of ${name} on ${url}: ${why}\n`);
    }
  }
  lines.push(`${name} is unreachable: [${member.clientUrls.join(" ")}] are all unreachable\n`);
  return { member, verdict: "unreachable", lines };
}

/** Throws when it is no answer of a member. Old ones sent a bool. */
function isHealthyPage(body: string): boolean {
  let page: unknown;
  try {
    page = JSON.parse(body);
  } catch {
    throw new NotHealthPage(`no JSON came: ${JSON.stringify(body.slice(0, 40))}`);
  }
  const health = (page as { health?: unknown } | null)?.health;
  if (typeof health === "string") return health === "true";
  if (typeof health === "boolean") return health;
  throw new NotHealthPage(`no "health" in ${JSON.stringify(body.slice(0, 40))}`);
}

class NotHealthPage extends Error {}

/** Since Go 1.14, with which etcdctl 3.4 and later are built, the URL stands in quotes. */
function goGetText(url: string, error: Error, minor: number): string {
  if (error instanceof NotHealthPage) return error.message;
  if (minor > DEGRADED_SINCE) return `Get "${url}": ${error.message}`;
  return `Get ${url}: ${error.message.replace(": connect: ", ": getsockopt: ")}`;
}

/** The last line, and the exit code that goes with it: 0, or 5. */
export function clusterVerdict(
  verdicts: readonly Verdict[],
  minor: number,
): { readonly line: string; readonly isHealthy: boolean } {
  const healthy = verdicts.filter((verdict) => verdict === "healthy").length;
  const isHealthy = minor < DEGRADED_SINCE ? healthy > 0 : healthy === verdicts.length;
  if (isHealthy) return { line: "cluster is healthy\n", isHealthy };
  if (minor < DEGRADED_SINCE) return { line: "cluster is unhealthy\n", isHealthy };
  const state = healthy === 0 ? "unavailable" : "degraded";
  return { line: `cluster is ${state}\n`, isHealthy };
}
