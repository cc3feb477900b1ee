/** Clocks that are wrong, and clocks that run fast or slow. */
import { anyNode, type FaultRun, leaderOrAny } from "./run.ts";

const JUMP_MAX_MS = 300_000;

export const clocks = {
  /** Only the wall clock: what measures time is not set by anybody. Often it is wrong from boot. */
  clockJump: (run: FaultRun) => {
    const node = anyNode(run);
    node.wallOffsetMs = run.prng.below(2 * JUMP_MAX_MS) - JUMP_MAX_MS;
    node.process.wallOffsetMs = node.wallOffsetMs;
    if (!node.isRunning || run.prng.chance(0.5)) return;
    node.kill();
    run.later(run.prng.below(run.lengthMs), () => run.hosts.restart([node]));
  },

  /** The clock that measures time: crystals are a little off, paused virtual machines a lot. */
  clockDrift: (run: FaultRun) => {
    const { cluster, prng } = run;
    const node = prng.chance(0.5) ? leaderOrAny(run) : anyNode(run);
    const fastest = 1 + cluster.driftMax;
    setRate(node, prng.chance(0.5) ? fastest : 1 / fastest);
    run.later(run.lengthMs, () => setRate(node, 1));
  },
} as const;

function setRate(node: ReturnType<typeof anyNode>, rate: number): void {
  node.clockRate = rate;
  node.process.setRate(rate);
}
