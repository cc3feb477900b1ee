/** What operators do to a cluster while it works. */
import { anyNode, type FaultRun } from "./run.ts";

/** Revisions that a compaction leaves, at most. */
const KEPT_MAX = 200;

export const operations = {
  moveLeader: (run: FaultRun) => {
    const leader = run.cluster.leader();
    const node = anyNode(run);
    if (leader === undefined || node.member === undefined) return;
    const ignore = (): void => undefined;
    leader.running.moveLeader(node.id, { done: ignore, refused: ignore });
  },

  compact: (run: FaultRun) => {
    const { cluster, prng, done } = run;
    const node = anyNode(run);
    if (node.member === undefined) return;
    const revision = node.member.currentRevision - prng.below(KEPT_MAX);
    if (revision < 1) return;
    const compaction = { revision, physical: prng.chance(0.3) };
    run.mayCompact(revision);
    const asked = cluster.propose(node, { kind: "compaction", compaction });
    asked.then(
      () => (done.compactions += 1),
      () => undefined,
    );
  },

  defragment: (run: FaultRun) => {
    const { cluster, done } = run;
    const node = anyNode(run);
    node.member?.defragment().then(
      () => {
        done.defragmentations += 1;
        cluster.note(`${node.host} defragmented`);
      },
      () => undefined,
    );
  },
} as const;
