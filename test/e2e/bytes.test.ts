/**
 * A cluster of processes of which one has a flipped byte in a file: also in the pages that LMDB
 * reads as memory, where it would end the process again and again. Whatever supervises the member
 * starts it anew when it ended; nobody does anything else.
 *
 * BYTES_RUNS says how many bytes, in turn while the member is down and while it runs; SEED which.
 */
import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { after, before, describe, test } from "node:test";
import { Prng } from "../../src/base/index.ts";
import { METHODS } from "../harness/client.ts";
import { Cluster, type ClusterMember } from "../harness/cluster.ts";
import { numberFromEnv, poll } from "../harness/process.ts";
import { flipBit, storeFileOf } from "../harness/store-file.ts";

const SEED = numberFromEnv("SEED", 1);
const RUNS = numberFromEnv("BYTES_RUNS", 2);
const KEYS = 400;
const PAGE_BYTES = 4_096;
const HEALED_MS_MAX = 60_000;
/** Of one damaged byte; a member that ends more often goes round in circles. */
const DEATHS_MAX = 2;

interface Flip {
  readonly path: string;
  readonly at: number;
  readonly bit: number;
}

const keyOf = (number: number): Buffer => Buffer.from(`key-${number}`);
const valueOf = (number: number): Buffer => Buffer.from(`value ${number} ${"v".repeat(200)}`);

function filesOf(member: ClusterMember): string[] {
  return readdirSync(member.dataDirectory, { recursive: true, encoding: "utf8" })
    .map((name) => join(member.dataDirectory, name))
    .filter((path) => statSync(path).isFile() && statSync(path).size > 0);
}

/** Mostly where LMDB keeps its own structures; else anywhere in any file. */
function pick(prng: Prng, member: ClusterMember): Flip {
  const bit = prng.below(8);
  if (prng.chance(0.3)) {
    const path = prng.pick(filesOf(member));
    return { path, at: prng.below(statSync(path).size), bit };
  }
  const store = storeFileOf(member);
  const page = prng.below(Math.floor(statSync(store).size / PAGE_BYTES));
  // Meta pages have more of it.
  const headBytes = page < 2 ? 160 : 64;
  return { path: store, at: page * PAGE_BYTES + prng.below(headBytes), bit };
}

describe(`bytes of a process's files, seed ${SEED}`, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start("holdfast", { members: 3, flags: ["--snapshot-count", "200"] });
    const { client } = await cluster.leader();
    for (let number = 0; number < KEYS; number += 1) {
      await client.must(METHODS.put, { key: keyOf(number), value: valueOf(number) });
    }
  });
  after(() => cluster.dispose());

  /** Reads every key from the member itself until all are there; never anything else. */
  async function isRight(member: ClusterMember): Promise<boolean> {
    for (let number = 0; number < KEYS; number += 1) {
      const query = { key: keyOf(number), serializable: true };
      const answer = await member.client.call(METHODS.range, query);
      if (!answer.ok) return false;
      const [kv] = answer.value.kvs;
      // A member that begins anew has nothing yet.
      if (kv === undefined) return false;
      assert.equal(kv.value.toString(), valueOf(number).toString());
    }
    const { alarms } = await member.client.must(METHODS.alarm, {});
    return alarms.length === 0 && (await member.status())?.isLearner !== true;
  }

  /** Starts it whenever it ended; answers how often it had. */
  async function untilWell(member: ClusterMember): Promise<number> {
    let deaths = 0;
    await poll(
      `${member.name} to be well`,
      async () => {
        if (!member.isRunning) {
          deaths += 1;
          assert.ok(deaths <= DEATHS_MAX, "it does not stay up");
          member.launch();
        }
        return await isRight(member).catch((error: unknown) => {
          if (error instanceof assert.AssertionError) throw error;
          return false;
        });
      },
      HEALED_MS_MAX,
    );
    return deaths;
  }

  async function goesOn(but: ClusterMember): Promise<void> {
    const other = cluster.members.find((member) => member !== but) as ClusterMember;
    await poll("a write", async () => {
      const pair = { key: Buffer.from("goes on"), value: keyOf(0) };
      return (await other.client.call(METHODS.put, pair)).ok;
    });
  }

  test(`bytes: ${RUNS} in the files of a member that is down, or runs → right or refused, the others go on, well again without a person; no loop of ends (BT-f3)`, async (t) => {
    const prng = new Prng(SEED);
    for (let round = 0; round < RUNS; round += 1) {
      const victim = cluster.members[round % 3] as ClusterMember;
      const isDown = round % 2 === 0;
      if (isDown) await victim.stop();
      const chosen = pick(prng, victim);
      const name = relative(victim.dataDirectory, chosen.path);
      const where = `${name} byte ${chosen.at} bit ${chosen.bit}, ${isDown ? "down" : "running"}`;
      try {
        flipBit(chosen.path, chosen.at, chosen.bit);
        await goesOn(victim);
        if (isDown) victim.launch();
        const deaths = await untilWell(victim);
        await cluster.assertAlike();
        const isHealed = /"care: /.test(victim.server.log);
        t.diagnostic(`${where}: ${deaths} ends${isHealed ? ", healed" : ""}`);
      } catch (error) {
        throw new Error(`seed ${SEED}, ${where}:\n${victim.server.tail()}`, { cause: error });
      }
    }
  });

  test("bytes: every page of the store is damaged under a member that is killed then → it starts once, and has another's store (BT-f3)", async () => {
    const [victim] = (await cluster.followers()) as [ClusterMember];
    const store = storeFileOf(victim);
    for (let page = 2; page < Math.floor(statSync(store).size / PAGE_BYTES); page += 1) {
      for (const bit of [4, 5, 6, 7]) flipBit(store, page * PAGE_BYTES + 23, bit);
    }
    await goesOn(victim);
    // As a crash would: the store was not closed.
    await victim.kill();
    victim.launch();
    assert.equal(await untilWell(victim), 0);
    await victim.server.says(/cannot open .*page \d+/);
    await cluster.assertAlike();
  });
});
