/**
 * Every byte of a member's log and of its small files, flipped in turn while the member is down:
 * the others go on, it answers nothing wrong, and it is well again without a person. The store's
 * file has its turn in test/robustness/bytes-store.test.ts.
 *
 * LONG_SUITE=1 takes every byte; BYTES_SECONDS ends it earlier, BYTES_FROM goes on from a byte,
 * BYTES_STRIDE takes one in so many, SEED says which bit of each.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../src/base/index.ts";
import { errors } from "../../src/errors/index.ts";
import { Cluster } from "./harness.ts";
import type { ClusterNode, NodeImage } from "./node.ts";

const SEED = Number(process.env["SEED"] ?? 1);
const IS_LONG = process.env["LONG_SUITE"] === "1";
const FROM = Number(process.env["BYTES_FROM"] ?? 0);
const SECONDS = Number(process.env["BYTES_SECONDS"] ?? 3_600);
const STRIDE = Number(process.env["BYTES_STRIDE"] ?? 1);
/** A pass over store and log begins after 5 s. */
const VERIFIED_MS = 8_000;
const RESTARTS_MAX = 4;
const WELL_MS = 30_000;
const STEP_MS = 50;
const ROOT = "/data/member.etcd";
const SETTINGS = { logSegmentBytes: 2_048, snapshotCount: 40, snapshotCatchUpEntries: 10 };

/** Key -> the values that it has had; the last is the one that it has. */
type Written = Map<string, string[]>;

interface Place {
  readonly images: readonly NodeImage[];
  readonly victim: string;
  readonly written: Written;
}

interface ByteOf {
  readonly path: string;
  readonly offset: number;
}

/** What the member does when the byte is flipped. */
type When = "down" | "running";

type Outcome = "unused" | "healed" | "replaced";

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
  for (let number = 0; number < 60; number += 1) {
    await put(cluster, written, `k${number % 9}`, `value ${number}`);
  }
  const ill = cluster.followers()[0] as ClusterNode;
  ill.misapply("wrongValue");
  await put(cluster, written, "k0", "the last of the bad days");
  await cluster.until(() => ill.running.isQuarantined, "the quarantine");
  await cluster.until(() => !ill.running.isQuarantined, "the end of it");
  for (let number = 60; number < 80; number += 1) {
    await put(cluster, written, `k${number % 9}`, `value ${number}`);
  }
  await cluster.run(2_000);
  return { cluster, written };
}

/** All stopped in order, as the machines stand then. */
async function atRest(): Promise<Place> {
  const { cluster, written } = await lived();
  const victim = (cluster.followers()[0] as ClusterNode).host;
  await cluster.close();
  return { images: cluster.nodes.map((node) => node.image()), victim, written };
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
async function filesOf({ disk }: ClusterNode, directory = ROOT): Promise<string[]> {
  const files: string[] = [];
  for (const name of await disk.list(directory)) {
    const path = `${directory}/${name}`;
    const isDirectory = await disk.list(path).then(
      () => true,
      () => false,
    );
    if (isDirectory) files.push(...(await filesOf({ disk } as ClusterNode, path)));
    else if (name !== "simulated-medium") files.push(path);
  }
  return files;
}

function restored({ images, victim }: Place): { cluster: Cluster; node: ClusterNode } {
  const cluster = new Cluster({ seed: 77, size: 3, settings: SETTINGS });
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

/** Long enough that all of it was read again, and then a kill. */
async function underIt(cluster: Cluster, node: ClusterNode, rot: () => void): Promise<void> {
  await cluster.settled(node.start());
  await cluster.untilEven();
  rot();
  await cluster.put("k3", "under it");
  await cluster.run(VERIFIED_MS);
  if (node.isRunning) node.kill();
}

async function flipped(place: Place, flip: ByteOf & { bit: number }, when: When): Promise<Outcome> {
  const { cluster, node } = restored(place);
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
    // Also once all of it was read.
    for (let ms = 0; ms < VERIFIED_MS || !isWell(cluster, node); ms += STEP_MS) {
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

/** What of a path says which kind of file it is. */
function kindOf(path: string): string {
  return path
    .slice(ROOT.length + 1)
    .replace(/member\.quarantine-[^/]*/, "member.quarantine")
    .replace(/[0-9a-f]{16}(-[0-9a-f]{16})?/g, "N");
}

interface RunOptions {
  readonly isWanted?: RegExp;
  readonly when?: When;
}

/** Bytes of a file: those of the log differ more. */
function sampledOf(path: string, when: When): number {
  const few = path.endsWith(".wal") ? 4 : 2;
  return when === "running" && IS_LONG ? 10 * few : few;
}

async function run(
  t: { diagnostic(text: string): void },
  place: Place,
  { isWanted = /^/, when = "down" }: RunOptions = {},
) {
  const prng = new Prng(SEED);
  const { node } = restored(place);
  const bytes: ByteOf[] = [];
  for (const path of await whileDown(node, filesOf)) {
    const kind = kindOf(path);
    if (!isWanted.test(kind)) continue;
    const { length } = await whileDown(node, ({ disk }) => disk.readFile(path));
    if (IS_LONG && when === "down") {
      for (let offset = 0; offset < length; offset += 1) bytes.push({ path, offset });
      continue;
    }
    for (let count = sampledOf(path, when); count > 0 && length > 0; count -= 1) {
      bytes.push({ path, offset: prng.below(length) });
    }
  }
  const outcomes = new Map<string, Record<Outcome, number>>();
  const beganMs = performance.now();
  let done = IS_LONG && when === "down" ? FROM : 0;
  for (; done < bytes.length; done += IS_LONG ? STRIDE : 1) {
    if (performance.now() - beganMs > SECONDS * 1_000) break;
    const byte = bytes[done] as ByteOf;
    const bit = (byte.offset * 5 + SEED) % 8;
    const counts = outcomes.get(kindOf(byte.path)) ?? { unused: 0, healed: 0, replaced: 0 };
    outcomes.set(kindOf(byte.path), counts);
    try {
      counts[await flipped(place, { ...byte, bit }, when)] += 1;
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      throw new Error(`${byte.path}, byte ${byte.offset}, bit ${bit}: ${text}`, { cause: error });
    }
  }
  for (const [kind, counts] of outcomes) t.diagnostic(`${kind}: ${JSON.stringify(counts)}`);
  const seconds = Math.round((performance.now() - beganMs) / 1_000);
  t.diagnostic(`${done} of ${bytes.length} bytes, ${seconds} s; BYTES_FROM=${done} goes on`);
}

test(`bytes: any of a member's log and small files is flipped while it is down, seed ${SEED} → nothing wrong is answered, the others go on, it is well again by itself (BT-f3)`, async (t) => {
  await run(t, await atRest());
});

test(`bytes: some of a member's log and small files are flipped while it runs, which is killed then, seed ${SEED} → the same (BT-f3)`, async (t) => {
  await run(t, await atRest(), { when: "running" });
});

test(`bytes: any of the note by which a member comes back, and of what it has by then, seed ${SEED} → it comes back (BT-f3 BT-d1)`, async (t) => {
  await run(t, await onItsWay(), { isWanted: /^(rejoin|member\/(epoch|format))/ });
});
