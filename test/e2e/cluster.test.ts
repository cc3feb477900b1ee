/** Clusters of processes from outside: how they start, who may join, how members end. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, describe, test } from "node:test";
import { deriveClusterId, deriveMemberId } from "../../src/datadir/index.ts";
import { systemDigests } from "../../src/host/index.ts";
import { METHODS, TestClient } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { Pki } from "../harness/pki.ts";
import {
  etcdctl,
  freePort,
  type Ports,
  poll,
  type Server,
  start,
  type StartOptions,
} from "../harness/process.ts";

interface Wanted {
  readonly name: string;
  readonly ports: Ports;
}

async function places(...names: string[]): Promise<Wanted[]> {
  const list: Wanted[] = [];
  for (const name of names) {
    list.push({ name, ports: { client: await freePort(), peer: await freePort() } });
  }
  return list;
}

function urlOf({ ports }: Wanted, scheme = "http"): string {
  return `${scheme}://127.0.0.1:${ports.peer}`;
}

/** Flags of a member that finds the others by `initial-cluster`. */
function flagsOf(member: Wanted, all: readonly Wanted[], scheme = "http"): string[] {
  const url = urlOf(member, scheme);
  return [
    ...["--name", member.name],
    ...["--listen-peer-urls", url, "--initial-advertise-peer-urls", url],
    ...["--initial-cluster", all.map((one) => `${one.name}=${urlOf(one, scheme)}`).join(",")],
  ];
}

describe("cluster of processes", () => {
  const started: Server[] = [];
  const clusters: Cluster[] = [];
  after(async () => {
    for (const server of started) await server.dispose();
    for (const cluster of clusters) await cluster.dispose();
  });

  async function begin(member: Wanted, options: StartOptions): Promise<Server> {
    const server = await start("holdfast", { ports: member.ports, ...options });
    started.push(server);
    return server;
  }

  async function cluster(members: number): Promise<Cluster> {
    const made = await Cluster.start("holdfast", { members });
    clusters.push(made);
    return made;
  }

  async function refusal(member: Wanted, flags: readonly string[]): Promise<string> {
    const server = await begin(member, { flags, isReadyAwaited: false });
    assert.deepEqual(await server.exited, { code: 1, signal: null }, server.tail());
    return server.log;
  }

  test("start: three processes with the same list → one cluster, with etcd's ids (RA-06 ID-01 ID-02 ID-05)", async () => {
    const all = await places("a", "b", "c");
    const servers = await Promise.all(all.map((one) => begin(one, { flags: flagsOf(one, all) })));
    const ids = all.map((one) => deriveMemberId([urlOf(one)], "etcd-cluster", systemDigests));
    const [first] = servers;
    assert.ok(first !== undefined);
    const { stdout } = await etcdctl(first, ["member", "list", "-w", "json"]);
    const clusterId = deriveClusterId(ids, systemDigests);
    assert.match(stdout, new RegExp(`"cluster_id":${clusterId}\\b`));
    for (const [position, id] of ids.entries()) {
      const name = all[position]?.name;
      assert.match(stdout, new RegExp(`"ID":${id},"name":"${name}"`));
    }
    assert.equal((await etcdctl(first, ["put", "k", "v"])).code, 0);
    for (const server of servers) {
      assert.equal((await etcdctl(server, ["get", "k"])).stdout, "k\nv\n");
      for (const line of ["ready to serve client requests", "enabled capabilities for version"]) {
        await poll(line, () => server.log.includes(line));
      }
    }
  });

  test("start: one of three alone → not healthy, /version held back; with a second one both serve (PV-02)", async () => {
    const all = await places("a", "b", "c");
    const [a, b] = all as [Wanted, Wanted, Wanted];
    const alone = await begin(a, { flags: flagsOf(a, all), isReadyAwaited: false });
    await poll("an answer", async () => {
      const answer = await fetch(`${alone.url}/health`).catch(() => undefined);
      return answer?.status === 503;
    });
    let isVersionTold = false;
    const version = fetch(`${alone.url}/version`).then((answer) => {
      isVersionTold = true;
      return answer.status;
    });
    await poll("still no leader", async () => (await fetch(`${alone.url}/health`)).status === 503);
    assert.equal(isVersionTold, false);
    await begin(b, { flags: flagsOf(b, all) });
    await alone.ready();
    assert.equal(await version, 200);
  });

  test("start refused: a list without this member, or with other URLs for it, in etcd's words", async () => {
    const all = await places("a", "b");
    const [a, b] = all as [Wanted, Wanted];
    assert.match(
      await refusal(a, flagsOf(a, [b])),
      /couldn't find local name \\"a\\" in the initial cluster configuration/,
    );
    assert.match(
      await refusal(a, [...flagsOf(a, all), "--initial-advertise-peer-urls", urlOf(b)]),
      new RegExp(
        `--initial-cluster has a=${urlOf(a)} but missing from --initial-advertise-peer-urls`,
      ),
    );
    assert.match(
      await refusal(a, [...flagsOf(a, all), "--initial-cluster", `a=${urlOf(a)},b=${urlOf(a)}`]),
      /has duplicate url/,
    );
  });

  test("join: refused until the cluster knows the member and the list is the cluster's; then it serves (PV-04 PV-05)", async () => {
    const three = await cluster(3);
    const [d] = (await places("d")) as [Wanted];
    const old = three.members.map(
      ({ name, place }) => `${name}=http://127.0.0.1:${place.peerPort}`,
    );
    const joining = (list: readonly string[]): string[] => [
      ...flagsOf(d, [d]),
      ...["--initial-cluster", [...list, `d=${urlOf(d)}`].join(",")],
      ...["--initial-cluster-state", "existing"],
    ];
    assert.match(
      await refusal(d, joining(old)),
      /error validating peerURLs .*member count is unequal/,
    );
    const { client } = await three.leader();
    let id = 0n;
    // A cluster that has just come about counts as unhealthy for 5 s (CL-02).
    await poll("the cluster takes a member", async () => {
      const peerUrls = [urlOf(d)];
      const added = await client.call(METHODS.memberAdd, { peerUrls, isLearner: false });
      if (added.ok) id = added.value.member?.id ?? 0n;
      return added.ok;
    });
    assert.match(
      await refusal(d, joining([...old.slice(0, 2), `x=http://127.0.0.1:${await freePort()}`])),
      /no match found for existing member/,
    );
    assert.match(
      await refusal(d, joining([`x=http://127.0.0.1:${await freePort()}`])),
      /cannot fetch cluster info from peer urls/,
    );
    const server = await begin(d, { flags: joining(old) });
    const { stdout } = await etcdctl(server, ["member", "list"]);
    assert.match(stdout, new RegExp(`^${id.toString(16)}, started, d, `, "m"));
    assert.equal(stdout.trim().split("\n").length, 4);
  });

  test("start refused: a founder whose data is gone while its cluster knows it", async () => {
    const all = await places("a", "b", "c");
    const servers = await Promise.all(all.map((one) => begin(one, { flags: flagsOf(one, all) })));
    const [a] = all as [Wanted, Wanted, Wanted];
    await servers[0]?.stop();
    rmSync(servers[0]?.dataDirectory ?? "", { recursive: true });
    assert.match(
      await refusal(a, flagsOf(a, all)),
      /member [0-9a-f]+ has already been bootstrapped/,
    );
  });

  test("removed: the member ends by itself with code 0 and etcd's lines, at a restart again (PE-20)", async () => {
    const three = await cluster(3);
    const [leaving] = await three.followers();
    assert.ok(leaving !== undefined);
    const { server } = leaving;
    const { client } = await three.leader();
    const id = await leaving.id();
    await poll("the cluster lets a member go", async () => {
      return (await client.call(METHODS.memberRemove, { id })).ok;
    });
    assert.deepEqual(await server.exited, { code: 0, signal: null }, server.tail());
    for (const line of [
      "the member has been permanently removed from the cluster",
      "data-dir used by this member must be removed",
    ]) {
      assert.ok(server.log.includes(line), line);
    }
    const again = leaving.launch();
    assert.deepEqual(await again.exited, { code: 0, signal: null }, again.tail());
    assert.ok(again.log.includes("permanently removed"), again.tail());
  });

  test("peer TLS: members with the allowed common name are a cluster, a stranger is left out (TL-04)", async () => {
    const pki = new Pki();
    const all = await places("a", "b", "c");
    const [a, b, c] = all as [Wanted, Wanted, Wanted];
    const [known, stranger] = [pki.issue("member"), pki.issue("stranger")];
    const secured = (one: Wanted, { certFile, keyFile } = known): StartOptions => ({
      flags: [
        ...flagsOf(one, all, "https"),
        ...["--peer-cert-file", certFile, "--peer-key-file", keyFile],
        ...["--peer-trusted-ca-file", pki.caFile, "--peer-client-cert-auth"],
        ...["--peer-cert-allowed-cn", "member"],
      ],
    });
    const out = await begin(c, { ...secured(c, stranger), isReadyAwaited: false });
    const [first] = await Promise.all([begin(a, secured(a)), begin(b, secured(b))]);
    assert.equal((await etcdctl(first, ["put", "k", "v"])).code, 0);
    await poll("refusals", () => first.log.includes("certificate common name is not allowed"));
    assert.equal((await fetch(`${out.url}/health`)).status, 503);
  });

  test("peer TLS: --peer-auto-tls alone → a cluster over https (TL-05)", async () => {
    const all = await places("a", "b", "c");
    const servers = await Promise.all(
      all.map((one) => begin(one, { flags: [...flagsOf(one, all, "https"), "--peer-auto-tls"] })),
    );
    const client = new TestClient(servers[0]?.address ?? "");
    await client.must(METHODS.put, { key: Buffer.from("k"), value: Buffer.from("v") });
    client.close();
    for (const server of servers) {
      assert.equal((await etcdctl(server, ["get", "k"])).stdout, "k\nv\n");
    }
  });

  test("force-new-cluster: one member goes on alone with all the data, and takes new members", async () => {
    const three = await cluster(3);
    const [a] = three.members;
    assert.ok(a !== undefined);
    await a.client.must(METHODS.put, { key: Buffer.from("k"), value: Buffer.from("v") });
    const id = await a.id();
    for (const member of three.members) await member.kill();
    const ports = { client: a.place.clientPort, peer: a.place.peerPort };
    const forced = await start("holdfast", {
      dataDirectory: a.dataDirectory,
      ports,
      flags: ["--name", a.name, "--force-new-cluster"],
    });
    started.push(forced);
    const { stdout } = await etcdctl(forced, ["member", "list"]);
    assert.match(stdout, new RegExp(`^${id.toString(16)}, started, ${a.name}, [^\n]*\n$`));
    assert.equal((await etcdctl(forced, ["get", "k"])).stdout, "k\nv\n");
    assert.equal((await etcdctl(forced, ["put", "k", "w"])).code, 0);
    await forced.stop();
    const later = await start("holdfast", {
      dataDirectory: a.dataDirectory,
      ports,
      flags: ["--name", a.name],
    });
    started.push(later);
    assert.equal((await etcdctl(later, ["get", "k"])).stdout, "k\nw\n");
  });

  test("stop: a member that has never found a leader → exit 0 within 5 s (FR-13)", async () => {
    const all = await places("a", "b", "c");
    const [a] = all as [Wanted, Wanted, Wanted];
    const alone = await begin(a, { flags: flagsOf(a, all), isReadyAwaited: false });
    await poll("no leader", async () => {
      const answer = await fetch(`${alone.url}/health`).catch(() => undefined);
      return answer?.status === 503;
    });
    const startedAt = performance.now();
    assert.deepEqual(await alone.stop(), { code: 0, signal: null }, alone.tail());
    assert.ok(performance.now() - startedAt < 5_000);
  });

  test("stop: the leader hands over first, so that writes go on at once (FR-13)", async () => {
    const three = await cluster(3);
    const leader = await three.leader();
    const [follower] = await three.followers();
    assert.ok(follower !== undefined);
    const { client } = follower;
    let longestMs = 0;
    let isOver = false;
    const writing = (async (): Promise<void> => {
      for (let i = 0; !isOver; i += 1) {
        const startedAt = performance.now();
        await client.must(METHODS.put, { key: Buffer.from(`k${i}`), value: Buffer.from("v") });
        longestMs = Math.max(longestMs, performance.now() - startedAt);
      }
    })();
    assert.deepEqual(await leader.stop(), { code: 0, signal: null });
    isOver = true;
    await writing;
    // Without a hand-over an election takes 1 to 2 s.
    assert.ok(longestMs < 700, `${longestMs} ms`);
  });
});
