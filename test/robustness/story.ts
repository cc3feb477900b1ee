/**
 * What the cluster suites share: a cluster under load with a history, a watch on each member, and
 * the verdict after each fault.
 */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { Prng } from "../../src/base/index.ts";
import { METHODS } from "../harness/client.ts";
import { Cluster, type ClusterMember, type ClusterOptions } from "../harness/cluster.ts";
import { numberFromEnv, poll, UNDER_TEST } from "../harness/process.ts";
import { History } from "./history.ts";
import { Load } from "./load.ts";
import { readHistory, Watcher } from "./watcher.ts";

export const RUNS = numberFromEnv("ROBUSTNESS_RUNS", 1);
export const SEED = numberFromEnv("SEED", 1);
const WRITERS = 8;
const READERS = 4;
/** Writes before a fault, so that it meets a cluster at work, and after it, so that it got over. */
const WRITES_AROUND = 100;
const CATCH_UP_MS_MAX = 60_000;

export class Story {
  readonly cluster: Cluster;
  readonly history = new History();
  readonly random = new Prng(SEED);
  readonly load: Load;
  readonly #watchers = new Map<ClusterMember, Watcher>();
  /** Members that clients do not ask: learners, and those about to be removed. */
  readonly #hidden = new Set<ClusterMember>();

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.load = new Load({
      members: () => cluster.members.filter((member) => !this.#hidden.has(member)),
      history: this.history,
      random: this.random,
      writers: WRITERS,
      readers: READERS,
    });
    for (const member of cluster.members) this.watch(member);
  }

  hide(member: ClusterMember): void {
    this.#hidden.add(member);
  }

  reveal(member: ClusterMember): void {
    this.#hidden.delete(member);
  }

  /** From the beginning of what is not yet checked, so that its watch can be compared whole. */
  watch(member: ClusterMember): void {
    const from = this.history.checkedRevision + 1n;
    this.#watchers.set(member, new Watcher(member, from < 2n ? 2n : from));
  }

  unwatch(member: ClusterMember): void {
    this.#watchers.get(member)?.stop();
    this.#watchers.delete(member);
  }

  /** Before a fault: everyone is at work. */
  async warm(): Promise<void> {
    this.load.start();
    await this.load.acknowledged(WRITES_AROUND);
    this.load.resetGap();
  }

  /** After a fault, all members running: writes come through again, and nothing was lost. */
  async settle(what: string): Promise<void> {
    await this.load.acknowledged(WRITES_AROUND);
    await this.load.stop();
    assert.deepEqual(this.load.problems, [], `${what}: requests that failed`);
    assert.deepEqual(await this.check(), [], what);
  }

  /** Everything that is wrong now, with no request under way. */
  async check(): Promise<string[]> {
    const members = this.cluster.members;
    const revisions = await Promise.all(members.map((member) => revisionOf(member)));
    const revision = revisions.reduce((least, next) => (next < least ? next : least));
    const [first] = members;
    assert.ok(first !== undefined);
    const from = this.history.checkedRevision + 1n;
    const events = await readHistory(first, from < 2n ? 2n : from, revision);
    const problems: string[] = [];
    for (const [member, watcher] of this.#watchers) {
      const shown = (await watcher.take(revision)).map(lineOf);
      const wanted = events.map(lineOf);
      const at = wanted.findIndex((line, index) => shown[index] !== line);
      if (at < 0 && shown.length === wanted.length) continue;
      const place = at < 0 ? wanted.length : at;
      problems.push(
        `a watch on ${member.name}: event ${place} is "${shown[place]}", not "${wanted[place]}"`,
      );
    }
    problems.push(...this.history.check(events));
    problems.push(...(await this.#compareMembers(revision)));
    return problems;
  }

  /** HashKV and the list of members are the same wherever one asks. */
  async #compareMembers(revision: bigint): Promise<string[]> {
    const views = new Map<string, string[]>();
    for (const member of this.cluster.members) {
      const { hash, compactRevision } = await member.client.must(METHODS.hashKv, { revision });
      const { members } = await member.client.must(METHODS.memberList, { linearizable: true });
      const list = members.map(
        (other) => `${other.id.toString(16)} ${other.name} ${other.peerUrls} ${other.isLearner}`,
      );
      const view = `hash ${hash}, compacted ${compactRevision}, members ${list.join("; ")}`;
      views.set(view, [...(views.get(view) ?? []), member.name]);
      if (members.length !== this.cluster.members.length) {
        const names = this.cluster.members.map((other) => other.name);
        return [`${member.name} lists ${list.join("; ")}; the cluster is ${names.join(", ")}`];
      }
    }
    if (views.size === 1) return [];
    return [...views].map(
      ([view, names]) => `at revision ${revision} ${names.join(", ")}: ${view}`,
    );
  }

  async dispose(): Promise<void> {
    await this.load.abandon();
    for (const watcher of this.#watchers.values()) watcher.stop();
    await this.cluster.dispose();
    await Promise.all([...this.#watchers.values()].map((watcher) => watcher.ended));
  }
}

function lineOf(event: { revision: bigint; key: string; value: string | undefined }): string {
  return `${event.revision} ${event.key} ${event.value?.slice(0, 20)}`;
}

/** The revision of a linearizable read on this member: it has caught up with the cluster then. */
async function revisionOf(member: ClusterMember): Promise<bigint> {
  let revision = 0n;
  await poll(
    `a linearizable read on ${member.name}`,
    async () => {
      const request = { key: Buffer.from("x") };
      const answer = await member.client.call(METHODS.range, request, { deadlineMs: 2_000 });
      if (answer.ok) revision = answer.value.header?.revision ?? 0n;
      return answer.ok;
    },
    CATCH_UP_MS_MAX,
  );
  return revision;
}

/** A member's own pace is not to be waited for by the clock: these happen in turn. */
export async function tellStory(
  t: TestContext,
  options: Partial<ClusterOptions>,
  fault: (story: Story, run: number) => Promise<void>,
  runs = RUNS,
): Promise<void> {
  const story = new Story(await Cluster.start(UNDER_TEST, { members: 3, ...options }));
  try {
    for (let run = 0; run < runs; run += 1) {
      await story.warm();
      await fault(story, run);
      await story.settle(`run ${run}, seed ${SEED}`);
      t.diagnostic(
        `run ${run}: longest time without an acknowledged write ${story.load.gapMs | 0} ms`,
      );
    }
    const { acknowledgements, reads, retries } = story.load;
    t.diagnostic(`${acknowledgements} writes acknowledged, ${reads} reads, ${retries} retries`);
  } catch (error) {
    for (const member of story.cluster.members) {
      t.diagnostic(`${member.name}:\n${member.server.tail(15)}`);
    }
    throw error;
  } finally {
    await story.dispose();
  }
}
