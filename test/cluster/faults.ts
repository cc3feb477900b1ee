/** Faults at random moments, from a seed, each ending after a while. */
import type { Prng } from "../../src/base/index.ts";
import type { Cluster } from "./harness.ts";
import type { MembershipChange, Waiter } from "../../src/member/index.ts";
import type { ClusterMember, ClusterNode } from "./node.ts";

/** Longest time between two faults of a burst, and that a host is down that only blinks. */
const BURST_MAX_MS = 100;
const BLINK_MAX_MS = 30;

export const FAULT_KINDS = [
  "crash",
  "blink",
  "kill",
  "crashAll",
  "diskError",
  "electionStorm",
  "pause",
  "isolate",
  "oneWay",
  "split",
  "slowLink",
  "loss",
  "breakSnapshot",
  "moveLeader",
  "compact",
  "defragment",
  "changeMembers",
  "clockJump",
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

export interface FaultOptions {
  readonly prng: Prng;
  /** Those that this run may have: each seed its own mix. */
  readonly kinds: readonly FaultKind[];
  readonly restMaxMs: number;
  readonly lengthMaxMs: number;
}

export class Faults {
  readonly counts = new Map<FaultKind, number>();
  readonly #cluster: Cluster;
  readonly #options: FaultOptions;
  /** The highest revision that may be compacted. */
  compacted = 0;
  /** Changes of the membership that were made. */
  changes = 0;
  /** Ends of faults that are still to come. */
  #pending = 0;
  #isChanging = false;
  #guests = 0;

  constructor(cluster: Cluster, options: FaultOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /** Lets faults happen for some time, and waits for their ends. Moves time. */
  async during(ms: number, atEachStep: () => void = () => undefined): Promise<void> {
    const cluster = this.#cluster;
    const endMs = cluster.nowMs + ms;
    while (cluster.nowMs < endMs) {
      const { prng, kinds, restMaxMs, lengthMaxMs } = this.#options;
      // Many bugs need two faults at nearly the same time.
      await cluster.run(prng.below(prng.chance(0.4) ? BURST_MAX_MS : restMaxMs));
      const kind = prng.pick(kinds);
      const lengthMs = prng.below(lengthMaxMs);
      this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
      cluster.note(`fault ${kind} for ${lengthMs} ms`);
      this.#begin(kind, lengthMs);
      atEachStep();
    }
    await cluster.until(() => this.#pending === 0 && !this.#isChanging, "the faults to end");
  }

  #begin(kind: FaultKind, lengthMs: number): void {
    const cluster = this.#cluster;
    const { prng } = this.#options;
    const node = prng.pick(cluster.nodes);
    switch (kind) {
      case "crash":
        return this.#down([node], lengthMs, (one) => one.crash());
      case "blink":
        return this.#down([node], prng.below(BLINK_MAX_MS), (one) => one.crash());
      case "kill":
        return this.#down([node], lengthMs, (one) => one.kill());
      case "crashAll":
        return this.#down(cluster.nodes, lengthMs, (one) => one.crash());
      case "diskError":
        return this.#diskError(node, lengthMs);
      case "electionStorm":
        return this.#electionStorm(lengthMs);
      case "pause":
        return this.#pause(node, lengthMs);
      case "moveLeader":
        return this.#moveLeader(node);
      case "compact":
        return this.#compact(node);
      case "defragment":
        return void node.member?.defragment().catch(() => undefined);
      case "changeMembers":
        return void this.#changeMembers(lengthMs);
      case "clockJump":
        node.wallOffsetMs = prng.below(600_000) - 300_000;
        node.process.wallOffsetMs = node.wallOffsetMs;
        return;
      case "breakSnapshot":
        return cluster.network.breakNextSnapshot(prng.below(60_000));
      default:
        this.#disturb(kind, node);
        this.#later(lengthMs, () => cluster.network.heal());
    }
  }

  #later(ms: number, run: () => void): void {
    this.#pending += 1;
    this.#cluster.time.after(ms, () => {
      this.#pending -= 1;
      run();
    });
  }

  #down(nodes: readonly ClusterNode[], lengthMs: number, end: (node: ClusterNode) => void): void {
    const running = nodes.filter(({ isRunning }) => isRunning);
    for (const node of running) end(node);
    this.#later(lengthMs, () => this.restart(running));
  }

  /** One of the next writes fails: the member must end, for what it has it cannot know. */
  #diskError(node: ClusterNode, lengthMs: number): void {
    const { prng } = this.#options;
    const operation = prng.pick(["write", "writeDurable", "sync", "open", "rename"] as const);
    node.mayFail = true;
    node.disk.failNext(operation, prng.pick(["EIO", "ENOSPC"]), prng.below(6));
    this.#later(lengthMs, () => {
      if (node.isRunning) node.crash();
      else node.disk.crash(prng);
      node.mayFail = false;
      this.restart([node]);
    });
  }

  /** No leader, candidates that do not hear of each other in time, voters that forget. */
  #electionStorm(lengthMs: number): void {
    const cluster = this.#cluster;
    const { prng } = this.#options;
    const delayMaxMs = prng.below(cluster.settings.electionTimeoutMs);
    for (const one of cluster.nodes) {
      for (const other of cluster.nodes) {
        if (one !== other) cluster.network.setConditions(one.host, other.host, { delayMaxMs });
      }
    }
    cluster.onVote = (host) => {
      const voter = cluster.nodes.find((node) => node.host === host);
      if (voter === undefined || prng.chance(0.3)) return;
      // In a turn of its own: the vote is on its way.
      this.#later(0, () => this.#down([voter], prng.below(BLINK_MAX_MS), (one) => one.crash()));
    };
    const leader = cluster.leader();
    if (leader !== undefined) this.#down([leader], lengthMs, (one) => one.crash());
    this.#later(lengthMs, () => {
      cluster.onVote = undefined;
      cluster.network.heal();
    });
  }

  /** Hosts whose process is gone get a new one. */
  restart(nodes: readonly ClusterNode[]): void {
    for (const node of nodes) {
      // One that crashes while it starts is left to the next that looks.
      if (node.isRunning || node.wasRemoved) continue;
      node.start().catch((error: unknown) => this.#failed(node, error));
    }
  }

  #failed(node: ClusterNode, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#cluster.note(`${node.host} did not start: ${reason}`);
  }

  #pause(node: ClusterNode, lengthMs: number): void {
    const { process } = node;
    process.pause();
    this.#later(lengthMs, () => process.resume());
  }

  #moveLeader(node: ClusterNode): void {
    const leader = this.#cluster.leader();
    if (leader === undefined || node.member === undefined) return;
    const ignore = (): void => undefined;
    leader.running.moveLeader(node.id, { done: ignore, refused: ignore });
  }

  /** What the checks at the end of a run still look at stays: the newest half. */
  #compact(node: ClusterNode): void {
    if (node.member === undefined) return;
    const revision = Math.floor(node.member.currentRevision / 2);
    const compaction = { revision, physical: false };
    this.compacted = Math.max(this.compacted, revision);
    this.#cluster.propose(node, { kind: "compaction", compaction }).catch(() => undefined);
  }

  /** A member more, as a learner or at once; or one of those that came so is taken away again. */
  async #changeMembers(lengthMs: number): Promise<void> {
    if (this.#isChanging) return;
    this.#isChanging = true;
    const cluster = this.#cluster;
    const { prng } = this.#options;
    try {
      const guest = cluster.nodes.find(({ host }) => host.startsWith("guest"));
      if (guest === undefined) await this.#addGuest(prng.chance(0.6));
      else if (prng.chance(0.5)) await this.#promote(guest);
      else await this.#remove(guest);
      await new Promise<void>((resolve) => void cluster.time.after(lengthMs, resolve));
    } finally {
      this.#isChanging = false;
    }
  }

  #ask(question: (member: ClusterMember, waiter: Waiter<MembershipChange>) => void) {
    const node = this.#options.prng.pick(this.#cluster.live);
    if (node === undefined) return Promise.resolve(undefined);
    const asked = this.#cluster.ask<MembershipChange>(node, question);
    void asked.then(() => (this.changes += 1)).catch(() => undefined);
    return asked.catch((error: unknown) => {
      this.#cluster.note(`${node.host} does not change the members: ${String(error)}`);
      return undefined;
    });
  }

  async #addGuest(isLearner: boolean): Promise<void> {
    this.#guests += 1;
    const cluster = this.#cluster;
    const name = `guest${this.#guests}`;
    const urls = [`http://${name}:2380`];
    const change = await this.#ask((member, waiter) => member.addMember(urls, isLearner, waiter));
    const row = change?.members.find(({ peerUrls }) => peerUrls[0] === urls[0]);
    const { clusterId } = cluster.live[0]?.running ?? {};
    if (change === undefined || row === undefined || clusterId === undefined) return;
    const node = cluster.addHost(name);
    const { members } = change;
    node.beginning = () => Promise.resolve({ kind: "join", clusterId, id: row.id, members });
    this.restart([node]);
  }

  async #promote(guest: ClusterNode): Promise<void> {
    const id = guest.member?.id;
    if (id !== undefined) await this.#ask((member, waiter) => member.promoteMember(id, waiter));
  }

  async #remove(guest: ClusterNode): Promise<void> {
    const [url] = guest.peerUrls;
    const rows = this.#cluster.live[0]?.running.members() ?? [];
    const id = rows.find(({ peerUrls }) => peerUrls[0] === url)?.id;
    if (id === undefined) return;
    const change = await this.#ask((member, waiter) => member.removeMember(id, waiter));
    // It may have been asked itself, and gone before it could answer.
    if (change !== undefined || guest.wasRemoved) this.#cluster.forget(guest);
  }

  #disturb(kind: FaultKind, node: ClusterNode): void {
    const { network, nodes } = this.#cluster;
    const { prng } = this.#options;
    const others = nodes.filter((other) => other !== node).map(({ host }) => host);
    const other = prng.pick(others);
    if (kind === "isolate") return network.partition([[node.host], others]);
    if (kind === "oneWay") {
      if (prng.chance(0.5)) return network.cutOneWay(node.host, other);
      for (const host of others) network.cutOneWay(host, node.host);
      return;
    }
    if (kind === "split") {
      const some = others.slice(0, prng.below(others.length));
      const rest = others.filter((host) => !some.includes(host));
      return network.partition([[node.host, ...some], rest]);
    }
    const conditions =
      kind === "slowLink"
        ? { delayMinMs: 20, delayMaxMs: 20 + prng.below(800) }
        : { lossRate: 0.2, duplicateRate: 0.2, reorderRate: 0.3, delayMaxMs: 30 };
    for (const host of others) network.setConditions(node.host, host, conditions);
  }
}
