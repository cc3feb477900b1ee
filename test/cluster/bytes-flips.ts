/**
 * A cluster of three that has lived for a while, and what becomes of it when one byte of one
 * member's files is flipped.
 */
import assert from "node:assert/strict";
import { errors } from "../../src/errors/index.ts";
import type { Disk } from "../../src/seam/index.ts";
import { emptyDeleteRangeRequest } from "../../src/wire/index.ts";
import { Cluster } from "./harness.ts";
import type { ClusterNode, NodeImage } from "./node.ts";

/** From a start on, more than it takes until store and log were read again. */
const VERIFIED_MS = 2_000;
const RESTARTS_MAX = 4;
const WELL_MS = 30_000;
const STEP_MS = 50;
const ROOT = "/data/member.etcd";
/** Several segments, of several records each. */
const SETTINGS = {
  logSegmentBytes: 800,
  snapshotCount: 8,
  snapshotCatchUpEntries: 3,
  walsMax: 3,
};
/** When a member begins to read all of it again: of one that runs, a byte is flipped before. */
const VERIFY_AFTER_MS: Readonly<Record<When, number>> = { down: 50, running: 500 };

/** Key -> the values that it has had; the last is the one that it has. */
type Written = Map<string, string[]>;

/** What there is to flip, and what must be read in the end. */
export interface Place {
  readonly images: readonly NodeImage[];
  readonly victim: string;
  readonly written: Written;
}

export interface ByteOf {
  readonly path: string;
  readonly offset: number;
  readonly bit: number;
}

/** What the member does when the byte is flipped. */
export type When = "down" | "running";

export type Outcome = "unused" | "healed" | "replaced";

async function put(cluster: Cluster, written: Written, key: string, value: string): Promise<void> {
  const values = written.get(key) ?? [];
  values.push(value);
  written.set(key, values);
  await cluster.put(key, value);
}

/** A cluster that has seen some of everything: damage, deletions of its log, other leaders. */
async function lived(): Promise<{ cluster: Cluster; written: Written }> {
  const cluster = await Cluster.start({ seed: 77, size: 3, settings: SETTINGS });
  const written: Written = new Map();
  await cluster.untilLeader();
  for (let number = 0; number < 30; number += 1) {
    await put(cluster, written, `k${number % 9}`, `value ${number}`);
  }
  const ill = cluster.followers()[0] as ClusterNode;
  ill.misapply("wrongValue");
  await put(cluster, written, "k0", "the last of the bad days");
  await cluster.until(() => ill.running.isQuarantined, "the quarantine");
  await cluster.until(() => !ill.running.isQuarantined, "the end of it");
  for (let number = 30; number < 40; number += 1) {
    await put(cluster, written, `k${number % 9}`, `value ${number}`);
  }
  await cluster.run(2_000);
  await oneOfEach(cluster);
  for (let number = 40; number < 46; number += 1) {
    await put(cluster, written, `k${number % 9}`, `value ${number}`);
  }
  await cluster.untilEven();
  return { cluster, written };
}

/** What a log has beside puts: a change of the membership and its end, a lease, a deletion. */
async function oneOfEach(cluster: Cluster): Promise<void> {
  const peerUrls = ["http://m9:2380"];
  await cluster.changed((node) =>
    cluster.ask(node, (member, waiter) => member.addMember(peerUrls, true, waiter)),
  );
  const rows = cluster.leader()?.running.members() ?? [];
  await cluster.remove(rows.find(({ isLearner }) => isLearner)?.id ?? 0n);
  const leaseGrant = { id: 7n, ttlSeconds: 600 };
  await cluster.retried((node) => cluster.propose(node, { kind: "leaseGrant", leaseGrant }));
  await cluster.put("leased", "value", 7n);
  const deleteRange = { ...emptyDeleteRangeRequest(), key: "leased" };
  await cluster.retried((node) => cluster.propose(node, { kind: "deleteRange", deleteRange }));
}

/**
 * One killed: what it prepared is there, and its store lacks what only its log has. The others
 * stopped in order.
 */
async function atRest(): Promise<Place> {
  const { cluster, written } = await lived();
  const victim = cluster.followers()[0] as ClusterNode;
  const { raftAppliedIndex } = victim.running.status();
  victim.kill();
  const durable = victim.image().media.at(-1)?.applied.index ?? 0;
  assert.ok(durable > 0 && durable < raftAppliedIndex - 5, `${durable} of ${raftAppliedIndex}`);
  // In time, the kernel does.
  await whileDown(victim, ({ disk }) => disk.syncDirectory(`${ROOT}/member/wal`));
  await cluster.close();
  return { images: cluster.nodes.map((node) => node.image()), victim: victim.host, written };
}

/** The victim lost its log and is on its way back under another id; the others are there. */
async function onItsWay(): Promise<Place> {
  const { cluster, written } = await lived();
  const victim = cluster.followers()[0] as ClusterNode;
  victim.crash();
  victim.wentBack = true;
  await whileDown(victim, async ({ disk }) => {
    const wal = `${ROOT}/member/wal`;
    for (const name of await disk.list(wal)) await disk.remove(`${wal}/${name}`);
    await disk.syncDirectory(wal);
  });
  await cluster.settled(victim.start());
  let isJoining = false;
  for (let step = 0; step < 2_000 && !isJoining; step += 1) {
    await cluster.run(2);
    isJoining = await whileDown(victim, ({ disk }) => disk.exists(`${ROOT}/rejoin.json`));
  }
  assert.ok(isJoining, "it comes back");
  // A crash before that would leave the note under the name that it is written with.
  await whileDown(victim, ({ disk }) => disk.syncDirectory(ROOT));
  victim.crash();
  for (const node of cluster.live) await cluster.settled(node.stop());
  return { images: cluster.nodes.map((node) => node.image()), victim: victim.host, written };
}

/** A disk takes its time from the process that uses it; here it takes none. */
async function whileDown<T>(node: ClusterNode, work: (node: ClusterNode) => Promise<T>) {
  const { diskDelayMaxMs } = node;
  node.diskDelayMaxMs = 0;
  try {
    return await work(node);
  } finally {
    node.diskDelayMaxMs = diskDelayMaxMs;
  }
}

/** What the harness keeps instead of a store's file is none of the member's. */
async function pathsIn(disk: Disk, directory: string): Promise<string[]> {
  const paths: string[] = [];
  for (const name of await disk.list(directory)) {
    const path = `${directory}/${name}`;
    const isDirectory = await disk.list(path).then(
      () => true,
      () => false,
    );
    if (isDirectory) paths.push(...(await pathsIn(disk, path)));
    else if (name !== "simulated-medium") paths.push(path);
  }
  return paths;
}

function restored({ images, victim }: Place, when: When): { cluster: Cluster; node: ClusterNode } {
  const settings = { ...SETTINGS, verifyAfterMs: VERIFY_AFTER_MS[when] };
  const cluster = new Cluster({ seed: 77, size: 3, settings });
  for (const [at, node] of cluster.nodes.entries()) {
    node.putBack(images[at] as NodeImage);
    // All three stopped together: nobody lost anything.
    node.wentBack = false;
  }
  const node = cluster.node(victim);
  node.wentBack = true;
  node.mayFail = true;
  return { cluster, node };
}

/** Whatever it answers was true once; it may refuse. */
function checkRead({ member }: ClusterNode, cluster: Cluster, written: Written, turn: number) {
  if (member === undefined) return;
  const keys = [...written.keys()];
  const key = keys[turn % keys.length] as string;
  let found: string | undefined;
  try {
    found = cluster.read(cluster.nodes.find((node) => node.member === member) as ClusterNode, key);
  } catch (error) {
    assert.equal(error, errors.Corrupt);
    return;
  }
  // A member that begins anew has nothing yet.
  if (found !== undefined) assert.ok(written.get(key)?.includes(found), `${key} is ${found}`);
}

function isWell(cluster: Cluster, { member }: ClusterNode): boolean {
  const leader = cluster.leader()?.running;
  if (member === undefined || leader === undefined || member.isQuarantined) return false;
  const rows = leader.members();
  const isVoter = rows.some(({ id, isLearner }) => id === member.id && !isLearner);
  const isEven = member.status().raftAppliedIndex >= leader.status().raftAppliedIndex;
  return isVoter && isEven && rows.length === 3 && leader.alarms().length === 0;
}

/** Store and log were read again since the member started, and nothing was found. */
function isVerified({ member }: ClusterNode): boolean {
  return (member?.measures.care?.verifyPasses ?? 0) > 0;
}

/** Long enough that all of it was read again, and then a kill. */
async function underIt(cluster: Cluster, node: ClusterNode, rot: () => void): Promise<void> {
  await cluster.settled(node.start());
  await cluster.untilEven();
  assert.equal(node.running.measures.care?.verifiedBytes, 0);
  rot();
  await cluster.put("k3", "under it");
  await cluster.run(VERIFIED_MS);
  if (node.isRunning) node.kill();
}

export async function flipped(place: Place, flip: ByteOf, when: When): Promise<Outcome> {
  const { cluster, node } = restored(place, when);
  const rot = (): void => node.disk.flip(flip.path, flip.offset, flip.bit);
  try {
    const written: Written = new Map([...place.written].map(([key, all]) => [key, [...all]]));
    const others = cluster.nodes.filter((other) => other !== node);
    await cluster.settled(Promise.all(others.map((other) => other.start())));
    await cluster.untilLeader();
    let id: bigint | undefined = cluster.founderId(node);
    if (when === "down") {
      rot();
      id = undefined;
    } else {
      written.get("k3")?.push("under it");
      await underIt(cluster, node, rot);
    }
    await put(cluster, written, "k1", "while it was down");
    let starts = 0;
    // Also once all of it was read; after something was found that is not soon again.
    const isOver = (ms: number): boolean =>
      isWell(cluster, node) &&
      (isVerified(node) || (ms >= VERIFIED_MS && node.counts.careNotes > 0));
    for (let ms = 0; !isOver(ms); ms += STEP_MS) {
      assert.ok(ms < WELL_MS, "it is not well");
      if (!node.isRunning) {
        starts += 1;
        assert.ok(starts <= RESTARTS_MAX, "it does not stay up");
        await cluster.settled(node.start()).catch((error: unknown) => {
          if (starts === RESTARTS_MAX) throw error;
        });
      }
      id ??= node.member?.id;
      checkRead(node, cluster, written, ms / STEP_MS);
      await cluster.run(STEP_MS);
    }
    await put(cluster, written, "k2", "after it");
    for (const [key, values] of written) {
      assert.equal(await cluster.settled(cluster.getOn(node, key)), values.at(-1), key);
    }
    await cluster.untilEven();
    await cluster.sameHash();
    if (node.id !== id) return "replaced";
    return node.counts.careNotes > 0 ? "healed" : "unused";
  } finally {
    cluster.abandon();
  }
}

const PLACES = { atRest, onItsWay };
export type PlaceName = keyof typeof PLACES;

export function placeOf(name: PlaceName): Promise<Place> {
  return PLACES[name]();
}

/** The victim's files, and how long each is. */
export async function filesOf(place: Place): Promise<{ path: string; length: number }[]> {
  const { node } = restored(place, "down");
  return whileDown(node, async ({ disk }) => {
    const files: { path: string; length: number }[] = [];
    for (const path of await pathsIn(disk, ROOT)) {
      files.push({ path, length: (await disk.readFile(path)).length });
    }
    return files;
  });
}

/** What of a path says which kind of file it is. */
export function kindOf(path: string): string {
  return path
    .slice(ROOT.length + 1)
    .replace(/member\.quarantine-[^/]*/, "member.quarantine")
    .replace(/[0-9a-f]{16}(-[0-9a-f]{16})?/g, "N");
}
