/** Brings hosts down and up again, and knows which of them have reason not to come up. */
import type { Flip } from "../../../src/testing/index.ts";
import type { Cluster } from "../../cluster/harness.ts";
import type { ClusterNode } from "../../cluster/node.ts";

export function urlOf(host: string): string {
  return `http://${host}:2380`;
}

export class Hosts {
  readonly #cluster: Cluster;
  /** Faults of its disk that each host has now. */
  readonly #diskFaults = new Map<ClusterNode, number>();
  readonly #flips = new Map<ClusterNode, Flip[]>();
  /** Whose disk has lost something, and how often it had started when that happened. */
  readonly #damaged = new Map<ClusterNode, number>();
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
    this.#forgetWhole();
    if (this.#damaged.size > 0) return false;
    this.#damaged.set(node, node.counts.starts);
    return true;
  }

  /** What was damaged and not met so far can be read again. */
  undamaged(node: ClusterNode): void {
    this.#damaged.delete(node);
  }

  /** Recovered: started since, and a voter that follows a leader, by whatever id it has now. */
  #forgetWhole(): void {
    const members = this.#cluster.leader()?.running.members() ?? [];
    for (const [node, starts] of this.#damaged) {
      const row = members.find(({ id }) => id === node.member?.id);
      const isVoter = row?.isLearner === false && node.member?.status().leader !== 0n;
      const isBack = isVoter && node.counts.starts > starts;
      if (isBack || !this.#cluster.nodes.includes(node)) this.#damaged.delete(node);
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
