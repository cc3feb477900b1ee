/** What went on in a cluster that would not go on without faults, counted. */
import type { Cluster } from "../cluster/harness.ts";

export const OBSERVED = [
  /** Terms in which somebody led. */
  "leaderships",
  /** Terms in which somebody asked for votes, or for votes to come. */
  "campaigns",
  "restarts",
  /** Members that ended themselves, and starts that were refused. */
  "failures",
  "startsRefused",
  /** What members found wrong with themselves or another, and did something about. */
  "careNotes",
  /** Members that stopped serving until they had another one's store, and those that got it. */
  "quarantines",
  "storesReplaced",
  /** Members that found that their disk was an old one, and those that were voters again. */
  "disksFoundOld",
  "comebacks",
  /** Sectors that crashes have lost. */
  "sectorsLost",
  /** Calls of the disk that failed, and those that found it full. */
  "diskErrors",
  "diskFull",
  "lostByCut",
  "lostByRate",
  "doubled",
  "overtaken",
  /** Snapshots that broke on their way, and those that arrived. */
  "snapshotsBroken",
  "snapshots",
  /** Logs that were not the leader's: it had to look for where they part. */
  "appendsRefused",
  /** What a process would have done had it not stood still. */
  "heldRuns",
  /** Looks at a clock that was wrong. */
  "wrongClockReads",
  /** Requests that clients were refused, or whose member was gone before it answered. */
  "refusals",
  /** Members added, promoted or removed; compactions and defragmentations done. */
  "membershipChanges",
  "compactions",
  "defragmentations",
] as const;

export type Observation = (typeof OBSERVED)[number];
export type Observations = Readonly<Record<Observation, number>>;

/** Counted by those who do it. */
export interface Done {
  membershipChanges: number;
  compactions: number;
  defragmentations: number;
}

/** How everything stands now; hosts that are gone from the cluster are in `gone`. */
export function observe(cluster: Cluster, done: Done, refusals: number): Observations {
  const { counts } = cluster.network;
  const { nodes } = cluster;
  const sum = (of: (node: (typeof nodes)[number]) => number): number =>
    [...nodes, ...cluster.forgotten].reduce((total, node) => total + of(node), 0);
  return {
    leaderships: cluster.invariants.leaders.size,
    campaigns: cluster.campaigns.size,
    restarts: sum((node) => Math.max(0, node.counts.starts - 1)),
    failures: sum((node) => node.counts.failures),
    startsRefused: sum((node) => node.counts.startsRefused),
    careNotes: sum((node) => node.counts.careNotes),
    quarantines: sum((node) => node.counts.quarantines),
    storesReplaced: sum((node) => node.counts.storesReplaced),
    disksFoundOld: sum((node) => node.counts.disksFoundOld),
    comebacks: sum((node) => node.counts.comebacks),
    sectorsLost: sum((node) => node.disk.sectorsLost),
    diskErrors: sum((node) => node.disk.failed),
    diskFull: sum((node) => node.disk.refusedFull),
    lostByCut: counts.lostByCut,
    lostByRate: counts.lostByRate,
    doubled: counts.doubled,
    overtaken: counts.overtaken,
    snapshotsBroken: counts.broken,
    snapshots: cluster.snapshotsDelivered,
    appendsRefused: cluster.appendsRefused,
    heldRuns: sum((node) => node.counts.heldRuns + node.process.heldRuns),
    wrongClockReads: sum((node) => node.counts.wrongWallReads + node.process.wrongWallReads),
    refusals,
    membershipChanges: done.membershipChanges,
    compactions: done.compactions,
    defragmentations: done.defragmentations,
  };
}
