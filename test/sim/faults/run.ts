/** What a fault under way has in hand. */
import type { Prng } from "../../../src/base/index.ts";
import type { Cluster } from "../../cluster/harness.ts";
import type { ClusterNode } from "../../cluster/node.ts";
import type { Done } from "../observations.ts";
import type { Hosts } from "./hosts.ts";
import type { Links } from "./links.ts";

export interface FaultRun {
  readonly cluster: Cluster;
  /** Of this fault alone, so that it does the same whatever others there are. */
  readonly prng: Prng;
  readonly lengthMs: number;
  readonly hosts: Hosts;
  readonly links: Links;
  readonly done: Done;
  /** The highest revision that may be compacted. */
  mayCompact(revision: number): void;
  /** No other fault goes on, and all hosts run. */
  isCalm(): boolean;
  /** No other fault begins before. */
  hold(ms: number): void;
  /** Planned by the fault; the run does not end before. */
  later(ms: number, run: () => void): void;
}

/** Begins a fault; what ends it is planned with `later`. */
export type Inject = (run: FaultRun) => void;

export function anyNode({ cluster, prng }: FaultRun): ClusterNode {
  return prng.pick(cluster.nodes);
}

/** The leader; any member while there is none. */
export function leaderOrAny(run: FaultRun): ClusterNode {
  return run.cluster.leader() ?? anyNode(run);
}

export function othersOf({ cluster }: FaultRun, node: ClusterNode): string[] {
  return cluster.nodes.filter((other) => other !== node).map(({ host }) => host);
}
