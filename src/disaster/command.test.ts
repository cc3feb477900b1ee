import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { hostDisk, lockDirectory } from "../host/index.ts";
import { runDisaster } from "./command.ts";
import { makeMember, temporary } from "./fixture.test.ts";
import { readSurvivor } from "./survivor.ts";

async function disaster(...args: string[]) {
  let stdout = "";
  let stderr = "";
  const code = await runDisaster(args, {
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
    isTerminal: false,
  });
  return { code, stdout, stderr };
}

test("disaster: only directories → what each has, which is the most advanced, what to type next (BT-c5)", async (t) => {
  const root = temporary(t);
  await makeMember(`${root}/m1`, { members: [1n, 2n, 3n, 4n, 5n], puts: 4 });
  await makeMember(`${root}/m 2`, { members: [1n, 2n, 3n, 4n, 5n], puts: 6, id: 2n });
  const { code, stdout } = await disaster(`${root}/m1`, `${root}/m 2`);
  assert.equal(code, 0, stdout);
  for (const line of [
    "  member        m1, id 1\n  cluster       c1\n  members       m1, m2, m3, m4, m5\n  term          4\n",
    "  last entry    index 14, term 4\n  committed     index 12, as far as it knows\n",
    "  applied       index 9, in the store\n  revision      1 there, 0 keys, hash ",
    "  integrity     intact: every record of store and log read and its checksum right\n",
    `Most advanced: ${root}/m 2 (last term 4, index 16)\n`,
    "  every acknowledged write after index 16: 3 of 5 voting members are lost (m3, m4, m5),\n",
    `type:\n\n  holdfast disaster recover '${root}/m 2' --yes\n`,
  ]) {
    assert.ok(stdout.includes(line), `${line}not in\n${stdout}`);
  }
});

test("disaster: recover without --yes → says what it would do, and does not (BT-c5)", async (t) => {
  const directory = temporary(t);
  await makeMember(directory);
  const { code, stdout } = await disaster("recover", directory);
  assert.equal(code, 1);
  assert.match(stdout, /holdfast disaster recover \S+ --yes\n$/);
  assert.deepEqual(readdirSync(directory).sort(), ["lock", "member"]);
});

test("disaster: recover --yes → done, kept, commands to go on; asked for again → said again, done once (BT-c5, EQ-c3)", async (t) => {
  const directory = temporary(t);
  await makeMember(directory);
  const first = await disaster("recover", directory, "--yes");
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /is a cluster of its own now\.\n/);
  assert.match(first.stdout, /keys +20, all of them\n/);
  assert.match(first.stdout, /revision +1000000021 \(was 21\)/);
  assert.match(first.stdout, new RegExp(`kept +${directory}/before-disaster-\\d{8}T\\d{6}Z\n`));
  assert.match(first.stdout, /member add m3 --learner --peer-urls=http:\/\/10\.0\.0\.3:2380/);
  const again = await disaster("recover", directory, "--yes");
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stdout, /was recovered before, and has not been started since/);
  const told = (text: string): string => text.slice(text.indexOf(`${directory} is a cluster`));
  assert.equal(told(again.stdout), told(first.stdout));
  const kept = readdirSync(directory).filter((name) => name.startsWith("before-disaster-"));
  assert.equal(kept.length, 1);
  const inspected = await disaster(directory);
  assert.match(inspected.stdout, /recovered +already, and not started since/);
  assert.equal(inspected.code, 1, "it is a cluster of one: there is nothing to recover");
});

test("disaster: a process works on the directory → its pid, and nothing is touched", async (t) => {
  const directory = temporary(t);
  await makeMember(directory);
  const before = (await readSurvivor({ directory, walDirectory: undefined })).store;
  const lock = await lockDirectory(directory);
  const inspected = await disaster(directory);
  const recovered = await disaster("recover", directory, "--yes");
  await lock.release();
  assert.equal(inspected.code, 1);
  assert.match(inspected.stdout, new RegExp(`FAULT .*in use by process ${process.pid}: stop it`));
  assert.match(inspected.stdout, /^NO: what is in use .* stop that member, and look again$/m);
  assert.equal(recovered.code, 1);
  assert.match(recovered.stderr, new RegExp(`in use by process ${process.pid}: stop it first`));
  assert.deepEqual((await readSurvivor({ directory, walDirectory: undefined })).store, before);
});

test("disaster: begun and not finished → inspect says so, recover ends it", async (t) => {
  const directory = temporary(t);
  await makeMember(directory);
  assert.equal((await disaster("recover", directory, "--yes")).code, 0);
  await hostDisk.makeDirectory(`${directory}/disaster.ready`);
  const inspected = await disaster(directory);
  assert.match(inspected.stdout, /To finish the recovery, type:\n\n {2}holdfast disaster recover/);
  const { code, stdout } = await disaster("recover", directory, "--yes");
  assert.equal(code, 0);
  assert.match(stdout, /was begun before; it is finished/);
  assert.equal(await hostDisk.exists(`${directory}/disaster.ready`), false);
});

test("disaster: a majority of the members, a command line that makes no sense → refused, and why", async (t) => {
  const root = temporary(t);
  await makeMember(`${root}/m1`, {});
  await makeMember(`${root}/m3`, { id: 3n });
  const { code, stdout } = await disaster("recover", `${root}/m1`, `${root}/m3`, "--yes");
  assert.equal(code, 1);
  assert.match(stdout, /NO: these are 2 of 3 voting members, a majority: no recovery is needed/);
  assert.equal((await disaster()).code, 2);
  assert.equal((await disaster("--nonsense", root)).code, 2);
  assert.equal((await disaster("--help")).code, 0);
  const uneven = await disaster(`${root}/m1`, `${root}/m3`, "--wal-dir", "/w");
  assert.equal(uneven.code, 1);
  assert.match(uneven.stderr, /--wal-dir was given 1 times for 2 directories/);
  assert.match((await disaster(`${root}/m1`, `${root}/m1`)).stderr, /given twice/);
  assert.match((await disaster("recover", `${root}/m9`, "--yes")).stderr, /there is no directory/);
});
