/** Disks that fail, are full or slow, or do not keep what they were given. */
import { anyNode, type FaultRun } from "./run.ts";

/** Calls of the disk among which the one is that fails. */
const CALLS_MAX = 8;
/** Somebody should come to read what rotted. */
const ROT_MIN_MS = 3_000;
/** Durable writes are most of what a log does. */
const OPERATIONS = [
  "writeDurable",
  "writeDurable",
  "writeDurable",
  "write",
  "sync",
  "open",
  "rename",
  "truncate",
] as const;

/** What the disk is like ends with the power, and the member begins anew. */
function endWithCrash(run: FaultRun, node: ReturnType<typeof anyNode>, mend: () => void): void {
  run.hosts.beginDiskFault(node);
  run.later(run.lengthMs, () => {
    mend();
    if (node.isRunning) node.crash();
    else node.disk.crash(run.prng);
    run.hosts.endDiskFault(node);
    run.hosts.restart([node]);
  });
}

export const disks = {
  /** One of the next writes fails: the member must end, for what it has it cannot know. */
  writeError: (run: FaultRun) => {
    const { prng } = run;
    const node = anyNode(run);
    const operation = prng.pick(OPERATIONS);
    // Files are made, synced and renamed most of all by a member that starts.
    if (operation !== "writeDurable" && prng.chance(0.5) && node.isRunning) node.kill();
    node.disk.failNext(operation, prng.pick(["EIO", "ENOSPC"]), prng.below(CALLS_MAX));
    endWithCrash(run, node, () => undefined);
    run.later(run.lengthMs / 2, () => run.hosts.restart([node]));
  },

  /** The log cannot be read: by a member that starts, or for a follower that lags. */
  readError: (run: FaultRun) => {
    const { prng } = run;
    const node = anyNode(run);
    if (prng.chance(0.7)) node.crash();
    node.disk.failNext("read", "EIO", prng.below(CALLS_MAX));
    endWithCrash(run, node, () => undefined);
    run.later(run.lengthMs / 2, () => run.hosts.restart([node]));
  },

  fullDisk: (run: FaultRun) => {
    const node = anyNode(run);
    const { disk } = node;
    disk.capacityBytes = disk.usedBytes() + run.prng.pick([0, 1_024, 8_192]);
    if (run.prng.chance(0.3)) node.crash();
    run.later(run.lengthMs / 2, () => run.hosts.restart([node]));
    endWithCrash(run, node, () => {
      disk.capacityBytes = Number.MAX_SAFE_INTEGER;
    });
  },

  slowDisk: (run: FaultRun) => {
    const node = anyNode(run);
    const { diskDelayMaxMs } = run.cluster;
    node.diskDelayMaxMs = run.prng.pick([20, 100, 500, 2_000]);
    run.later(run.lengthMs, () => {
      node.diskDelayMaxMs = diskDelayMaxMs;
    });
  },

  /**
   * A bit changes in a file of a member that is down, or in one that it may read again later. What
   * is allowed: it does not start, or it fails, or the others replace it, or it does not matter;
   * never a wrong answer.
   */
  bitFlip: (run: FaultRun) => {
    const { prng, hosts } = run;
    const node = anyNode(run);
    if (!hosts.mayDamage(node)) return;
    const isDown = prng.chance(0.8);
    if (isDown && node.isRunning) node.kill();
    run.later(run.lengthMs, () => hosts.restart([node]));
    const flip = node.disk.flipAnywhere(prng, isFlippable);
    if (flip === undefined) return;
    hosts.flipped(node, flip);
    run.cluster.note(
      `${node.host} disk: bit ${flip.bit} of byte ${flip.offset} of ${flip.path} flipped`,
    );
    run.later(run.lengthMs, () => hosts.restart([node]));
  },

  /**
   * The newest records of a member's store can no longer be read. It takes the others' state then;
   * it may fail, or not start; it never answers from them. One member at a time: what two have
   * lost, nobody may have.
   */
  storeRot: (run: FaultRun) => {
    const node = anyNode(run);
    if (!run.hosts.mayRot(node)) return;
    run.hosts.beginDiskFault(node);
    run.cluster.note(`${node.host} store: ${node.rotStore(run.prng)} records rot`);
    if (run.prng.chance(0.5) && node.isRunning) node.kill();
    run.later(run.lengthMs / 2, () => run.hosts.restart([node]));
    run.later(run.lengthMs + ROT_MIN_MS, () => {
      node.mendStore();
      run.hosts.endDiskFault(node);
      run.hosts.restart([node]);
    });
  },
} as const;

/** The file that stands for the store is the simulation's own. */
function isFlippable(path: string): boolean {
  return !path.endsWith("/simulated-medium");
}
