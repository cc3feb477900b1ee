/** Faults at random moments, from a seed, each ending after a while. */
import type { Prng } from "../../src/base/index.ts";
import type { Cluster } from "./harness.ts";
import type { ClusterNode } from "./node.ts";

export const FAULT_KINDS = [
  "crash",
  "kill",
  "crashAll",
  "pause",
  "isolate",
  "oneWay",
  "split",
  "slowLink",
  "loss",
  "breakSnapshot",
  "moveLeader",
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

  constructor(cluster: Cluster, options: FaultOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /** Lets faults happen for some time; what is broken at its end stays so. Moves time. */
  async during(ms: number, atEachStep: () => void = () => undefined): Promise<void> {
    const cluster = this.#cluster;
    const endMs = cluster.nowMs + ms;
    while (cluster.nowMs < endMs) {
      const { prng, kinds, restMaxMs, lengthMaxMs } = this.#options;
      await cluster.run(prng.below(restMaxMs));
      const kind = prng.pick(kinds);
      const lengthMs = prng.below(lengthMaxMs);
      this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
      cluster.note(`fault ${kind} for ${lengthMs} ms`);
      this.#begin(kind, lengthMs);
      atEachStep();
    }
  }

  #begin(kind: FaultKind, lengthMs: number): void {
    const cluster = this.#cluster;
    const { prng } = this.#options;
    const node = prng.pick(cluster.nodes);
    switch (kind) {
      case "crash":
        return this.#down([node], lengthMs, (one) => one.crash());
      case "kill":
        return this.#down([node], lengthMs, (one) => one.kill());
      case "crashAll":
        return this.#down(cluster.nodes, lengthMs, (one) => one.crash());
      case "pause":
        return this.#pause(node, lengthMs);
      case "moveLeader":
        return this.#moveLeader(node);
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
    this.#cluster.time.after(ms, run);
  }

  #down(nodes: readonly ClusterNode[], lengthMs: number, end: (node: ClusterNode) => void): void {
    const running = nodes.filter(({ isRunning }) => isRunning);
    for (const node of running) end(node);
    this.#later(lengthMs, () => this.restart(running));
  }

  /** Hosts whose process is gone get a new one. */
  restart(nodes: readonly ClusterNode[]): void {
    for (const node of nodes) {
      // One that crashes while it starts is left to the next that looks.
      if (!node.isRunning) node.start().catch((error: unknown) => this.#failed(node, error));
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
