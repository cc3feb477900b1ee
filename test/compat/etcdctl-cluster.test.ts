/**
 * etcdctl 3.4 as it comes from Debian on three members of etcd, then on three of Holdfast at the
 * same addresses: the same flags give the same ids, the same history gives the same hashes, and
 * every command prints the same, times and sizes and who leads aside.
 */
import assert from "node:assert/strict";
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { METHODS } from "../harness/client.ts";
import { Cluster, type ClusterMember } from "../harness/cluster.ts";
import { SamePlaces } from "../harness/network.ts";
import {
  freePort,
  hasEtcd,
  type Kind,
  poll,
  run,
  temporaryDirectory,
  UNDER_TEST,
} from "../harness/process.ts";

const skip = hasEtcd() ? false : "etcd and etcdctl are not installed";

/** What one cluster showed, by the name of the step. */
interface Account {
  readonly ids: unknown;
  readonly hashes: string[];
  readonly printed: Map<string, string>;
}

/** Runs etcdctl on a cluster, and keeps what it printed under the command's own words. */
class Teller {
  readonly printed = new Map<string, string>();
  readonly #cluster: Cluster;
  readonly #names: [string, string][] = [];

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** From now on this is shown as `name`: what chance decided differs between two clusters. */
  call(text: string, name: string): void {
    this.#names.push([text, name]);
  }

  forget(): void {
    this.#names.length = 0;
  }

  mask(text: string): string {
    let out = text.replace(/^\{"level":.*\n/gm, "");
    for (const [found, name] of this.#names) {
      // A random id of fewer than 16 digits is filled up with blanks in some lines (`%16x`).
      const blanks = " ".repeat(/^[0-9a-f]{1,15}$/.test(found) ? 16 - found.length : 0);
      out = out.replaceAll(blanks + found, name).replaceAll(found, name);
    }
    return out
      .replace(/(ETCD_INITIAL_CLUSTER=")([^"]*)/, (_, name: string, list: string) => {
        // In the order of ids, of which one is new each time.
        return name + list.split(",").sort().join(",");
      })
      .replace(/\b\d+(\.\d+)?(ns|µs|ms|s)\b/g, "TIME")
      .replace(/\b[0-9.]+ [kM]?B\b/g, "SIZE")
      .replace(
        /"(raft_term|dbSize|dbSizeInUse|raftIndex|raftTerm|raftAppliedIndex)":\d+/g,
        '"$1":N',
      );
  }

  async run(args: readonly string[], at?: ClusterMember): Promise<string> {
    const endpoints = at === undefined ? this.#cluster.addresses.join(",") : at.address;
    const all = ["--endpoints", endpoints, ...args];
    const { code, stdout, stderr } = await run("etcdctl", all, { env: { ETCDCTL_API: "3" } });
    return `${stdout}${stderr}exit ${code}\n`;
  }

  async tell(args: readonly string[], at?: ClusterMember): Promise<string> {
    const text = this.mask(await this.run(args, at));
    this.printed.set(`${this.printed.size} ${this.mask(args.join(" "))}`, text);
    return text;
  }

  /** Until it succeeds: some changes need members that were healthy for five seconds. */
  async tellUntilDone(args: readonly string[]): Promise<string> {
    let text = "";
    await poll(
      `etcdctl ${args.join(" ")}`,
      async () => {
        text = await this.run(args);
        return text.endsWith("exit 0\n");
      },
      30_000,
    );
    const [, id] = /^Member +([0-9a-f]+) /m.exec(text) ?? [];
    if (args[1] === "add" && id !== undefined) this.call(id, "ADDED");
    this.printed.set(`${this.printed.size} ${this.mask(args.join(" "))}`, this.mask(text));
    return id ?? "";
  }
}

/** The same changes on any cluster; lines of hashes at each revision, which must agree inside. */
async function makeHistory(cluster: Cluster): Promise<string[]> {
  const at = (index: number) => cluster.member(index % 3).client;
  for (let i = 0; i < 40; i += 1) {
    const key = Buffer.from(`k${i % 7}`);
    if (i % 5 === 4) await at(i).must(METHODS.deleteRange, { key });
    else await at(i).must(METHODS.put, { key, value: Buffer.from(`value ${i}`) });
  }
  const put = (name: string) => ({ put: { key: Buffer.from(name), value: Buffer.from("txn") } });
  await at(1).must(METHODS.txn, { success: [put("t/1"), put("t/2")] });
  await at(2).must(METHODS.leaseGrant, { id: 77n, ttl: 600n });
  await at(0).must(METHODS.put, { key: Buffer.from("leased"), lease: 77n });
  await at(1).must(METHODS.leaseRevoke, { id: 77n });
  await at(2).must(METHODS.compact, { revision: 20n, physical: true });
  const lines: string[] = [];
  for (const revision of [21n, 30n, 0n]) {
    const views = await Promise.all(
      cluster.members.map(async ({ client }) => {
        // A follower may be a moment behind; a linearizable read waits for it.
        await client.must(METHODS.range, { key: Buffer.from("k1") });
        const { hash, compactRevision } = await client.must(METHODS.hashKv, { revision });
        return `${revision}: ${hash}, compacted ${compactRevision}`;
      }),
    );
    assert.equal(new Set(views).size, 1, `members disagree: ${views.join("; ")}`);
    lines.push(views[0] ?? "");
  }
  return lines;
}

async function idsOf(cluster: Cluster): Promise<unknown> {
  const { header, members } = await cluster
    .member(0)
    .client.must(METHODS.memberList, { linearizable: true });
  const list = members.map(({ id, name, peerUrls, clientUrls }) => {
    return `${id.toString(16)} ${name} ${peerUrls} ${clientUrls}`;
  });
  return { cluster: header?.clusterId.toString(16), list };
}

function sortLines(text: string): string {
  return text.split("\n").sort().join("\n");
}

async function tellStatus(teller: Teller, leader: ClusterMember): Promise<void> {
  await teller.tell(["member", "list"]);
  await teller.tell(["member", "list", "-w", "table"]);
  // Ids and addresses are the same on both sides, which header answers is not.
  for (const format of ["json", "fields"]) {
    const text = await teller.run(["member", "list", "-w", format], leader);
    const shown = text.replace(
      /("member_id":|"MemberID" : |"raft_term":|"RaftTerm" : )\d+/g,
      "$1N",
    );
    teller.printed.set(`member list ${format}`, shown);
  }
  const status = await teller.run(["endpoint", "status", "--cluster"], leader);
  const rows = status.split("\n").filter((line) => line.startsWith("http"));
  assert.equal(rows.filter((row) => row.split(", ")[4] === "true").length, 1, "one leader");
  const columns = rows.map((row) => row.split(", "));
  const shown = columns.map(([url, id, version, , , isLearner, , , , ...errors]) => {
    return [url, id, version, isLearner, ...errors].join(", ");
  });
  teller.printed.set("endpoint status", sortLines(shown.join("\n")));
  const health = teller.mask(await teller.run(["endpoint", "health", "--cluster"], leader));
  teller.printed.set("endpoint health", sortLines(health));
  const hashes = await teller.run(["endpoint", "hashkv", "--cluster"], leader);
  assert.equal(new Set(hashes.match(/, \d+$/gm)).size, 1, `HashKV differs:\n${hashes}`);
  teller.printed.set("endpoint hashkv", hashes);
}

/** Who leads is chance: before each step the leader is called LEADER and another one OTHER. */
async function tellMoves(teller: Teller, cluster: Cluster): Promise<void> {
  const leader = await cluster.leader();
  const [other] = cluster.members.filter((member) => member !== leader);
  assert.ok(other !== undefined);
  const id = (await other.id()).toString(16);
  teller.call((await leader.id()).toString(16), "LEADER");
  teller.call(id, "OTHER");
  teller.call(other.address, "ENDPOINT");
  await teller.tell(["move-leader", id], other);
  await teller.tell(["move-leader", id]);
  await teller.tell(["move-leader", "123"]);
  assert.equal(await cluster.leader(), other, "leadership did not move");
  teller.forget();
}

async function tellMembership(
  teller: Teller,
  taken: string,
  urls: readonly string[],
): Promise<void> {
  const [first = "", second = ""] = urls;
  const id = await teller.tellUntilDone(["member", "add", "x", "--peer-urls", first, "--learner"]);
  await teller.tell(["member", "add", "y", "--peer-urls", second, "--learner"]);
  await teller.tell(["member", "add", "z", "--peer-urls", taken]);
  // The place of a random id among the others is chance.
  teller.printed.set(
    "list with a learner",
    sortLines(teller.mask(await teller.run(["member", "list"]))),
  );
  await teller.tell(["member", "promote", id]);
  await teller.tell(["member", "promote", "1234"]);
  await teller.tell(["member", "update", id, "--peer-urls", second]);
  await teller.tell(["member", "update", "1234", "--peer-urls", second]);
  // etcd's list forgets with this change that the member is a learner, its consensus does not.
  const updated = sortLines(teller.mask(await teller.run(["member", "list"])));
  teller.printed.set("list updated", updated.replace(/^(ADDED.*), (true|false)$/m, "$1"));
  await teller.tell(["member", "remove", id]);
  await teller.tell(["member", "remove", id]);
  await teller.tell(["member", "remove", "1234"]);
  await teller.tell(["member", "list"]);
}

async function tellSnapshot(teller: Teller, cluster: Cluster): Promise<void> {
  const path = join(temporaryDirectory("snapshot"), "snapshot.db");
  teller.call(path, "FILE");
  await teller.tell(["snapshot", "save", path]);
  const [member] = cluster.members;
  assert.ok(member !== undefined);
  await teller.tell(["snapshot", "save", path], member);
  assert.ok(statSync(path).size > 0);
  const status = await run("etcdctl", ["snapshot", "status", path, "-w", "json"], {
    env: { ETCDCTL_API: "3" },
  });
  const { revision } = JSON.parse(status.stdout) as { revision: number };
  teller.printed.set("snapshot status", `revision ${revision}, exit ${status.code}`);
  rmSync(path);
}

async function account(
  kind: Kind,
  network: SamePlaces | undefined,
  urls: readonly string[],
): Promise<{ account: Account; places: SamePlaces }> {
  const flags = kind === "holdfast" ? ["--compat", "3.4"] : [];
  const cluster = await Cluster.start(kind, {
    members: 3,
    token: "same-token",
    flags,
    ...(network === undefined ? {} : { network }),
  });
  try {
    const ids = await idsOf(cluster);
    const hashes = await makeHistory(cluster);
    const teller = new Teller(cluster);
    await tellStatus(teller, await cluster.leader());
    await tellMoves(teller, cluster);
    await tellMembership(teller, cluster.member(0).peerUrl, urls);
    await tellSnapshot(teller, cluster);
    const places = new SamePlaces(cluster.members.map((member) => member.place));
    return { account: { ids, hashes, printed: teller.printed }, places };
  } finally {
    await cluster.dispose();
  }
}

describe("etcdctl on a cluster", { skip }, () => {
  let theirs: Account;
  let ours: Account;

  before(async () => {
    const urls = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
    const etcd = await account("etcd", undefined, urls);
    theirs = etcd.account;
    ours = (await account(UNDER_TEST, etcd.places, urls)).account;
  });

  test("cluster: the same flags → the ids of members and cluster are etcd's (ID-01 ID-02 ID-04)", () => {
    assert.deepEqual(ours.ids, theirs.ids);
  });

  test("cluster: the same history → HashKV is etcd's on every member (MA-06)", () => {
    assert.deepEqual(ours.hashes, theirs.hashes);
  });

  test("etcdctl: member, endpoint, move-leader and snapshot → what etcd makes it print (CL-01 CL-06 CL-07 MA-08)", () => {
    assert.deepEqual([...ours.printed.keys()], [...theirs.printed.keys()]);
    for (const [step, text] of theirs.printed) assert.equal(ours.printed.get(step), text, step);
  });
});
