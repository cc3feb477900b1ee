/**
 * A real process that is killed at random moments under load, and data directories that come back
 * damaged: nothing acknowledged is lost, nothing refused comes back, and nothing wrong is served.
 *
 * CRASH_RUNS says how often it is killed, SEED when. LONG_SUITE=1 tears the log at every byte.
 */
import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Prng } from "../../src/base/index.ts";
import { METHODS, TestClient } from "../harness/client.ts";
import {
  numberFromEnv,
  type Server,
  start,
  temporaryDirectory,
  UNDER_TEST,
} from "../harness/process.ts";
import { lastWalFile } from "./wal-file.ts";
import { Workload } from "./workload.ts";

const RUNS = numberFromEnv("CRASH_RUNS", 5);
const SEED = numberFromEnv("SEED", 1);
const IS_LONG = process.env.LONG_SUITE === "1";
const WRITERS = 6;

test(
  `crash: killed ${RUNS} times under load (seed ${SEED}) → every acknowledged write is there, ` +
    "revisions go on (WL-02 WL-11 DB-01 LE-11 KV-09)",
  async (t) => {
    const random = new Prng(SEED);
    const workload = new Workload(random, WRITERS);
    let server = await start(UNDER_TEST);
    const { dataDirectory } = server;
    let acknowledgements = 0;
    try {
      for (let run = 0; run < RUNS; run++) {
        // Mostly under load, at times while it is still warming up.
        const isEarly = random.chance(0.2);
        const lifeMs = random.below(isEarly ? 100 : 700);
        const killLater = (): void => {
          setTimeout(() => server.signal("SIGKILL"), lifeMs);
        };
        if (isEarly) killLater();
        const load = await workload.run(server.address, isEarly ? () => undefined : killLater);
        acknowledgements += load.acknowledgements;
        await server.exited;
        server = await start(UNDER_TEST, { dataDirectory });
        const problems = await workload.check(server.address);
        assert.deepEqual(problems, [], `run ${run}, killed after ${lifeMs} ms, seed ${SEED}`);
      }
      t.diagnostic(`${acknowledgements} acknowledged writes over ${RUNS} crashes`);
      assert.ok(acknowledgements > 0);
    } finally {
      await server.kill();
      rmSync(dataDirectory, { recursive: true, force: true });
    }
  },
);

test("crash: state changed behind the workload's back → each change is found", async () => {
  const workload = new Workload(new Prng(SEED), WRITERS);
  const server = await start(UNDER_TEST);
  const client = new TestClient(server.address);
  try {
    // The load ends with the first server; the second stands for what came back after a crash.
    const load = workload.run(server.address, () => {
      setTimeout(() => server.signal("SIGKILL"), 300);
    });
    await load;
    await server.exited;
    const again = await start(UNDER_TEST, {
      dataDirectory: server.dataDirectory,
      ports: server.ports,
    });
    try {
      const all = { key: Buffer.from([0]), rangeEnd: Buffer.from([0]) };
      const { kvs } = await client.must(METHODS.range, all);
      const [lost, changed] = kvs;
      assert.ok(lost !== undefined && changed !== undefined, "the load wrote too little");
      await client.must(METHODS.deleteRange, { key: lost.key });
      await client.must(METHODS.put, { key: changed.key, value: Buffer.from("another") });
      await client.must(METHODS.put, { key: Buffer.from("strange") });
      await client.must(METHODS.leaseRevoke, { id: 1n });
      const problems = (await workload.check(again.address)).join("\n");
      assert.match(problems, new RegExp(`^${lost.key.toString()} is undefined, acknowledged`, "m"));
      assert.match(problems, new RegExp(`^${changed.key.toString()} is "another"`, "m"));
      assert.match(problems, /^key "strange" was never written$/m);
      assert.match(problems, /^lease 1 was granted and is gone$/m);
    } finally {
      await again.kill();
    }
  } finally {
    client.close();
    await server.dispose();
  }
});

interface Written {
  readonly key: Buffer;
  readonly value: Buffer;
}

const COUNT = 30;

function entry(i: number): Written {
  return { key: Buffer.from(`k${i}`), value: Buffer.from(`value-${i}-${"v".repeat(i)}`) };
}

/** What a server on a copy of the data answers for each key; undefined when it did not start. */
async function serve(
  dataDirectory: string,
): Promise<{ found: Map<string, string>; refusals: string[]; log: string } | { log: string }> {
  let server: Server;
  try {
    server = await start(UNDER_TEST, { dataDirectory });
  } catch (error) {
    return { log: error instanceof Error ? error.message : String(error) };
  }
  const client = new TestClient(server.address);
  const found = new Map<string, string>();
  const refusals: string[] = [];
  for (let i = 0; i < COUNT; i++) {
    const { key } = entry(i);
    const answer = await client.call(METHODS.range, { key, serializable: true });
    if (!answer.ok) refusals.push(`${key.toString()}: ${answer.refusal.message}`);
    else if (answer.value.kvs[0] !== undefined) {
      found.set(key.toString(), answer.value.kvs[0].value.toString());
    }
  }
  client.close();
  await server.kill();
  return { found, refusals, log: server.log };
}

describe("damage", () => {
  let original: string;
  before(async () => {
    const server = await start(UNDER_TEST);
    original = server.dataDirectory;
    const client = new TestClient(server.address);
    for (let i = 0; i < COUNT; i++) await client.must(METHODS.put, entry(i));
    // At once, before the store has taken the last write from the log.
    await server.kill();
    client.close();
  });
  after(() => rmSync(original, { recursive: true, force: true }));

  async function onCopy<T>(run: (directory: string) => Promise<T>): Promise<T> {
    const directory = temporaryDirectory("damage");
    try {
      cpSync(original, directory, { recursive: true });
      return await run(directory);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  test("log: torn at bytes of its last entry → all before it is served (WL-06)", async () => {
    const { frames } = lastWalFile(original);
    const lo = frames.findLast((frame) => frame.type === 2)?.offset;
    const hi = frames.at(-1)?.end;
    assert.ok(lo !== undefined && hi !== undefined);
    const step = IS_LONG ? 1 : Math.ceil((hi - lo) / 6);
    for (let at = lo; at < hi; at += step) {
      for (const how of ["cut", "zeroed"] as const) {
        if (!IS_LONG && how === "cut" && at !== lo) continue;
        await onCopy(async (directory) => {
          const { path } = lastWalFile(directory);
          const bytes = readFileSync(path);
          if (how === "cut") writeFileSync(path, bytes.subarray(0, at));
          else writeFileSync(path, bytes.fill(0, at));
          const served = await serve(directory);
          const where = `${how} at ${at} of ${lo}..${hi}`;
          assert.ok("found" in served, `${where}: did not start: ${served.log}`);
          assert.deepEqual(served.refusals, [], where);
          for (let i = 0; i < COUNT - 1; i++) {
            const { key, value } = entry(i);
            assert.equal(served.found.get(key.toString()), value.toString(), where);
          }
          const { key, value } = entry(COUNT - 1);
          const newest = served.found.get(key.toString());
          assert.ok(newest === undefined || newest === value.toString(), where);
        });
      }
    }
  });

  test("log: a flipped byte before its end → refused with the file's name, nothing served (WL-04)", async () => {
    const { frames } = lastWalFile(original);
    const random = new Prng(SEED);
    const inside = frames.slice(0, -2);
    for (let round = 0; round < (IS_LONG ? 60 : 4); round++) {
      const frame = random.pick(inside);
      const at = frame.offset + 8 + random.below(frame.recordBytes);
      await onCopy(async (directory) => {
        const { path } = lastWalFile(directory);
        const bytes = readFileSync(path);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
        writeFileSync(path, bytes);
        const served = await serve(directory);
        assert.ok(!("found" in served), `byte ${at} was flipped and the member started`);
        if (UNDER_TEST === "etcd") return;
        assert.ok(served.log.includes(basename(path)), `no file is named:\n${served.log}`);
      });
    }
  });

  test("store: a flipped byte of a value → refused, or the member does not start; never served", async () => {
    await onCopy(async (directory) => {
      // A start and an orderly stop bring everything from the log into the store.
      const server = await start(UNDER_TEST, { dataDirectory: directory });
      await server.stop();
      const { key, value } = entry(COUNT - 1);
      const path = fileWith(directory, value);
      assert.ok(path !== undefined, "the value is in no file of the store");
      const bytes = readFileSync(path);
      for (let at = bytes.indexOf(value); at >= 0; at = bytes.indexOf(value, at + 1)) {
        const byte = at + value.length - 1;
        bytes[byte] = (bytes[byte] ?? 0) ^ 1;
      }
      writeFileSync(path, bytes);
      const served = await serve(directory);
      if (!("found" in served)) {
        if (UNDER_TEST !== "etcd")
          assert.match(served.log, /corrupt record in .*data-\d+\.mdb, table \\"key\\"/);
        return;
      }
      const answer = served.found.get(key.toString());
      const isReplayed = answer === value.toString();
      assert.ok(answer === undefined || isReplayed, `served ${JSON.stringify(answer)}`);
      if (UNDER_TEST === "etcd" || isReplayed) return;
      assert.equal(served.refusals.length, 1, "the damage is not reported to the client");
    });
  });
});

/** The store's file that holds these bytes; the log does not count. */
function fileWith(directory: string, bytes: Buffer): string | undefined {
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    const path = join(directory, name);
    if (name.endsWith(".wal") || !statSync(path).isFile()) continue;
    if (readFileSync(path).includes(bytes)) return path;
  }
  return undefined;
}
