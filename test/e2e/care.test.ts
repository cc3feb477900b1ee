/**
 * A cluster of processes of which one has a damaged store: nothing wrong is ever served, the others
 * go on, and the member is well again without a person (E4, BT-f3, BT-f4).
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Prng } from "../../src/base/index.ts";
import { METHODS } from "../harness/client.ts";
import { Cluster, type ClusterMember } from "../harness/cluster.ts";
import { poll } from "../harness/process.ts";
import { flipBit, storeFileOf } from "../harness/store-file.ts";

const KEYS = 200;
const SEED = Number(process.env["SEED"] ?? 1);
/** Damaged stores, one after the other. */
const ROUNDS = Number(process.env["CARE_RUNS"] ?? 3);
const HEALED_MS_MAX = 60_000;
/** Of one cluster: a member whose store is replaced for the fourth time in a day stays out. */
const CLUSTER_ROUNDS = 6;

const keyOf = (number: number): Buffer => Buffer.from(`key-${number}`);
const valueOf = (number: number, round: number): Buffer =>
  Buffer.from(`value ${number} of round ${round} ${"v".repeat(200)}`);

function logFile(member: ClusterMember): string {
  const directory = join(member.dataDirectory, "member", "wal");
  const name = readdirSync(directory).findLast((file) => file.endsWith(".wal"));
  assert.ok(name !== undefined, `no log in ${directory}`);
  return join(directory, name);
}

/** Flips a bit in each place where `value` stands. */
function flip(path: string, value: Buffer): number {
  const bytes = readFileSync(path);
  let count = 0;
  for (let at = bytes.indexOf(value); at >= 0; at = bytes.indexOf(value, at + 1)) {
    const byte = at + value.length - 1;
    bytes[byte] = (bytes[byte] ?? 0) ^ 1;
    count += 1;
  }
  // In place: the process that has the file open sees it at once.
  writeFileSync(path, bytes, { flag: "r+" });
  return count;
}

describe(`care of a damaged store, seed ${SEED}`, () => {
  let cluster: Cluster;
  /** By member, how often; each has its turn. */
  const replaced = new Map<string, number>();
  async function begin(): Promise<void> {
    cluster = await Cluster.start("holdfast", { members: 3, flags: ["--snapshot-count", "100"] });
    replaced.clear();
    await fill(0);
  }
  before(begin);
  after(() => cluster.dispose());

  async function fill(round: number): Promise<void> {
    const { client } = await cluster.leader();
    // Together: a round has few moments in which somebody waits for a disk.
    await Promise.all(
      Array.from({ length: KEYS }, (_, number) =>
        client.must(METHODS.put, { key: keyOf(number), value: valueOf(number, round) }),
      ),
    );
  }

  async function pick(from?: readonly ClusterMember[]): Promise<ClusterMember> {
    const members = from ?? (await cluster.followers());
    const count = ({ name }: ClusterMember): number => replaced.get(name) ?? 0;
    const victim = [...members].sort((a, b) => count(a) - count(b))[0];
    assert.ok(victim !== undefined);
    replaced.set(victim.name, count(victim) + 1);
    return victim;
  }

  /** Reads the key from the member itself, until it answers; it must never answer anything else. */
  async function healed(member: ClusterMember, number: number, round: number): Promise<string[]> {
    const refusals: string[] = [];
    await poll(
      `${member.name} to be well`,
      async () => {
        const answer = await member.client
          .call(METHODS.range, { key: keyOf(number), serializable: true })
          .catch((error: unknown) => ({ ok: false as const, refusal: { message: String(error) } }));
        if (!answer.ok) {
          refusals.push(answer.refusal.message);
          return false;
        }
        assert.equal(answer.value.kvs[0]?.value.toString(), valueOf(number, round).toString());
        const { alarms } = await member.client.must(METHODS.alarm, {});
        return alarms.length === 0;
      },
      HEALED_MS_MAX,
    );
    return refusals;
  }

  /** What is written is in the store's file and nowhere in memory: the store moves to another. */
  async function written(member: ClusterMember): Promise<void> {
    await member.client.must(METHODS.range, { key: keyOf(0) });
    await member.client.must(METHODS.defragment, {});
  }

  test("store: values rot in the file of a running member → refused, never wrong; it takes another's store, writes go on (BT-f3 BT-f4)", async () => {
    const prng = new Prng(SEED);
    for (let round = 1; round <= ROUNDS; round += 1) {
      if (round > 1 && round % CLUSTER_ROUNDS === 1) {
        await cluster.dispose();
        await begin();
      }
      await fill(round);
      const victim = await pick(round % 2 === 0 ? [await cluster.leader()] : undefined);
      const number = prng.below(KEYS);
      await written(victim);
      assert.ok(flip(storeFileOf(victim), valueOf(number, round)) > 0);
      const other = cluster.members.find((member) => member !== victim) as ClusterMember;
      const refusals = await healed(victim, number, round);
      assert.ok(refusals.length > 0, "the damage was met");
      await other.client.must(METHODS.put, { key: Buffer.from("goes on"), value: keyOf(round) });
      await cluster.assertAlike();
    }
  });

  test("log: rots in the file of a running member, where nobody reads → found, and gone from the log; the member starts on it again (BT-f3)", async () => {
    const [victim] = await cluster.followers();
    assert.ok(victim !== undefined);
    await victim.stop();
    await victim.start();
    const path = logFile(victim);
    const bytes = readFileSync(path);
    const at = bytes.indexOf(valueOf(3, ROUNDS));
    assert.ok(at > 0, "the value is in the log");
    flipBit(path, at, 0);
    await poll("the segment to go", async () => !existsSync(path), HEALED_MS_MAX);
    await victim.stop();
    await victim.start();
    await healed(victim, 3, ROUNDS);
    await cluster.assertAlike();
  });

  test("store: cut in halves, or gone, while the member was down → it starts without it and takes another's (BT-f3)", async () => {
    await fill(100);
    for (const how of ["cut", "gone"] as const) {
      const victim = await pick();
      await written(victim);
      await victim.stop();
      const path = storeFileOf(victim);
      if (how === "gone") rmSync(path);
      else writeFileSync(path, readFileSync(path).fill(0xa5, 8192));
      await victim.start();
      await healed(victim, 7, 100);
      await cluster.assertAlike();
    }
  });
});
