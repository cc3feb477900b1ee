import assert from "node:assert/strict";
import { test } from "node:test";
import { deriveMemberId } from "../datadir/index.ts";
import { systemDigests as digests } from "../host/index.ts";
import type { Beginning } from "../member/index.ts";
import type { HttpClient } from "../seam/index.ts";
import { beginCluster, type BeginningParts } from "./beginning.ts";
import { readInitialCluster } from "./initial-cluster.ts";

const A = "http://10.0.0.1:2380";
const B = "http://10.0.0.2:2380";
const C = "http://10.0.0.3:2380";

interface Row {
  readonly id: bigint;
  readonly url: string;
  readonly clientUrl?: string;
  readonly isLearner?: boolean;
}

interface Remote {
  readonly rows: readonly Row[];
  readonly version?: string;
  readonly isDowngrading?: boolean;
}

/** What the members at these URLs answer; other URLs refuse the connection. */
function network(remotes: Readonly<Record<string, Remote>>): HttpClient {
  return {
    request: async ({ url, target }) => {
      const remote = remotes[url];
      if (remote === undefined) throw new Error(`connect ECONNREFUSED ${url}`);
      const { rows, version = "3.7.0", isDowngrading = false } = remote;
      const list = rows.map(
        ({ id, url: peer, clientUrl, isLearner }) =>
          `{"id":${id},"peerURLs":["${peer}"]${isLearner ? ',"isLearner":true' : ""}` +
          `,"name":"x"${clientUrl === undefined ? "" : `,"clientURLs":["${clientUrl}"]`}}`,
      );
      const bodies: Record<string, string> = {
        "/members": `[${list.join(",")}]`,
        "/version": `{"etcdserver":"3.7.1","etcdcluster":"${version}"}`,
        "/downgrade/enabled": String(isDowngrading),
      };
      const text = bodies[target] ?? "";
      return {
        status: 200,
        headers: { "x-etcd-cluster-id": "cafe" },
        body: {
          start: (events) => {
            events.onData(Buffer.from(text));
            events.onEnd({});
          },
          pause() {},
          resume() {},
          destroy() {},
        },
      };
    },
    close() {},
  };
}

function begin(
  cluster: string,
  remotes: Readonly<Record<string, Remote>>,
  more: Partial<BeginningParts["config"]> = {},
): Promise<Beginning> {
  const silent = { debug() {}, info() {}, warn() {}, error() {}, isEnabled: () => false };
  const logger = { ...silent, child: () => logger };
  return beginCluster({
    config: {
      name: "c",
      dataDirectory: "/data",
      advertisePeerUrls: [C],
      initialCluster: readInitialCluster(cluster),
      initialClusterState: "existing",
      clusterToken: "token",
      learnersMax: 1,
      minorVersion: 7,
      electionTimeoutMs: 1000,
      ...more,
    },
    http: network(remotes),
    digests,
    resolve: async (host) => (host === "c.example" ? "10.0.0.3" : Promise.reject(new Error(host))),
    logger,
  });
}

const ROWS: readonly Row[] = [
  { id: 1n, url: A, clientUrl: "http://10.0.0.1:2379" },
  { id: 0xffff_ffff_ffff_fffen, url: B },
  { id: 7n, url: C },
];
const ALL = `a=${A},b=${B},c=${C}`;

test("beginning: founders all get the same list, whoever else is up (RA-06)", async () => {
  const wanted = {
    kind: "found",
    founders: [
      { name: "a", peerUrls: [A] },
      { name: "b", peerUrls: [B] },
      { name: "c", peerUrls: [C] },
    ],
  };
  const founding = { initialClusterState: "new" as const };
  assert.deepEqual(await begin(ALL, {}, founding), wanted);
  const young = { id: deriveMemberId([C], "token", digests), url: C };
  assert.deepEqual(await begin(ALL, { [A]: { rows: [young] } }, founding), wanted);
});

test("beginning: a founder whom the cluster has served with before is refused, its data being lost", async () => {
  const id = deriveMemberId([C], "token", digests);
  const remote = { rows: [{ id, url: C, clientUrl: "http://10.0.0.3:2379" }] };
  await assert.rejects(
    begin(ALL, { [B]: remote }, { initialClusterState: "new" }),
    new RegExp(`member ${id.toString(16)} has already been bootstrapped: .*/data`),
  );
});

test("beginning: one that joins takes ids from the first member that answers (PV-04, PV-05)", async () => {
  const beginning = await begin(ALL, { [B]: { rows: ROWS } });
  assert.equal(beginning.kind, "join");
  assert.ok(beginning.kind === "join");
  assert.equal(beginning.clusterId, 0xcafen);
  assert.equal(beginning.id, 7n);
  assert.deepEqual(
    beginning.members.map(({ id, peerUrls }) => [id, ...peerUrls]),
    ROWS.map(({ id, url }) => [id, url]),
  );
});

test("beginning: peer URLs are the same after asking the DNS (PV-04)", async () => {
  const beginning = await begin(`a=${A},b=${B},c=http://c.example:2380`, { [A]: { rows: ROWS } });
  assert.ok(beginning.kind === "join" && beginning.id === 7n);
});

test("beginning: a list that is not the cluster's is refused in etcd's words (PV-04)", async () => {
  const remotes = { [A]: { rows: ROWS } };
  await assert.rejects(begin(`a=${A},c=${C}`, remotes), (error: Error) => {
    assert.match(
      error.message,
      /^error validating peerURLs \{ClusterID:cafe Members:\[&\{ID:1 RaftAttributes:\{PeerURLs:\[http:\/\/10\.0\.0\.1:2380\] /,
    );
    assert.match(error.message, /: member count is unequal; --initial-cluster must list exactly/);
    return true;
  });
  await assert.rejects(
    begin(`a=${A},b=http://10.0.0.9:2380,c=${C}`, remotes),
    /PeerURLs: no match found for existing member \(fffffffffffffffe, \[http:\/\/10\.0\.0\.2:2380\]\), last resolver error \(resolved urls: /,
  );
  await assert.rejects(
    begin(ALL, {}),
    /^ConfigError: cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs \(.*ECONNREFUSED/,
  );
  await assert.rejects(begin(`c=${C}`, remotes), /\(--initial-cluster names no other member\)$/);
  await assert.rejects(begin(`a=${A}`, remotes), /couldn't find local name "c"/);
});

test("beginning: a cluster of a newer version takes no older member, unless it goes down (PV-03, PV-04)", async () => {
  const newer = { rows: ROWS, version: "3.7.0" };
  await assert.rejects(
    begin(ALL, { [A]: newer }, { minorVersion: 6 }),
    /incompatible with current running cluster: the cluster is of version 3\.7\.0, this member of 3\.6\.0/,
  );
  const going = { ...newer, isDowngrading: true };
  assert.equal((await begin(ALL, { [A]: going }, { minorVersion: 6 })).kind, "join");
  await assert.rejects(begin(ALL, { [A]: going }, { minorVersion: 5 }), /incompatible/);
  const young = { rows: ROWS, version: "not_decided" };
  await assert.rejects(begin(ALL, { [A]: young }), /no member told the cluster's version/);
});

test("beginning: more learners than --max-learners allows here are refused (CL-03)", async () => {
  const rows = ROWS.map((row) => ({ ...row, isLearner: row.id !== 1n }));
  await assert.rejects(begin(ALL, { [A]: { rows } }), /too many learner members in cluster/);
  assert.equal((await begin(ALL, { [A]: { rows } }, { learnersMax: 2 })).kind, "join");
});
