/** Machines that lose their power, processes that are killed or stand still. */
import type { ClusterNode } from "../../cluster/node.ts";
import { anyNode, type FaultRun, leaderOrAny } from "./run.ts";

/** Longest time that a host is down that only blinks. */
const BLINK_MAX_MS = 30;
/** Calls of the disk among which the one is that a crash strikes. */
const CALLS_MAX = 24;

function down(
  { hosts, later }: FaultRun,
  nodes: readonly ClusterNode[],
  lengthMs: number,
  end: (node: ClusterNode) => void,
): void {
  const running = nodes.filter(({ isRunning }) => isRunning);
  for (const node of running) end(node);
  later(lengthMs, () => hosts.restart(running));
}

function crash(node: ClusterNode): void {
  node.crash();
}

export const machines = {
  crash: (run: FaultRun) => down(run, [anyNode(run)], run.lengthMs, crash),
  crashLeader: (run: FaultRun) => down(run, [leaderOrAny(run)], run.lengthMs, crash),
  blink: (run: FaultRun) => down(run, [anyNode(run)], run.prng.below(BLINK_MAX_MS), crash),
  kill: (run: FaultRun) => down(run, [anyNode(run)], run.lengthMs, (node) => node.kill()),
  crashAll: (run: FaultRun) => down(run, run.cluster.nodes, run.lengthMs, crash),

  /** The power fails inside a write, a sync, a truncation or a rename. */
  crashInWrite: (run: FaultRun) => {
    const node = anyNode(run);
    node.disk.interruptNext(run.prng.below(CALLS_MAX), () => {
      run.cluster.note(`${node.host} loses its power in a call of its disk`);
      node.crash();
      run.later(run.prng.below(BLINK_MAX_MS), () => run.hosts.restart([node]));
    });
    run.later(run.lengthMs, () => node.disk.cancelInterruption());
  },

  pause: (run: FaultRun) => pause(run, anyNode(run)),
  pauseLeader: (run: FaultRun) => pause(run, leaderOrAny(run)),

  /** No leader, candidates that do not hear of each other in time, voters that forget. */
  electionStorm: (run: FaultRun) => {
    const { cluster, prng, lengthMs } = run;
    const delayMaxMs = prng.below(cluster.settings.electionTimeoutMs);
    const hosts = cluster.nodes.map(({ host }) => host);
    const pairs = hosts.flatMap((one, at) => hosts.slice(at + 1).map((other) => [one, other]));
    run.links.disturb(run, pairs as [string, string][], { delayMaxMs });
    cluster.onVote = (host) => {
      const voter = cluster.nodes.find((node) => node.host === host);
      if (voter === undefined || prng.chance(0.3)) return;
      // In a turn of its own: the vote is on its way.
      run.later(0, () => down(run, [voter], prng.below(BLINK_MAX_MS), crash));
    };
    const leader = cluster.leader();
    if (leader !== undefined) down(run, [leader], lengthMs, crash);
    run.later(lengthMs, () => {
      cluster.onVote = undefined;
    });
  },
} as const;

function pause(run: FaultRun, { process }: ClusterNode): void {
  process.pause();
  run.later(run.lengthMs, () => process.resume());
}
