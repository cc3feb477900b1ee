/**
 * `holdfast ctl` beside Debian's etcdctl 3.4 on the same cluster, in what concerns the cluster:
 * what they print in every format, and how they exit, is the same. Commands of the second API are
 * asked of etcd's own members, which have it.
 */
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { METHODS } from "../harness/client.ts";
import { Cluster, type ClusterMember } from "../harness/cluster.ts";
import { ctl } from "../harness/ctl.ts";
import {
  freePort,
  hasEtcd,
  poll,
  run,
  temporaryDirectory,
  UNDER_TEST,
} from "../harness/process.ts";

const skip = hasEtcd() ? false : "etcd and etcdctl are not installed";
const FORMATS = ["simple", "json", "fields", "protobuf", "table", "none"];
const HEALTHY_MS_MAX = 30_000;

interface Printed {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const SAME_ATTEMPTS_MAX = 3;

/** The client's log aside, and what differs from one run to the next. */
function mask({ code, stdout, stderr }: Printed): Printed {
  const plain = (text: string): string =>
    text
      .replace(/^\{"level":.*\n/gm, "")
      .replace(/\b\d+(\.\d+)?(ns|µs|ms|s)\b/g, "TIME")
      // The store's file may be growing between the two.
      .replace(/\b\d\d kB\b/g, "SIZE")
      .replace(/("dbSize(?:InUse)?":|"DBSize" : )\d+/g, "$1SIZE")
      .replace(/^(Error: .*)\n\1\n$/, "$1\n");
  return { code, stdout: plain(stdout), stderr: plain(stderr) };
}

async function theirs(endpoints: string, args: readonly string[], api = "3"): Promise<Printed> {
  const words = ["--endpoints", endpoints, ...args];
  return mask(await run("etcdctl", words, { env: { ETCDCTL_API: api } }));
}

async function ours(endpoints: string, args: readonly string[], api = "3"): Promise<Printed> {
  const words = ["--compat=3.4", "--endpoints", endpoints, ...args];
  return mask(await ctl(words, { env: { ETCDCTL_API: api } }));
}

/** Of lines whose order is chance. */
function sorted({ code, stdout, stderr }: Printed): Printed {
  const sort = (text: string): string => text.split("\n").sort().join("\n");
  return { code, stdout: sort(stdout), stderr: sort(stderr) };
}

async function same(
  endpoints: string,
  args: readonly string[],
  { api = "3", view = (printed: Printed): Printed => printed } = {},
): Promise<Printed> {
  for (let attempt = 1; ; attempt += 1) {
    const [their, our] = await Promise.all([
      theirs(endpoints, args, api),
      ours(endpoints, args, api),
    ]);
    // A commit of the store or an entry between the two answers changes sizes and indexes.
    const isSame = isDeepStrictEqual(view(our), view(their));
    if (!isSame && attempt < SAME_ATTEMPTS_MAX) continue;
    assert.deepEqual(view(our), view(their), args.join(" "));
    return our;
  }
}

async function sameInAllFormats(endpoints: string, args: readonly string[]): Promise<void> {
  await Promise.all(FORMATS.map((format) => same(endpoints, [...args, "-w", format])));
}

/** As `same`, one after the other: of two changes at once the cluster may refuse one (CL-10). */
async function sameRefusal(endpoints: string, args: readonly string[], api = "3"): Promise<void> {
  const their = await theirs(endpoints, args, api);
  const our = await ours(endpoints, args, api);
  assert.notEqual(their.code, 0, args.join(" "));
  assert.deepEqual(our, their, args.join(" "));
}

/** Two URLs of one member within a second would give it the same id. */
const FRESH = "<URL>";

async function withFreshUrl(args: readonly string[]): Promise<{ words: string[]; url: string }> {
  const url = `http://127.0.0.1:${await freePort()}`;
  return { words: args.map((arg) => arg.replace(FRESH, url)), url };
}

/** The same change by one program and then by the other, undone in between. */
async function sameChange(
  endpoints: string,
  args: readonly string[],
  { undo, api = "3" }: { undo: (text: string) => Promise<void>; api?: string },
): Promise<void> {
  const results: Printed[] = [];
  for (const program of [theirs, ours]) {
    let printed: Printed = { code: null, stdout: "", stderr: "" };
    const { words, url } = await withFreshUrl(args);
    await poll(
      `${args.join(" ")} of a healthy cluster`,
      async () => {
        printed = await program(endpoints, words, api);
        return !/unhealthy cluster|has no leader/.test(printed.stderr);
      },
      HEALTHY_MS_MAX,
    );
    await undo(printed.stdout);
    const plain = withoutIds(printed);
    results.push({ ...plain, stdout: plain.stdout.replaceAll(url, FRESH) });
  }
  assert.deepEqual(results[1], results[0], args.join(" "));
}

/** Ids of members that were added are made of the time, and so is their place among the others. */
function withoutIds({ code, stdout, stderr }: Printed): Printed {
  const plain = stdout
    // Filled up with blanks to 16 digits: one id in sixteen begins with a zero.
    .replace(/Member ( *[0-9a-f]+)(?= (added|updated|removed|to|in|from))/, (_, id: string) =>
      id.length === 16 ? "Member ID" : `Member of ${id.length}`,
    )
    .replace(/ID [0-9a-f]+(?= (added|updated|removed|to|in|from))/, "ID ID")
    .replace(/^Removed member [0-9a-f]+/, "Removed member ID")
    .replace(
      /"ID":\d+(?=,"peerURLs":\["http:\/\/127\.0\.0\.1:\d+"\](,"isLearner":true)?\})/g,
      '"ID":N',
    )
    .replace(/(?<=ETCD_INITIAL_CLUSTER=")[^"]*/, (list) => list.split(",").sort().join(","))
    .replace(/(?<="members":\[).*(?=\])/, (list) =>
      (list.match(/\{[^}]*\}/g) ?? []).sort().join(","),
    );
  return { code, stdout: plain, stderr };
}

function idIn(text: string): string {
  return /(?:Member +|with ID )([0-9a-f]+)/.exec(text)?.[1] ?? "";
}

describe("etcdctl's commands about a cluster", { skip, timeout: 120_000 }, () => {
  let cluster: Cluster;
  let leader: ClusterMember;
  let all: string;
  let one: string;

  before(async () => {
    const flags = UNDER_TEST === "etcd" ? [] : ["--compat", "3.4"];
    cluster = await Cluster.start(UNDER_TEST, { members: 3, flags });
    leader = await cluster.leader();
    all = cluster.addresses.join(",");
    one = cluster.member(0).address;
  });
  after(async () => {
    await cluster?.dispose();
  });

  test("CT-17 member list, CT-15 endpoint status, CT-16 endpoint hashkv: every format", async () => {
    await sameInAllFormats(one, ["member", "list"]);
    await sameInAllFormats(one, ["member", "list", "--hex"]);
    await sameInAllFormats(all, ["endpoint", "status"]);
    await sameInAllFormats(one, ["endpoint", "status", "--cluster"]);
    await sameInAllFormats(all, ["endpoint", "hashkv"]);
    await same(all, ["endpoint", "hashkv", "--rev", "1"]);
    const future = ["endpoint", "hashkv", "--rev", "100"];
    await same(one, future);
  });

  test("CT-14 endpoint health: every format, in any order", async () => {
    for (const format of ["simple", "json", "fields"]) {
      await same(one, ["endpoint", "health", "-w", format]);
    }
    await same(all, ["endpoint", "health"], { view: sorted });
    // How wide a column is depends on how long an answer took.
    const shape = ({ stdout, ...rest }: Printed): Printed => ({
      ...rest,
      stdout: stdout.replace(/-+/g, "-").replace(/ +/g, " "),
    });
    await same(one, ["endpoint", "health", "-w", "table"], { view: shape });
  });

  test("CT-13 alarm list, disarm: with and without an alarm", async () => {
    await cluster.member(0).client.must(METHODS.alarm, {
      action: 1,
      memberId: await leader.id(),
      alarm: 1,
    });
    for (const format of ["simple", "json", "protobuf", "table"]) {
      await same(one, ["alarm", "list", "-w", format]);
    }
    await same(all, ["endpoint", "health"], { view: sorted });
    await same(all, ["endpoint", "status"]);
    const raise = async (): Promise<void> => {
      const memberId = await leader.id();
      await leader.client.must(METHODS.alarm, { action: 1, memberId, alarm: 1 });
    };
    for (const format of ["simple", "json"]) {
      await sameChange(one, ["alarm", "disarm", "-w", format], { undo: raise });
    }
    await ours(one, ["alarm", "disarm"]);
    await same(one, ["alarm", "disarm"]);
    await same(one, ["alarm", "list"]);
  });

  test("CT-18 CT-19 member add, update, promote, remove: every format", async () => {
    const add = ["member", "add", "x", "--peer-urls", FRESH, "--learner"];
    const members = async (): Promise<string> => (await ours(one, ["member", "list"])).stdout;
    const added = async (): Promise<string> =>
      /^ ?([0-9a-f]+), unstarted/m.exec(await members())?.[1] ?? "";
    const removeAdded = async (): Promise<void> => {
      await ours(one, ["member", "remove", await added()]);
    };
    for (const format of ["simple", "json", "table"]) {
      await sameChange(one, [...add, "-w", format], { undo: removeAdded });
    }
    const addOne = async (): Promise<void> => {
      await ours(one, (await withFreshUrl(add)).words);
    };
    await addOne();
    const id = await added();
    await same(one, ["member", "list"]);
    await same(one, ["member", "list", "-w", "table"]);
    await sameRefusal(one, ["member", "promote", id]);
    await sameRefusal(one, ["member", "promote", "1234"]);
    for (const format of ["simple", "json", "protobuf"]) {
      const update = ["member", "update", id, "--peer-urls", FRESH, "-w", format];
      await sameChange(one, update, { undo: async () => undefined });
    }
    await removeAdded();
    for (const format of ["simple", "json"]) {
      // Each removes a member of its own.
      const results = [];
      for (const program of [theirs, ours]) {
        await addOne();
        results.push(
          withoutIds(await program(one, ["member", "remove", await added(), "-w", format])),
        );
      }
      assert.deepEqual(results[1], results[0]);
    }
    await sameRefusal(one, ["member", "remove", id]);
    const taken = cluster.member(1).peerUrl;
    await sameRefusal(one, ["member", "add", "z", "--peer-urls", taken]);
    await sameRefusal(one, ["member", "add", "z", "--peer-urls", "bad"]);
  });

  test("CT-21 move-leader: to another member and back, and all that is refused", async () => {
    const follower = (await cluster.followers())[0] as ClusterMember;
    const id = (await follower.id()).toString(16);
    const leaderId = (await leader.id()).toString(16);
    const back = async (): Promise<void> => cluster.moveLeader(leader);
    await sameChange(all, ["move-leader", id], { undo: back });
    await sameChange(all, ["move-leader", id, "-w", "json"], { undo: back });
    await sameRefusal(follower.address, ["move-leader", id]);
    await sameRefusal(all, ["move-leader", "123"]);
    await same(all, ["move-leader", leaderId]);
    assert.equal((await cluster.leader()).name, leader.name);
  });

  test("CT-12 defrag, CT-20 snapshot save: the same lines, and a file that etcdctl takes", async () => {
    await same(all, ["defrag"]);
    await same(one, ["defrag", "--cluster"]);
    const directory = temporaryDirectory("ctl-snapshot");
    const path = join(directory, "ours.db");
    const printed = await ours(one, ["snapshot", "save", path]);
    assert.deepEqual(printed, { code: 0, stdout: `Snapshot saved at ${path}\n`, stderr: "" });
    assert.equal(statSync(path).mode & 0o777, 0o600);
    await theirs(one, ["snapshot", "save", join(directory, "theirs.db")]);
    const status = async (name: string): Promise<Printed> =>
      await theirs(one, ["snapshot", "status", join(directory, name), "-w", "json"]);
    assert.deepEqual(await status("ours.db"), await status("theirs.db"));
    assert.throws(() => readFileSync(`${path}.part`), { code: "ENOENT" });
    await same(one, ["snapshot", "save", "/nowhere/x.db"]);
    await same(all, ["snapshot", "save", path]);
  });

  test("CT-12 CT-14 CT-15 CT-16 CT-17: an endpoint where nobody listens", async () => {
    const dead = `127.0.0.1:${await freePort()}`;
    const short = ["--command-timeout", "300ms"];
    for (const command of [
      ["endpoint", "status"],
      ["endpoint", "status", "-w", "json"],
      ["endpoint", "status", "-w", "table"],
      ["endpoint", "health"],
      ["endpoint", "health", "-w", "json"],
      ["endpoint", "hashkv"],
      ["defrag"],
      ["member", "list"],
      ["endpoint", "status", "--cluster"],
    ]) {
      const took = ({ stdout, ...rest }: Printed): Printed => ({
        ...rest,
        stdout: stdout.replace(/"took":"[^"]*"/, '"took":"TIME"'),
      });
      await same(dead, [...short, ...command], { view: took });
    }
    await same(`${one},${dead}`, [...short, "endpoint", "status"]);
  });

  test("CT-12 to CT-21 CT-29: what cannot be read is refused in the same words", async () => {
    const wrong = [
      "member remove",
      "member remove xyz",
      "member remove 10000000000000000",
      "member add",
      "member add a b",
      "member add a http://b:1",
      "member add a",
      "member update",
      "member update zz",
      "member update 12",
      "member promote",
      "member promote zz",
      "move-leader",
      "move-leader zz",
      "alarm list x",
      "alarm disarm x",
    ];
    await Promise.all(wrong.map((line) => same(one, line.split(" "))));
  });

  test("CT-28 make-mirror, CT-25 CT-26 check: refused arguments", async () => {
    await same(one, ["make-mirror"]);
    await same(one, ["check", "perf", "--load", "huge"]);
    await same(one, ["check", "datascale", "--load", "huge"]);
  });
});

describe("etcdctl's commands of the second API", { skip, timeout: 120_000 }, () => {
  let cluster: Cluster;
  let one: string;
  const v2 = { api: "2" };

  before(async () => {
    cluster = await Cluster.start("etcd", { members: 3, flags: ["--enable-v2"] });
    await cluster.leader();
    one = cluster.member(0).clientUrl;
  });
  after(async () => {
    await cluster?.dispose();
  });

  test("cluster-health, member list: plain and with --debug (EQ-d2)", async () => {
    await same(one, ["cluster-health"], v2);
    await same(one, ["--debug", "cluster-health"], v2);
    await same(one, ["member", "list"], v2);
    await same(one, ["--no-sync", "--debug", "member", "list"], v2);
  });

  test("member add, update, remove: the same lines, refusals among them", async () => {
    let added = "";
    const remove = async (text: string): Promise<void> => {
      added = idIn(text);
      assert.notEqual(added, "", text);
      const answer = await theirs(one, ["member", "remove", added], "2");
      assert.equal(answer.code, 0, answer.stderr);
    };
    await sameChange(one, ["member", "add", "x", FRESH], { ...v2, undo: remove });
    for (const words of [
      ["add", "y", cluster.member(1).peerUrl],
      ["add", "y"],
      ["add", "y", "bad"],
      ["remove"],
      ["remove", added],
      ["remove", "123"],
      ["update"],
      ["update", "123", "http://127.0.0.1:20001"],
    ]) {
      await sameRefusal(one, ["member", ...words], "2");
    }
    const { words } = await withFreshUrl(["member", "add", "x", FRESH]);
    const { stdout } = await ours(one, words, "2");
    added = idIn(stdout);
    await same(one, ["member", "list"], v2);
    await same(one, ["cluster-health"], v2);
    const update = ["member", "update", added, "http://127.0.0.1:20001"];
    await sameChange(one, update, { ...v2, undo: async () => undefined });
    await same(one, ["member", "list"], v2);
    assert.deepEqual(await ours(one, ["member", "remove", added], "2"), {
      code: 0,
      stdout: `Removed member ${added} from cluster\n`,
      stderr: "",
    });
  });

  test("cluster-health: one down, two down, all down → degraded, unavailable, not listed (EQ-d2)", async () => {
    await cluster.member(2).kill();
    await same(one, ["cluster-health"], v2);
    await cluster.member(1).kill();
    const { client } = cluster.member(0);
    await poll(
      "no leader",
      async () => (await client.must(METHODS.status, {})).leader === 0n,
      20_000,
    );
    await same(one, ["cluster-health"], v2);
    await cluster.member(0).kill();
    await same(one, ["cluster-health"], v2);
    await same(one, ["member", "list"], v2);
  });
});
