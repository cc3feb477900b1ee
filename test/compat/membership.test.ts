/**
 * The same changes of the membership asked of three members of etcd and of three of Holdfast: the
 * same answers, codes and texts. Where 3.7 differs from 3.4 on purpose, the last tests say how.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { type Answer, METHODS, type TestClient } from "../harness/client.ts";
import { Cluster, type ClusterMember } from "../harness/cluster.ts";
import type * as m from "../harness/messages.ts";
import { hasEtcd, type Kind, poll } from "../harness/process.ts";

const skip = hasEtcd() ? false : "etcd is not installed";
/** Nothing listens there. */
const NEW_URL = "http://127.0.0.1:20001";
const OTHER_URL = "http://127.0.0.1:20002";
/** A URL that was removed in this second would give the id that was removed. */
let freshPort = 20_100;
const freshUrl = () => `http://127.0.0.1:${(freshPort += 1)}`;
const UNHEALTHY = "14 etcdserver: unhealthy cluster";
const UNKNOWN_ID = 0x1234n;

/** A cluster whose answers are told with names in place of ids and addresses. */
class Side {
  readonly cluster: Cluster;
  readonly lines: string[] = [];
  /** Who leads differs from run to run, so members are told by role. */
  readonly #roles = new Map<string, string>();
  readonly #urlNames = new Map<string, string>();

  private constructor(cluster: Cluster, leader: ClusterMember) {
    this.cluster = cluster;
    for (const member of cluster.members) {
      const role = member === leader ? "leader" : "follower";
      this.#roles.set(member.name, role);
      this.#urlNames.set(member.peerUrl, `url-of-${role}`);
    }
  }

  static async start(kind: Kind): Promise<Side> {
    const flags = kind === "holdfast" ? ["--compat", "3.4"] : [];
    const cluster = await Cluster.start(kind, { members: 3, flags });
    return new Side(cluster, await cluster.leader());
  }

  #list(members: readonly m.Member[]): string {
    const rows = members.map(({ name, peerUrls, isLearner }) => {
      const urls = peerUrls.map((url) => this.#urlNames.get(url) ?? "new-url");
      return `${this.#roles.get(name) ?? "unstarted"}${isLearner ? "(learner)" : ""}=${urls.join("+")}`;
    });
    return rows.sort().join(" ");
  }

  #show(answer: Answer<object>): string {
    if (!answer.ok) return `${answer.refusal.code} ${answer.refusal.message}`;
    const { members = [] } = answer.value as { members?: readonly m.Member[] };
    return `ok ${this.#list(members)}`;
  }

  note(what: string, answer: Answer<object>): void {
    this.lines.push(`${what}: ${this.#show(answer)}`);
  }

  /** Asks again while members have not been connected for as long as changes want it. */
  async noteOnceHealthy<T extends object>(what: string, ask: () => Promise<Answer<T>>): Promise<T> {
    let answer = await ask();
    await poll(
      `${what} of a healthy cluster`,
      async () => {
        if (!answer.ok && this.#show(answer) === UNHEALTHY) answer = await ask();
        return answer.ok || this.#show(answer) !== UNHEALTHY;
      },
      20_000,
    );
    this.note(what, answer);
    if (!answer.ok) throw new Error(`${what}: ${answer.refusal.message}`);
    return answer.value;
  }
}

/** A member added at run time has its id from its URLs and the second it was added in (ID-01). */
function isRuntimeId(id: bigint, url: string, fromSeconds: number, toSeconds: number): boolean {
  for (let at = fromSeconds; at <= toSeconds; at += 1) {
    const digest = createHash("sha1").update(`${url}${at}`).digest();
    if (digest.readBigUInt64BE(0) === id) return true;
  }
  return false;
}

const nowSeconds = () => Math.floor(Date.now() / 1000);

async function refusedUrls(side: Side, client: TestClient): Promise<void> {
  const bad = [[], ["bad"], ["ftp://a:1"], ["http://a"], ["http://a:1/path"], [NEW_URL, "http://"]];
  for (const peerUrls of bad) {
    side.note(`add [${peerUrls}]`, await client.call(METHODS.memberAdd, { peerUrls }));
  }
}

/** A learner that never starts, and all that cannot be done with it there. */
async function learnerConflicts(side: Side, asked: ClusterMember[]): Promise<bigint> {
  const [leader] = asked as [ClusterMember];
  const before = nowSeconds();
  const added = await side.noteOnceHealthy("add learner", () =>
    leader.client.call(METHODS.memberAdd, { peerUrls: [NEW_URL], isLearner: true }),
  );
  const id = added.member?.id ?? 0n;
  assert.ok(isRuntimeId(id, NEW_URL, before - 1, nowSeconds() + 1), "the learner's id");
  for (const { client, name } of asked) {
    const role = name === leader.name ? "leader" : "follower";
    const another = { peerUrls: [OTHER_URL], isLearner: true };
    side.note(`second learner, ${role}`, await client.call(METHODS.memberAdd, another));
    const same = { peerUrls: [OTHER_URL, NEW_URL] };
    side.note(`same URL, ${role}`, await client.call(METHODS.memberAdd, same));
    side.note(`promote it, ${role}`, await client.call(METHODS.memberPromote, { id }));
    const voter = await leader.id();
    side.note(`promote voter, ${role}`, await client.call(METHODS.memberPromote, { id: voter }));
    const unknown = { id: UNKNOWN_ID };
    side.note(`promote unknown, ${role}`, await client.call(METHODS.memberPromote, unknown));
  }
  return id;
}

async function updates(side: Side, client: TestClient, ids: readonly bigint[]): Promise<void> {
  const [first = 0n, , thirdUrlOwner = 0n] = ids;
  const { members } = await client.must(METHODS.memberList, { linearizable: true });
  const taken = members.find(({ id }) => id === thirdUrlOwner)?.peerUrls ?? [];
  const own = members.find(({ id }) => id === first)?.peerUrls ?? [];
  const update = async (what: string, id: bigint, peerUrls: string[]) =>
    side.note(what, await client.call(METHODS.memberUpdate, { id, peerUrls }));
  await update("update unknown", UNKNOWN_ID, [OTHER_URL]);
  await update("update to another's URL", first, taken);
  await update("update to its own URL", first, own);
}

async function removals(side: Side, client: TestClient, learner: bigint): Promise<void> {
  const remove = async (what: string, id: bigint) =>
    side.note(what, await client.call(METHODS.memberRemove, { id }));
  await remove("remove unknown", UNKNOWN_ID);
  await remove("remove learner", learner);
  await remove("remove learner again", learner);
  const promoted = await client.call(METHODS.memberPromote, { id: learner });
  side.note("promote removed", promoted);
}

async function transfers(side: Side, asked: ClusterMember[]): Promise<void> {
  const [leader, follower] = asked as [ClusterMember, ClusterMember];
  const move = async (what: string, member: ClusterMember, targetId: bigint) =>
    side.note(what, await member.client.call(METHODS.moveLeader, { targetId }));
  await move("move, asked of a follower", follower, await follower.id());
  await move("move to unknown", leader, UNKNOWN_ID);
  await move("move to itself", leader, await leader.id());
}

/** A voter that never starts, then one that went down. */
async function strictChecks(side: Side, asked: ClusterMember[]): Promise<void> {
  const [leader, follower, down] = asked as [ClusterMember, ClusterMember, ClusterMember];
  const { client } = leader;
  const [liveId, downId] = [await follower.id(), await down.id()];
  const added = await side.noteOnceHealthy("add voter", () =>
    client.call(METHODS.memberAdd, { peerUrls: [freshUrl()] }),
  );
  const id = added.member?.id ?? 0n;
  side.note("remove voter that never started", await client.call(METHODS.memberRemove, { id }));
  await down.kill();
  // Asked with a learner: a voter that is let in before the leader notices makes four voters, of
  // which two live, and nothing could be removed any more.
  await poll("the leader notices", async () => {
    const asLearner = { peerUrls: [freshUrl()], isLearner: true };
    const answer = await client.call(METHODS.memberAdd, asLearner);
    if (!answer.ok) return answer.refusal.message.includes("unhealthy");
    await client.must(METHODS.memberRemove, { id: answer.value.member?.id ?? 0n });
    return false;
  });
  const one = { peerUrls: [freshUrl()] };
  side.note("add voter with one down", await client.call(METHODS.memberAdd, one));
  side.note(
    "add learner with one down",
    await client.call(METHODS.memberAdd, { ...one, isLearner: true }),
  );
  side.note("remove live one", await client.call(METHODS.memberRemove, { id: liveId }));
  side.note("remove the one down", await client.call(METHODS.memberRemove, { id: downId }));
}

async function story(side: Side): Promise<void> {
  const leader = await side.cluster.leader();
  const asked = [leader, ...(await side.cluster.followers())];
  const ids = await Promise.all(asked.map((member) => member.id()));
  await refusedUrls(side, leader.client);
  const learner = await learnerConflicts(side, asked.slice(0, 2));
  await updates(side, leader.client, ids);
  await removals(side, leader.client, learner);
  await transfers(side, asked);
  await strictChecks(side, asked);
}

/** The same asked of both; their answers, etcd's first. */
async function bothTold(ask: (side: Side) => Promise<void>): Promise<[string[], string[]]> {
  const told = async (kind: Kind) => {
    const side = await Side.start(kind);
    try {
      await ask(side);
      return side.lines;
    } finally {
      await side.cluster.dispose();
    }
  };
  return await Promise.all([told("etcd"), told("holdfast")]);
}

const options = { skip, timeout: 90_000 };

test(
  "membership: the same conflicts (CL-01 CL-02 CL-03 CL-04 CL-05 CL-08 MA-08 ID-01)",
  options,
  async () => {
    const [etcd, holdfast] = await bothTold(story);
    assert.deepEqual(holdfast, etcd);
    assert.ok(etcd.length > 25);
  },
);

test("membership: what differs from etcd 3.4 on purpose (CL-02, CL-06)", options, async () => {
  const [etcd, holdfast] = await bothTold(async (side) => {
    const { client } = await side.cluster.leader();
    const learner = await side.noteOnceHealthy("add learner", () =>
      client.call(METHODS.memberAdd, { peerUrls: [freshUrl()], isLearner: true }),
    );
    const id = learner.member?.id ?? 0n;
    const moved = { id, peerUrls: [freshUrl()] };
    side.note("update learner", await client.call(METHODS.memberUpdate, moved));
    await client.must(METHODS.memberRemove, { id });
    await side.noteOnceHealthy("add voter", () =>
      client.call(METHODS.memberAdd, { peerUrls: [freshUrl()] }),
    );
    const second = { peerUrls: [freshUrl()] };
    side.note("add second voter", await client.call(METHODS.memberAdd, second));
  });
  const three = "follower=url-of-follower follower=url-of-follower leader=url-of-leader";
  const added = `add learner: ok ${three} unstarted(learner)=new-url`;
  const voter = `add voter: ok ${three} unstarted=new-url`;
  assert.deepEqual(holdfast, [
    added,
    `update learner: ok ${three} unstarted(learner)=new-url`,
    voter,
    `add second voter: ok ${three} unstarted=new-url unstarted=new-url`,
  ]);
  // The consensus goes on taking it for a learner, the list does not.
  const shownAsVoter = `update learner: ok ${three} unstarted=new-url`;
  assert.deepEqual(etcd, [added, shownAsVoter, voter, `add second voter: ${UNHEALTHY}`]);
});
