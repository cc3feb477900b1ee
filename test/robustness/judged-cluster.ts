/**
 * Real members with traffic on them, somebody on each who is shown everything, and the verdict on
 * what all of them were told.
 */
import type { Prng } from "../../src/base/index.ts";
import { METHODS } from "../harness/client.ts";
import type { Cluster, ClusterMember } from "../harness/cluster.ts";
import { poll } from "../harness/process.ts";
import type { Problem } from "../model/history.ts";
import type { Profile } from "../model/profiles.ts";
import type { StoreContent } from "../model/store-checks.ts";
import { Traffic } from "../model/traffic.ts";
import { judge } from "../model/verdict.ts";
import { Chronicler, chronicleOf } from "./chronicler.ts";
import { pairOf, ProcessEndpoint } from "./process-endpoint.ts";

const CATCH_UP_MS_MAX = 60_000;
const SHOWN_MS_MAX = 30_000;

export class JudgedCluster {
  readonly cluster: Cluster;
  readonly traffic: Traffic;
  /** Members that clients do not ask: learners, and those about to be removed. */
  readonly #hidden = new Set<ClusterMember>();
  readonly #chroniclers = new Map<ClusterMember, Chronicler>();

  constructor(cluster: Cluster, profile: Profile, prng: Prng) {
    this.cluster = cluster;
    const world = {
      endpoints: () =>
        cluster.running
          .filter((member) => !this.#hidden.has(member))
          .map((member) => new ProcessEndpoint(member)),
      sleep: (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms)),
      nowMs: () => performance.now(),
    };
    this.traffic = new Traffic(world, profile, prng);
    for (const member of cluster.members) this.watch(member);
  }

  hide(member: ClusterMember): void {
    this.#hidden.add(member);
  }

  reveal(member: ClusterMember): void {
    this.#hidden.delete(member);
  }

  /** From the beginning, so that what it is shown can be compared whole. */
  watch(member: ClusterMember): void {
    const { recorder } = this.traffic.side;
    this.#chroniclers.set(member, new Chronicler(new ProcessEndpoint(member), recorder));
  }

  unwatch(member: ClusterMember): void {
    this.#chroniclers.get(member)?.drop();
    this.#chroniclers.delete(member);
  }

  /** Everything that is wrong so far, with no request under way and all members running. */
  async verdict(options: { readonly haveLeasesEnded: boolean }): Promise<Problem[]> {
    const { members } = this.cluster;
    const revisions = await Promise.all(members.map((member) => revisionOf(member)));
    const endRevision = Math.max(...revisions);
    const late = await this.#untilShown(endRevision);
    const { chronicle, problems } = chronicleOf(this.traffic.side.recorder.watches);
    const stores = await Promise.all(members.map((member) => storeOf(member)));
    const ending = {
      leasesLeft: options.haveLeasesEnded ? await leasesOf(members) : [],
      leaseToleranceMs: 0,
      compactedRevision: 0,
      stores,
    };
    return [
      ...late,
      ...problems,
      ...judge(this.traffic.record(chronicle, endRevision), ending),
      ...(await this.#differences(endRevision)),
    ];
  }

  async #untilShown(revision: number): Promise<Problem[]> {
    const behind = (): [ClusterMember, Chronicler][] =>
      [...this.#chroniclers].filter(([, chronicler]) => chronicler.revision < revision);
    await poll("everything is shown", async () => behind().length === 0, SHOWN_MS_MAX).catch(
      () => undefined,
    );
    return behind().map(([{ name }, chronicler]) => ({
      check: "watch reliable",
      text: `a watch of everything on ${name} came to ${chronicler.revision}, not ${revision}`,
    }));
  }

  /** HashKV and the list of members are the same wherever one asks. */
  async #differences(revision: number): Promise<Problem[]> {
    const { members } = this.cluster;
    const views = await Promise.all(members.map((member) => viewOf(member, revision)));
    const problems: Problem[] = [];
    if (new Set(views.map(({ text }) => text)).size > 1) {
      const text = members.map(({ name }, at) => `${name}: ${views[at]?.text}`).join("; ");
      problems.push({ check: "members differ", text });
    }
    const known = views[0]?.memberCount ?? 0;
    if (known !== members.length) {
      const text = `the cluster lists ${known} members, there are ${members.length}`;
      problems.push({ check: "members differ", text });
    }
    return problems;
  }

  async dispose(): Promise<void> {
    this.traffic.side.isOver = true;
    this.traffic.end();
    for (const chronicler of this.#chroniclers.values()) chronicler.drop();
    await this.cluster.dispose();
  }
}

/** Of a linearizable read on this member: it has caught up with the cluster then. */
async function revisionOf(member: ClusterMember): Promise<number> {
  let revision = 0;
  await poll(
    `a linearizable read on ${member.name}`,
    async () => {
      const request = { key: Buffer.from("x") };
      const answer = await member.client.call(METHODS.range, request, { deadlineMs: 2_000 });
      if (answer.ok) revision = Number(answer.value.header?.revision ?? 0n);
      return answer.ok;
    },
    CATCH_UP_MS_MAX,
  );
  return revision;
}

async function storeOf(member: ClusterMember): Promise<StoreContent> {
  const request = { key: Buffer.from("a"), rangeEnd: Buffer.from("z"), serializable: true };
  const { header, kvs } = await member.client.must(METHODS.range, request);
  const states = new Map([[Number(header?.revision ?? 0n), kvs.map(pairOf)]]);
  return { member: member.name, states };
}

async function leasesOf(members: readonly ClusterMember[]): Promise<string[]> {
  const lists = await Promise.all(
    members.map(async (member) => {
      const { leases } = await member.client.must(METHODS.leaseLeases, {});
      return leases.map(({ id }) => `${id} on ${member.name}`);
    }),
  );
  return lists.flat();
}

async function viewOf(
  { client }: ClusterMember,
  revision: number,
): Promise<{ text: string; memberCount: number }> {
  const { hash, compactRevision } = await client.must(METHODS.hashKv, {
    revision: BigInt(revision),
  });
  const { members } = await client.must(METHODS.memberList, { linearizable: true });
  const list = members.map(
    (other) => `${other.id.toString(16)} ${other.name} ${other.peerUrls} ${other.isLearner}`,
  );
  const text = `hash ${hash} at ${revision}, compacted ${compactRevision}, members ${list.join("; ")}`;
  return { text, memberCount: members.length };
}
