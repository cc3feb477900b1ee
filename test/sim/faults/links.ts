/** Links that are cut, slow, or lose, double and reorder what they carry. */
import type { LinkConditions } from "../../../src/testing/index.ts";
import type { Cluster } from "../../cluster/harness.ts";
import { anyNode, type FaultRun, leaderOrAny, othersOf } from "./run.ts";

/** From a host to another. */
type Direction = readonly [string, string];

/** Faults of links that overlap: each ends by itself and leaves the others as they are. */
export class Links {
  readonly #cluster: Cluster;
  /** How many faults have cut a direction. */
  readonly #cuts = new Map<string, number>();
  #disturbances: { pairs: readonly Direction[]; conditions: Partial<LinkConditions> }[] = [];

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Cuts directions until the fault ends. */
  cut({ later, lengthMs }: FaultRun, directions: readonly Direction[]): () => void {
    const { network } = this.#cluster;
    for (const [from, to] of directions) {
      const name = `${from}>${to}`;
      this.#cuts.set(name, (this.#cuts.get(name) ?? 0) + 1);
      network.cutOneWay(from, to);
    }
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      for (const [from, to] of directions) {
        const name = `${from}>${to}`;
        const left = (this.#cuts.get(name) ?? 1) - 1;
        this.#cuts.set(name, left);
        if (left === 0) network.mendOneWay(from, to);
      }
    };
    later(lengthMs, end);
    return end;
  }

  /** Changes what links between pairs of hosts are like until the fault ends. */
  disturb(
    { later, lengthMs }: FaultRun,
    pairs: readonly Direction[],
    conditions: Partial<LinkConditions>,
  ): void {
    const disturbance = { pairs, conditions };
    this.#disturbances.push(disturbance);
    for (const [one, other] of pairs) this.#apply(one, other);
    later(lengthMs, () => {
      this.#disturbances = this.#disturbances.filter((known) => known !== disturbance);
      for (const [one, other] of pairs) this.#apply(one, other);
    });
  }

  #apply(one: string, other: string): void {
    const { network } = this.#cluster;
    network.resetConditions(one, other);
    for (const { pairs, conditions } of this.#disturbances) {
      const isMeant = pairs.some(
        ([a, b]) => (a === one && b === other) || (a === other && b === one),
      );
      if (isMeant) network.setConditions(one, other, conditions);
    }
  }
}

function bothWays(some: readonly string[], rest: readonly string[]): Direction[] {
  return some.flatMap((one) =>
    rest.flatMap((other): Direction[] => [
      [one, other],
      [other, one],
    ]),
  );
}

function disturbOne(run: FaultRun, conditions: Partial<LinkConditions>): void {
  const node = anyNode(run);
  const pairs = othersOf(run, node).map((other): Direction => [node.host, other]);
  run.links.disturb(run, pairs, conditions);
}

export const links = {
  isolate: (run: FaultRun) => {
    const node = anyNode(run);
    run.links.cut(run, bothWays([node.host], othersOf(run, node)));
  },

  isolateLeader: (run: FaultRun) => {
    const node = leaderOrAny(run);
    run.links.cut(run, bothWays([node.host], othersOf(run, node)));
  },

  /** One does not reach another, or is reached by nobody, or reaches nobody. */
  oneWay: (run: FaultRun) => {
    const { prng } = run;
    const node = anyNode(run);
    const others = othersOf(run, node);
    const shapes: readonly Direction[][] = [
      [[node.host, prng.pick(others)]],
      others.map((host) => [host, node.host]),
      others.map((host) => [node.host, host]),
    ];
    run.links.cut(run, prng.pick(shapes));
  },

  /** Two groups that do not reach each other, and one member that reaches both. */
  bridge: (run: FaultRun) => {
    const others = othersOf(run, run.prng.chance(0.5) ? leaderOrAny(run) : anyNode(run));
    const half = Math.ceil(others.length / 2);
    run.links.cut(run, bothWays(others.slice(0, half), others.slice(half)));
  },

  /** A majority and a minority, or two halves, as it comes. */
  split: (run: FaultRun) => {
    const node = anyNode(run);
    const others = othersOf(run, node);
    const some = others.slice(0, run.prng.below(others.length));
    const rest = others.filter((host) => !some.includes(host));
    run.links.cut(run, bothWays([node.host, ...some], rest));
  },

  /** Any directions at all. */
  cuts: (run: FaultRun) => {
    const { cluster, prng } = run;
    const rate = prng.pick([0.2, 0.5, 0.8]);
    const hosts = cluster.nodes.map(({ host }) => host);
    const all = hosts.flatMap((from) =>
      hosts.filter((to) => to !== from).map((to): Direction => [from, to]),
    );
    run.links.cut(
      run,
      all.filter(() => prng.chance(rate)),
    );
  },

  slowLink: (run: FaultRun) => {
    const delayMinMs = run.prng.pick([5, 20, 100]);
    disturbOne(run, { delayMinMs, delayMaxMs: delayMinMs + run.prng.below(800) });
  },
  loss: (run: FaultRun) => disturbOne(run, { lossRate: run.prng.pick([0.02, 0.2, 0.5, 0.9]) }),
  duplicate: (run: FaultRun) =>
    disturbOne(run, { duplicateRate: run.prng.pick([0.05, 0.3, 0.8]), delayMaxMs: 30 }),
  reorder: (run: FaultRun) =>
    disturbOne(run, { reorderRate: run.prng.pick([0.1, 0.5]), delayMaxMs: run.prng.pick([5, 50]) }),

  fallBehind,

  /** What a follower needs that fell behind breaks on its way. */
  breakSnapshot: (run: FaultRun) => {
    run.cluster.network.breakNextSnapshot(run.prng.below(30_000));
    fallBehind(run);
  },
} as const;

/** A follower is cut off until the log that it needs may be gone. */
function fallBehind(run: FaultRun): void {
  const { cluster, prng } = run;
  const followers = cluster.followers();
  if (followers.length === 0) return;
  const node = prng.pick(followers);
  const { snapshotCount, snapshotCatchUpEntries } = cluster.settings;
  const gap = Math.min(400, snapshotCount + snapshotCatchUpEntries + 10);
  const startIndex = node.running.status().raftIndex;
  const mend = run.links.cut(run, bothWays([node.host], othersOf(run, node)));
  const look = (): void => {
    const index = cluster.leader()?.running.status().raftIndex ?? 0;
    if (index > startIndex + gap) mend();
  };
  for (let ms = 100; ms < run.lengthMs; ms += 100) run.later(ms, look);
}
