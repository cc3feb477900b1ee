/** Brings hosts down and up again, and knows which of them have reason not to come up. */
import type { Flip } from "../../../src/testing/index.ts";
import { AlarmAction, type AlarmMember, AlarmType } from "../../../src/wire/index.ts";
import type { Cluster } from "../../cluster/harness.ts";
import type { ClusterNode } from "../../cluster/node.ts";

/** Without one of them the others go on, and can tell who is right. */
const VOTERS_MIN = 3;
/** A member takes another's store so often in a day; once more, and it stays out. */
const REPLACED_MAX = 2;
/**
 * It stays under suspicion so long after it was right again: an alarm may be on its way, or be met
 * again by a member that starts and has not applied yet that it is gone.
 */
const GRACE_MS = 5_000;
/** Until an operator comes. */
const OPERATOR_MS = 5_000;
/** One is made ten times a second. */
const LOOKS_KEPT = 25;

/** What must come before a member is whole again. */
interface Damage {
  readonly startsMin: number;
  /** Undefined while it is not. */
  rightSinceMs: number | undefined;
}

interface Look {
  readonly applied: number;
  readonly starts: number;
}

/** Started since if it had to be, of a right state, and led by somebody. */
function isRight(node: ClusterNode, damage: Damage): boolean {
  const { member, counts } = node;
  if (member === undefined || counts.starts < damage.startsMin) return false;
  if (node.isArmed || node.isAstray || node.isRotten) return false;
  return !member.isQuarantined && member.status().leader !== 0n;
}

function isUp({ member, process }: ClusterNode): boolean {
  return member !== undefined && !process.isPaused;
}

function isOfAll({ alarm, isScoped }: AlarmMember): boolean {
  return alarm === AlarmType.CORRUPT && isScoped !== true;
}

export function urlOf(host: string): string {
  return `http://${host}:2380`;
}

export class Hosts {
  readonly #cluster: Cluster;
  /** Faults of its disk that each host has now. */
  readonly #diskFaults = new Map<ClusterNode, number>();
  readonly #flips = new Map<ClusterNode, Flip[]>();
  /** Whose disk has lost something, or whose state may be wrong. */
  readonly #damaged = new Map<ClusterNode, Damage>();
  /** How far each host was, the oldest first. */
  readonly #looks = new Map<ClusterNode, Look[]>();
  /** Since when all are up, and the alarm of all stands. */
  #stoppedSinceMs: number | undefined;
  /** Hosts that come as soon as the cluster has them as members. */
  readonly #expected = new Set<string>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** That a member fails, or does not start, is right while its disk has faults. */
  beginDiskFault(node: ClusterNode): void {
    this.#diskFaults.set(node, (this.#diskFaults.get(node) ?? 0) + 1);
    node.mayFail = true;
  }

  endDiskFault(node: ClusterNode): void {
    const left = (this.#diskFaults.get(node) ?? 1) - 1;
    this.#diskFaults.set(node, left);
    this.#allow(node);
  }

  /**
   * A part of what it has is about to be lost. False: another one has not recovered from that yet,
   * and what two members lose may be lost for good.
   */
  mayDamage(node: ClusterNode): boolean {
    return this.#mayHurt(node, {
      startsMin: node.counts.starts + 1,
      rightSinceMs: undefined,
    });
  }

  /** The same for records that rot: it need not start anew to be rid of them. */
  mayRot(node: ClusterNode): boolean {
    return this.#mayHurt(node, { startsMin: 0, rightSinceMs: undefined });
  }

  /** The same for entries that are applied wrongly. */
  mayMislead(node: ClusterNode): boolean {
    const members = this.#cluster.leader()?.running.members() ?? [];
    if (!members.some(({ id }) => id === node.id)) return false;
    return this.#mayHurt(node, {
      startsMin: 0,
      rightSinceMs: undefined,
    });
  }

  #mayHurt(node: ClusterNode, damage: Damage): boolean {
    if (!this.areWhole || node.counts.storesReplaced >= REPLACED_MAX) return false;
    const members = this.#cluster.leader()?.running.members() ?? [];
    const voters = members.filter(({ isLearner }) => !isLearner);
    // A member alone is told apart from one of two, of which each is half of the majority.
    if (voters.length < VOTERS_MIN && this.#cluster.nodes.length > 1) return false;
    this.#damaged.set(node, damage);
    return true;
  }

  /** Nobody lacks anything, as far as is known here. */
  get areWhole(): boolean {
    this.#forgetWhole();
    return this.#damaged.size === 0;
  }

  isWhole(node: ClusterNode): boolean {
    this.#forgetWhole();
    return !this.#damaged.has(node) && !node.mayBeAccused;
  }

  areAllUp(): boolean {
    return this.#cluster.nodes.every(isUp);
  }

  /** It had applied more than `index` some time ago, and nobody has started since. */
  isAheadForLong(node: ClusterNode, index: number): boolean {
    const [oldest] = this.#looks.get(node) ?? [];
    if (oldest === undefined || oldest.applied <= index) return false;
    if (node.witnessDirectory !== undefined) return true;
    return this.#cluster.nodes.every((other) => {
      const [first] = this.#looks.get(other) ?? [];
      return first?.starts === other.counts.starts;
    });
  }

  /**
   * Recovered: started since if it had to be, right, and a member that follows a leader, by
   * whatever id it has now.
   */
  #forgetWhole(): void {
    const leader = this.#cluster.leader();
    const members = leader?.running.members() ?? [];
    for (const [node, damage] of this.#damaged) {
      if (!this.#cluster.nodes.includes(node)) {
        this.#damaged.delete(node);
        continue;
      }
      const row = members.find(({ id }) => id === node.member?.id);
      const isMember = row !== undefined && (!row.isLearner || damage.startsMin === 0);
      const hasAlarm = leader?.running.alarms().some(({ isScoped }) => isScoped) === true;
      if (!isMember || hasAlarm || !isRight(node, damage)) {
        damage.rightSinceMs = undefined;
        continue;
      }
      const { nowMs } = this.#cluster;
      damage.rightSinceMs ??= nowMs;
      if (nowMs - damage.rightSinceMs < GRACE_MS) continue;
      this.#damaged.delete(node);
      node.wasMisled = false;
      node.wentBack = false;
      this.#allow(node);
    }
  }

  /** What it lost stays lost until it is whole again, whatever else ends. */
  #allow(node: ClusterNode): void {
    const hasFaults = (this.#diskFaults.get(node) ?? 0) > 0;
    const hasFlips = (this.#flips.get(node)?.length ?? 0) > 0;
    node.mayFail = hasFaults || hasFlips || this.#damaged.has(node);
  }

  flipped(node: ClusterNode, flip: Flip): void {
    const flips = this.#flips.get(node) ?? [];
    this.#flips.set(node, [...flips, flip]);
    node.mayFail = true;
  }

  /** The cluster is asked to take a member on this host; an answer may never say whether it did. */
  expect(host: string): void {
    this.#expected.add(host);
  }

  /** Now and then: starts hosts that the cluster has taken in. */
  look(): void {
    this.#forgetWhole();
    this.#remember();
    this.#allowWrites();
    for (const host of this.#expected) {
      for (const { running } of this.#cluster.live) {
        const members = [...running.members()];
        const row = members.find(({ peerUrls }) => peerUrls.includes(urlOf(host)));
        if (row === undefined) continue;
        const { clusterId } = running;
        this.#expected.delete(host);
        const node = this.#cluster.addHost(host);
        const beginning = { kind: "join", clusterId, id: row.id, members } as const;
        node.beginning = () => Promise.resolve(beginning);
        this.restart([node]);
        break;
      }
    }
  }

  #remember(): void {
    for (const node of this.#cluster.nodes) {
      const looks = this.#looks.get(node) ?? [];
      this.#looks.set(node, looks);
      const applied = node.member?.status().raftAppliedIndex ?? 0;
      looks.push({ applied, starts: node.counts.starts });
      if (looks.length > LOOKS_KEPT) looks.shift();
    }
  }

  /**
   * As an operator does where writes were stopped, since too few members answered to tell who is
   * right: who is not is removed, writes are allowed, another one takes its place
   * (docs/operating/care.md). Nobody waits for a host whose member was removed: the removal may be
   * made after the operator was told that its time is up.
   */
  #allowWrites(): void {
    const leader = this.#cluster.leader();
    const stopped = leader?.running.alarms().find(isOfAll);
    const areMembersUp = this.#cluster.nodes.every((node) => node.wasRemoved || isUp(node));
    if (leader === undefined || stopped === undefined || !areMembersUp) {
      this.#stoppedSinceMs = undefined;
      return;
    }
    const { nowMs, nodes } = this.#cluster;
    this.#stoppedSinceMs ??= nowMs;
    if (nowMs - this.#stoppedSinceMs < OPERATOR_MS) return;
    this.#stoppedSinceMs = undefined;
    const wrong = nodes.find(({ isAstray }) => isAstray);
    this.#choose(leader, stopped, wrong).catch((error: unknown) => {
      this.#cluster.note(`an operator is refused: ${String(error)}`);
    });
  }

  async #choose(leader: ClusterNode, stopped: AlarmMember, wrong?: ClusterNode): Promise<void> {
    const cluster = this.#cluster;
    const { memberId, alarm } = stopped;
    cluster.note(`an operator chooses: ${wrong?.host ?? "nobody"} is wrong`);
    if (wrong !== undefined) {
      const id = wrong.member?.id;
      const row = leader.running.members().find((member) => member.id === id);
      // None: an earlier attempt has removed it after all.
      if (row !== undefined) {
        await cluster.ask<unknown>(leader, (member, waiter) => member.removeMember(row.id, waiter));
      }
      if (cluster.nodes.includes(wrong)) cluster.forget(wrong);
    }
    const at = cluster.leader() ?? leader;
    const action = AlarmAction.DEACTIVATE;
    await cluster.propose(at, { kind: "alarm", alarm: { action, memberId, alarm } });
    if (wrong === undefined) return;
    const name = `guest${Math.floor(cluster.nowMs)}`;
    this.expect(name);
    await cluster.ask<unknown>(at, (member, waiter) =>
      member.addMember([urlOf(name)], true, waiter),
    );
  }

  /** Hosts whose process is gone get a new one. */
  restart(nodes: readonly ClusterNode[]): void {
    for (const node of nodes) {
      // One that crashes while it starts is left to the next that looks.
      if (node.isRunning || node.wasRemoved || !this.#cluster.nodes.includes(node)) continue;
      const { starts } = node.counts;
      node.start().catch((error: unknown) => this.#failed(node, starts + 1, error));
    }
  }

  #failed(node: ClusterNode, start: number, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#cluster.note(`${node.host} did not start: ${reason}`);
    const isItsLatest = node.counts.starts === start;
    if (isItsLatest && !node.isRunning && this.mend(node)) this.restart([node]);
  }

  /**
   * Puts back what was flipped on a host that does not start, as an operator would from a copy of
   * the disk. False: nothing was flipped.
   */
  mend(node: ClusterNode): boolean {
    const flips = this.#flips.get(node) ?? [];
    if (flips.length === 0) return false;
    this.#flips.set(node, []);
    for (const flip of flips.reverse()) {
      const became = node.disk.unflip(flip) ? "put back" : "no longer there";
      const { path, offset, bit } = flip;
      this.#cluster.note(`${node.host} disk: bit ${bit} of byte ${offset} of ${path} ${became}`);
    }
    this.#allow(node);
    return true;
  }

  /** Before everything is made whole: what keeps hosts from starting goes. */
  mendStopped(): void {
    for (const node of this.#cluster.nodes) if (!node.isRunning) this.mend(node);
  }
}
