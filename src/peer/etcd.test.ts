/**
 * One real etcd member among two stand-ins of ours: it wins its election by their votes, and its
 * clients' writes are committed by their acknowledgements.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { deriveClusterId, deriveMemberId } from "../datadir/index.ts";
import { openHttpClient, systemDigests } from "../host/index.ts";
import type { Receipt, SnapshotArrival } from "../seam/index.ts";
import { type Message, MessageType } from "../wire/index.ts";
import { messageOf, startTestMember, type TestMember } from "./fixture.test.ts";
import { fetchCluster, fetchDowngradeEnabled, fetchVersions } from "./index.ts";

const ETCD = "/usr/bin/etcd";
const TOKEN = "peer-interop";
const run = promisify(execFile);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A voter that grants every vote and keeps no log: it says yes to whatever a leader appends. */
class StandIn {
  readonly member: TestMember;
  readonly appends: Message[] = [];
  commit = 0;
  /** Hears nothing of appends, as a member that is far behind. */
  isDeaf = false;

  constructor(member: TestMember) {
    this.member = member;
    member.handler.receive = (message) => this.#receive(message);
  }

  #receive(message: Message): Receipt {
    const { from, to, term, type } = message;
    const answer = (parts: Partial<Message>): void =>
      this.member.peers.network.send(messageOf({ from: to, to: from, term, ...parts }));
    this.commit = Math.max(this.commit, message.commit);
    if (type === MessageType.PRE_VOTE) answer({ type: MessageType.PRE_VOTE_RESP });
    else if (type === MessageType.VOTE) answer({ type: MessageType.VOTE_RESP });
    else if (type === MessageType.HEARTBEAT) {
      answer({ type: MessageType.HEARTBEAT_RESP, context: message.context });
    } else if (type === MessageType.APP && !this.isDeaf) {
      this.appends.push(message);
      const index = message.entries.at(-1)?.index ?? message.index;
      answer({ type: MessageType.APP_RESP, index });
    }
    return "taken";
  }
}

async function startCluster(
  t: TestContext,
  ids: { cluster: (id: bigint) => void },
  flags: readonly string[] = [],
) {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-peer-"));
  const names = ["one", "two", "three"];
  const ports = [await freePort(), await freePort(), await freePort()];
  const clientUrl = `http://127.0.0.1:${await freePort()}`;
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const memberIds = urls.map((url) => deriveMemberId([url], TOKEN, systemDigests));
  const clusterId = deriveClusterId(memberIds, systemDigests);
  ids.cluster(clusterId);
  const standIns: StandIn[] = [];
  for (const at of [1, 2]) {
    const id = memberIds[at] as bigint;
    const listenUrl = urls[at] as string;
    const member = await startTestMember(t, id, { listenUrl });
    member.handler.clusterId = clusterId;
    standIns.push(new StandIn(member));
    member.peers.network.add(memberIds[0] as bigint, [urls[0] as string]);
  }
  const initial = names.map((name, at) => `${name}=${urls[at]}`).join(",");
  const etcd = spawn(
    ETCD,
    [
      ...["--name", "one", "--data-dir", join(directory, "data"), "--pre-vote", ...flags],
      ...["--initial-cluster", initial, "--initial-cluster-token", TOKEN],
      ...["--listen-peer-urls", urls[0] as string],
      ...["--initial-advertise-peer-urls", urls[0] as string],
      ...["--listen-client-urls", clientUrl, "--advertise-client-urls", clientUrl],
    ],
    { stdio: "ignore" },
  );
  t.after(async () => {
    const over = new Promise((resolve) => etcd.once("exit", resolve));
    if (etcd.exitCode === null && etcd.kill("SIGKILL")) await over;
    rmSync(directory, { recursive: true, force: true });
  });
  return {
    etcd,
    etcdId: memberIds[0] as bigint,
    etcdUrl: urls[0] as string,
    clientUrl,
    standIns,
  };
}

async function etcdctl(clientUrl: string, ...parts: string[]): Promise<string> {
  const env = { ...process.env, ETCDCTL_API: "3" };
  const args = ["--endpoints", clientUrl, "--dial-timeout", "20s", "--command-timeout", "20s"];
  const { stdout } = await run("/usr/bin/etcdctl", [...args, ...parts], { env });
  return stdout.trim();
}

test("real etcd: leads by our votes, and its writes are committed by our acknowledgements (PE-01, PE-02, PE-03, PE-05, PE-06, PE-12, PE-30, PE-31, PE-32, PE-33, PE-34, PE-36, PE-39, PV-02, PV-04)", {
  skip: !existsSync(ETCD),
  timeout: 60_000,
}, async (t) => {
  let clusterId = 0n;
  const { clientUrl, etcdId, etcdUrl, standIns } = await startCluster(t, {
    cluster: (id) => {
      clusterId = id;
    },
  });
  assert.equal(await etcdctl(clientUrl, "put", "a", "1"), "OK");
  for (let at = 0; at < 20; at += 1) await etcdctl(clientUrl, "put", `key${at}`, "v".repeat(500));
  assert.equal(await etcdctl(clientUrl, "get", "a", "--print-value-only"), "1");

  const [first] = standIns as [StandIn, StandIn];
  for (const { appends, commit, member } of standIns) {
    const entries = appends.flatMap((append) => append.entries);
    assert.ok(entries.length >= 21, `${entries.length} entries`);
    assert.ok(commit >= 21, `commit ${commit}`);
    // By the streams, in order, as one log without a gap.
    const row = member.peers.measures()[0];
    assert.equal(row?.streams, 4);
    const indexes = [...new Set(entries.map((entry) => entry.index))];
    assert.deepEqual(
      indexes,
      [...indexes].sort((a, b) => a - b),
    );
    const values = entries.filter((entry) => entry.data.includes("v".repeat(500)));
    assert.equal(values.length, 20);
  }
  const versions = await first.member.peers.network.versions(etcdId);
  assert.match(versions.server, /^3\.4\./);
  const http = openHttpClient();
  t.after(() => http.close());
  const options = { http, timeoutMs: 2000 };
  const refused = "http://127.0.0.1:1";
  const cluster = await fetchCluster(options, [refused, etcdUrl]);
  assert.equal(cluster.clusterId, clusterId);
  assert.equal(cluster.members.length, 3);
  assert.deepEqual(cluster.members.find((member) => member.id === etcdId)?.peerUrls, [etcdUrl]);
  assert.equal((await fetchVersions(options, etcdUrl)).server, versions.server);
  await assert.rejects(fetchDowngradeEnabled(options, etcdUrl), /404/);
  await assert.rejects(fetchCluster(options, [refused]), /127\.0\.0\.1:1: connect ECONNREFUSED/);
});

/** Puts by the JSON gateway over a few kept connections: etcdctl would take a process for each. */
async function putMany(clientUrl: string, count: number): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const key = Buffer.from(`key${next++}`).toString("base64");
      const body = JSON.stringify({ key, value: key });
      const answer = await fetch(`${clientUrl}/v3/kv/put`, { method: "POST", body });
      assert.equal(answer.status, 200);
      await answer.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: 32 }, worker));
}

test("real etcd: a member that is far behind → its snapshot arrives as a store's file (PE-04, PE-36)", {
  skip: !existsSync(ETCD),
  timeout: 60_000,
}, async (t) => {
  const { clientUrl, standIns } = await startCluster(t, { cluster: () => {} }, [
    "--snapshot-count=100",
  ]);
  const [, late] = standIns as [StandIn, StandIn];
  late.isDeaf = true;
  const arrived = Promise.withResolvers<{ arrival: SnapshotArrival; file: Buffer }>();
  late.member.handler.onSnapshot = async (arrival) => {
    const chunks: Buffer[] = [];
    for await (const chunk of arrival.chunks) chunks.push(chunk);
    arrived.resolve({ arrival, file: Buffer.concat(chunks) });
  };
  // etcd 3.4 keeps 5 000 entries behind the last snapshot for whoever is late.
  await putMany(clientUrl, 5_300);
  const { arrival, file } = await arrived.promise;
  assert.equal(arrival.message.type, MessageType.SNAP);
  assert.equal(arrival.message.to, late.member.id);
  assert.ok((arrival.message.snapshot?.metadata.index ?? 0) > 5_000);
  assert.equal(arrival.message.snapshot?.metadata.confState.voters.length, 3);
  assert.equal(arrival.offset, 0);
  assert.equal(arrival.sha256(), undefined);
  // Page 0 of a bbolt file: its magic number behind a page header of 16 bytes.
  assert.equal(file.readUInt32LE(16), 0xed0c_daed);
  assert.equal(file.length % 4096, 0);
  assert.ok(file.includes("key1"));
});
