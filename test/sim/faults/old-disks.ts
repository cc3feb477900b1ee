/**
 * A member's whole disk is replaced by an older copy of itself while the member is down, as when a
 * virtual machine is put back to a snapshot.
 *
 * What it then must find out somebody has to know: the witness, which is on a volume of its own, or
 * the others. Both are written once a second, so that the copy must lack more than the last moment;
 * and where only the others know, none of them may be gone or cut off, nor have been just before.
 */
import { readFloors } from "../../../src/datadir/index.ts";
import type { ClusterNode, NodeImage } from "../../cluster/node.ts";
import { anyNode, type FaultRun } from "./run.ts";

/** At least so long after the copy was made. */
const AGE_MIN_MS = 3_000;
const DOWN_MAX_MS = 1_000;
/** Nothing else is done to anybody until it was compared with the others. */
const COMPARED_MS = 1_000;

export function putBack(run: FaultRun): void {
  const { hosts, prng, lengthMs, later } = run;
  const node = anyNode(run);
  if (node.member === undefined || !hosts.isWhole(node)) return;
  const image = node.image();
  const { raftIndex } = node.member.status();
  const { id } = node;
  const downMs = prng.below(DOWN_MAX_MS);
  later(AGE_MIN_MS + lengthMs, () => {
    if (node.member?.id !== id || !hosts.isWhole(node)) return;
    if (!hosts.isAheadForLong(node, raftIndex)) return;
    if (node.witnessDirectory === undefined && !run.isCalm()) return;
    if (!hosts.mayDamage(node)) return;
    void replaceDisk(run, node, image, raftIndex, downMs);
  });
}

async function replaceDisk(
  run: FaultRun,
  node: ClusterNode,
  image: NodeImage,
  raftIndex: number,
  downMs: number,
): Promise<void> {
  const { hosts, later } = run;
  if (node.witnessDirectory === undefined) run.hold(downMs + COMPARED_MS);
  node.crash();
  const isKnown = node.witnessDirectory === undefined || (await witnessed(node)) > raftIndex;
  if (isKnown && !node.isRunning) {
    node.putBack(image);
    run.cluster.note(`${node.host} has the disk that it had at index ${raftIndex}`);
  }
  later(downMs, () => hosts.restart([node]));
}

/** What the witness says that it had applied. */
async function witnessed({ disk, host, witnessDirectory }: ClusterNode): Promise<number> {
  const path = `${witnessDirectory}/${host}.witness`;
  const floors = (await disk.exists(path)) ? await readFloors(disk, path) : undefined;
  return floors?.[0]?.stable ?? 0;
}
