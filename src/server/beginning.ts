/**
 * How a member that has no log yet comes into its cluster: as one of its founders, or by asking the
 * members of one that exists (PV-04, PV-05). Refusals are in etcd's words.
 */
import { deriveMemberId, formatId } from "../datadir/index.ts";
import type { Beginning } from "../member/index.ts";
import { fetchCluster, fetchDowngradeEnabled, fetchVersions } from "../peer/index.ts";
import type { Digests, HttpClient, Logger, PeerMember } from "../seam/index.ts";
import { ConfigError } from "./config-error.ts";
import type { ServerConfig } from "./config.ts";
import { checkInitialCluster } from "./founding.ts";
import { differenceOf, type Resolve } from "./same-urls.ts";

/** A founder asks whether it has been here before, and this must not delay a start much. */
const BOOTSTRAPPED_MS_MAX = 500;
const MEMBERS_MS_MAX = 5_000;
const MINOR_VERSION_MIN = 0;

export interface BeginningParts {
  readonly config: Pick<
    ServerConfig,
    | "name"
    | "dataDirectory"
    | "advertisePeerUrls"
    | "initialCluster"
    | "initialClusterState"
    | "clusterToken"
    | "learnersMax"
    | "minorVersion"
    | "electionTimeoutMs"
  >;
  readonly http: HttpClient;
  readonly digests: Digests;
  readonly resolve: Resolve;
  readonly logger: Logger;
}

/** Rejects with ConfigError. */
export async function beginCluster(parts: BeginningParts): Promise<Beginning> {
  const { config, resolve } = parts;
  await checkInitialCluster(config, resolve);
  return config.initialClusterState === "new" ? found(parts) : join(parts);
}

async function found(parts: BeginningParts): Promise<Beginning> {
  const { config, digests } = parts;
  const mine = config.initialCluster.find(({ name }) => name === config.name);
  const id = deriveMemberId(mine?.peerUrls ?? [], config.clusterToken, digests);
  const others = await Promise.allSettled(
    otherUrls(config).map((url) =>
      fetchCluster({ http: parts.http, timeoutMs: BOOTSTRAPPED_MS_MAX }, [url]),
    ),
  );
  for (const answer of others) {
    if (answer.status === "rejected") continue;
    const row = answer.value.members.find((member) => member.id === id);
    // One that never served may begin anew (its disk was wiped before the cluster came about).
    if (row === undefined || row.clientUrls.length === 0) continue;
    throw new ConfigError(
      `member ${formatId(id)} has already been bootstrapped: the cluster knows it and its data is ` +
        `not in ${config.dataDirectory}; put the data directory back, or remove the member, add it ` +
        "anew (etcdctl member remove, member add), and start it with --initial-cluster-state=existing",
    );
  }
  return { kind: "found", founders: config.initialCluster };
}

function otherUrls(config: BeginningParts["config"]): string[] {
  return config.initialCluster
    .filter(({ name }) => name !== config.name)
    .flatMap(({ peerUrls }) => peerUrls)
    .sort();
}

async function join(parts: BeginningParts): Promise<Beginning> {
  const { config, http, logger } = parts;
  const urls = otherUrls(config);
  const what =
    "cannot fetch cluster info from peer urls: could not retrieve cluster information from the " +
    "given URLs";
  if (urls.length === 0) {
    throw new ConfigError(`${what} (--initial-cluster names no other member)`);
  }
  const cluster = await fetchCluster({ http, timeoutMs: MEMBERS_MS_MAX }, urls).catch(
    (error: unknown) => {
      throw new ConfigError(`${what} (${(error as Error).message})`);
    },
  );
  const { clusterId, members } = cluster;
  const id = await match(parts, members, clusterId);
  await checkVersions(parts, members, id);
  const learners = members.filter(({ isLearner }) => isLearner).length;
  if (learners > config.learnersMax) {
    throw new ConfigError(
      `membership: too many learner members in cluster (${learners}, and --max-learners is ` +
        `${config.learnersMax} here; give all members the same)`,
    );
  }
  logger.info("joining a cluster", {
    "local-member-id": formatId(id),
    "cluster-id": formatId(clusterId),
    members: members.length,
  });
  return { kind: "join", clusterId, id, members };
}

/** Every member there is one of initial-cluster here, by its peer URLs. Answers our own id. */
async function match(
  { config, resolve }: BeginningParts,
  members: readonly PeerMember[],
  clusterId: bigint,
): Promise<bigint> {
  const wrong = (reason: string): ConfigError =>
    new ConfigError(
      `error validating peerURLs ${shownCluster(clusterId, members)}: ${reason}; --initial-cluster ` +
        "must list exactly the members that the cluster has now, this one included (member add " +
        "comes before its start)",
    );
  if (members.length !== config.initialCluster.length) throw wrong("member count is unequal");
  let mine: bigint | undefined;
  for (const member of members) {
    let last = "";
    let name: string | undefined;
    for (const founder of config.initialCluster) {
      const difference = await differenceOf(member.peerUrls, founder.peerUrls, resolve);
      if (difference === undefined) name = founder.name;
      if (difference === undefined) break;
      last = difference;
    }
    if (name === undefined) {
      throw wrong(
        `PeerURLs: no match found for existing member (${formatId(member.id)}, ` +
          `[${member.peerUrls.join(" ")}]), last resolver error (${last})`,
      );
    }
    if (name === config.name) mine = member.id;
  }
  if (mine === undefined)
    throw wrong(`no member of the cluster has the peer URLs of ${config.name}`);
  return mine;
}

function shownCluster(clusterId: bigint, members: readonly PeerMember[]): string {
  const rows = members.map(
    ({ id, peerUrls, name, clientUrls, isLearner }) =>
      `&{ID:${formatId(id)} RaftAttributes:{PeerURLs:[${peerUrls.join(" ")}] ` +
      `IsLearner:${isLearner}} Attributes:{Name:${name} ClientURLs:[${clientUrls.join(" ")}]}}`,
  );
  return `{ClusterID:${formatId(clusterId)} Members:[${rows.join(" ")}] RemovedMemberIDs:[]}`;
}

/** The cluster must be of a version that this one can be a member of (PV-03, PV-04). */
async function checkVersions(
  parts: BeginningParts,
  members: readonly PeerMember[],
  id: bigint,
): Promise<void> {
  const { config, logger } = parts;
  const others = members.filter((member) => member.id !== id);
  const options = { http: parts.http, timeoutMs: MEMBERS_MS_MAX };
  const isDowngrading = others.map((member) =>
    ofFirstUrl(member, (url) => fetchDowngradeEnabled(options, url)),
  );
  const versions = await Promise.all(
    others.map((member) => ofFirstUrl(member, (url) => fetchVersions(options, url))),
  );
  // While the cluster goes down a version, one below it may join already.
  const isLowerAllowed = (await Promise.all(isDowngrading)).includes(true);
  const minorMax = config.minorVersion + (isLowerAllowed ? 1 : 0);
  let isAnyGood = false;
  const refused: string[] = [];
  for (const [position, version] of versions.entries()) {
    const minor = /^3\.(\d+)\.\d+$/.exec(version?.cluster ?? "")?.[1];
    if (version === undefined || minor === undefined) continue;
    if (Number(minor) >= MINOR_VERSION_MIN && Number(minor) <= minorMax) {
      isAnyGood = true;
      continue;
    }
    refused.push(version.cluster);
    logger.warn("cluster version of remote member is not compatible", {
      "remote-member-id": formatId(others[position]?.id ?? 0n),
      "remote-member-cluster-version": version.cluster,
      "maximum-cluster-version-supported": `3.${minorMax}.0`,
    });
  }
  if (isAnyGood && refused.length === 0) return;
  const reason =
    refused.length > 0
      ? `the cluster is of version ${refused.join(", ")}, this member of 3.${config.minorVersion}.0`
      : "no member told the cluster's version";
  throw new ConfigError(`incompatible with current running cluster: ${reason}`);
}

async function ofFirstUrl<T>(
  { peerUrls }: PeerMember,
  ask: (url: string) => Promise<T>,
): Promise<T | undefined> {
  for (const url of peerUrls) {
    try {
      return await ask(url);
    } catch {
      // Another URL of the same member may answer.
    }
  }
  return undefined;
}
