/** Plain HTTP on the client port (surface 10): health, checks, version, metrics, variables. */
import { formatDigest } from "../care/index.ts";
import type { Member } from "../member/index.ts";
import type { HttpHandler, HttpRequest, HttpResponse, Timers } from "../seam/index.ts";
import { CheckCounts, type Checks, LIVE_CHECKS, READY_CHECKS, runChecks } from "./checks.ts";
import { exposition, type MetricSource } from "./exposition.ts";
import { HealthPage } from "./health.ts";
import { healthMetrics, memberMetrics } from "./member-metrics.ts";

export interface GatewayOptions {
  readonly member: Member;
  readonly timers: Timers;
  /** "3.7.1". */
  readonly serverVersion: string;
  /** Minor version that we answer as: pages came and changed with it. */
  readonly minorVersion: number;
  /** Of the program itself, beside etcd's compatible version. */
  readonly holdfastVersion: string;
  /** Beside those of the member: the host's, the transport's. */
  readonly metrics: readonly MetricSource[];
  /** Extra fields of /debug/vars. */
  readonly variables: () => Readonly<Record<string, unknown>>;
}

const CHECK_PAGES: readonly (readonly [string, Checks])[] = [
  ["livez", LIVE_CHECKS],
  ["readyz", READY_CHECKS],
];

type Route = (request: HttpRequest) => Promise<HttpResponse>;

export interface Gateway {
  /** Everything: for the client URLs. */
  readonly handler: HttpHandler;
  /** /metrics and the health pages alone (HT-11). */
  readonly metricsHandler: HttpHandler;
}

export function openGateway(options: GatewayOptions): Gateway {
  const { member, timers, minorVersion } = options;
  const probe = { member, timers };
  const counts = new CheckCounts();
  const health = new HealthPage({ ...probe, hasReason: minorVersion >= 5 });
  const sources = [...memberMetrics(options, counts), ...healthMetrics(health), ...options.metrics];
  const probes = new Map<string, Route>([
    ["/health", (request) => health.answer(request)],
    ["/metrics", () => Promise.resolve(metricsPage(sources))],
  ]);
  for (const [type, checks] of CHECK_PAGES) {
    const run = (subset: Checks) => (request: HttpRequest) =>
      runChecks(probe, { type, checks: subset, counts }, request);
    probes.set(`/${type}`, run(checks));
    for (const [name, check] of checks) {
      probes.set(`/${type}/${name}`, run(new Map([[name, check]])));
    }
  }
  const all = new Map<string, Route>([
    ...probes,
    ["/version", () => Promise.resolve(version(options))],
    ["/debug/vars", () => Promise.resolve(debugVariables(options))],
    ["/care", () => Promise.resolve(json(careOf(member)))],
  ]);
  return { handler: router(all), metricsHandler: router(probes) };
}

function router(routes: ReadonlyMap<string, Route>): HttpHandler {
  return (request) => {
    const route = routes.get(request.path);
    if (route === undefined) return Promise.resolve(plain(404, "404 page not found\n"));
    if (request.method === "GET" || request.method === "HEAD") return route(request);
    const refused = plain(405, "Method Not Allowed\n");
    return Promise.resolve({ ...refused, headers: { ...refused.headers, allow: "GET" } });
  };
}

function plain(status: number, body: string): HttpResponse {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body };
}

function json(body: unknown): HttpResponse {
  return {
    status: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  };
}

/** What care has found and done, and how the member stands: `holdfast ctl care log` shows it. */
function careOf(member: Member): unknown {
  const { stateDigest: digest } = member;
  return {
    memberId: member.id.toString(16),
    isQuarantined: member.isQuarantined,
    digest: digest === undefined ? null : { index: digest.index, value: formatDigest(digest) },
    log: member.careLog,
  };
}

/** HT-07, and our own version beside it. */
function version({ member, serverVersion, minorVersion, holdfastVersion }: GatewayOptions) {
  const cluster = member.clusterVersion ?? "not_decided";
  return json({
    etcdserver: serverVersion,
    etcdcluster: cluster,
    ...(minorVersion >= 6 ? { storage: member.clusterVersion ?? "unknown" } : {}),
    holdfast: holdfastVersion,
    ...(member.incarnation === undefined ? {} : { incarnation: member.incarnation }),
  });
}

function metricsPage(sources: readonly MetricSource[]): HttpResponse {
  return {
    status: 200,
    headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
    body: exposition(sources),
  };
}

/** HT-08. */
function debugVariables({ member, variables }: GatewayOptions): HttpResponse {
  const now = member.status();
  const isLeader = now.leader === member.id;
  return json({
    ...variables(),
    "raft.status": {
      id: member.id.toString(16),
      term: now.raftTerm,
      vote: member.id.toString(16),
      commit: now.raftIndex,
      lead: now.leader.toString(16),
      raftState: isLeader ? "StateLeader" : "StateFollower",
      applied: now.raftAppliedIndex,
      progress: {},
      leadtransferee: "0",
    },
  });
}
