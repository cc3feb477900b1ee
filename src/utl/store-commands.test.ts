/** The commands that look into a store: hashkv, defrag, migrate; and what asks for none. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { imageOfView, openLmdbBackend } from "../backend/index.ts";
import { openDataDirectory } from "../datadir/index.ts";
import { hostDisk, lockDirectory } from "../host/index.ts";
import { openStore } from "../mvcc/index.ts";
import { runUtl } from "./command.ts";

async function utl(...args: string[]) {
  let stdout = "";
  let stderr = "";
  const code = await runUtl(args, {
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
  });
  return { code, stdout, stderr };
}

const yieldToLoop = (): Promise<void> => Promise.resolve();

/** A data directory with a store of 40 revisions, compacted at 15, and an image of it. */
async function makeStore(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), "holdfast-utl-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const data = join(root, "data");
  const paths = await openDataDirectory(hostDisk, data);
  const backend = await openLmdbBackend({ directory: paths.store });
  const store = await openStore(backend, { yieldToLoop });
  for (let count = 0; count < 39; count += 1) {
    const tx = store.begin();
    tx.put(`k${count % 5}`, Buffer.alloc(2_000, count), 0n);
    tx.end();
  }
  store.compact(15);
  while (store.compactStep(100));
  backend.put("cluster", Buffer.from("clusterVersion"), Buffer.from("3.7.0"));
  backend.setApplied({ index: 50, term: 2 });
  const hashes = [await store.hashKv(0), await store.hashKv(20)];
  const image = await imageOfView(backend.openReadView(), yieldToLoop);
  const snapshot = join(root, "snap.db");
  const file = await hostDisk.open(snapshot, "create");
  let offset = 0;
  for await (const piece of image.read(0)) {
    await file.write(piece, offset);
    offset += piece.length;
  }
  await file.close();
  image.close();
  await backend.close();
  return { data, snapshot, hashes };
}

test("utl: hashkv of a snapshot and of a data directory → the store's own, in all formats (UT-05)", async (t) => {
  const { data, snapshot, hashes } = await makeStore(t);
  for (const path of [data, snapshot]) {
    for (const [at, revision] of [
      [0, []],
      [1, ["--rev", "20"]],
    ] as const) {
      const found = await utl("hashkv", path, ...revision, "-w", "json");
      const { hash, hashRevision, compactRevision } = JSON.parse(found.stdout);
      assert.deepEqual({ hash, hashRevision, compactRevision }, hashes[at], path);
    }
  }
  const [newest] = hashes;
  assert.ok(typeof newest === "object");
  const { hash } = newest;
  assert.equal((await utl("hashkv", snapshot)).stdout, `${hash}, 40, 15\n`);
  const fields = `"Hash" : ${hash}\n"Hash revision" : 40\n"Compact revision" : 15\n`;
  assert.equal((await utl("hashkv", snapshot, "-w", "fields")).stdout, fields);
  const table = (await utl("hashkv", snapshot, "-w", "table")).stdout;
  assert.match(table, /\| +HASH +\| HASH REVISION \| COMPACT REVISION \|/);
  assert.equal((await utl("hashkv", snapshot, "-w", "protobuf")).code, 3);
});

test("utl: hashkv of what cannot be had → the reason, and no result (UT-05)", async (t) => {
  const { data, snapshot } = await makeStore(t);
  const cases: [string[], string][] = [
    [[snapshot, "--rev", "14"], "mvcc: required revision has been compacted"],
    [[data, "--rev", "41"], "mvcc: required revision is a future revision"],
    [[], "accepts 1 arg(s), received 0"],
    [[snapshot, "--rev", "-1"], 'invalid argument "-1" for "--rev" flag: a whole number is wanted'],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await utl("hashkv", ...args);
    assert.deepEqual([code, stdout, stderr], [1, "", `Error: ${message}\n`]);
  }
  assert.match((await utl("hashkv", "/no/such")).stderr, /no such file or directory/);
});

test("utl: defrag → the store is smaller, and says the same (UT-01)", async (t) => {
  const { data, hashes } = await makeStore(t);
  const answer = await utl("defrag", "--data-dir", data);
  assert.equal(answer.code, 0, answer.stderr);
  const diff = /"current-db-size-bytes-diff":(-?\d+)/.exec(answer.stderr)?.[1];
  assert.ok(Number(diff) < 0, answer.stderr);
  const found = JSON.parse((await utl("hashkv", data, "-w", "json")).stdout);
  assert.equal(found.hash, (hashes[0] as { hash: number }).hash);
});

test("utl: a data directory in use, missing or empty → refused, nothing is changed (UT-00, UT-01)", async (t) => {
  const { data } = await makeStore(t);
  const lock = await lockDirectory(data);
  const held = await utl("--timeout", "0", "defrag", "--data-dir", data);
  await lock.release();
  assert.equal(held.code, 1);
  assert.match(held.stderr, /Error: Failed to defragment etcd data\[.*data\] \(.*use/);
  assert.match((await utl("defrag", "--data-dir", "/no/such")).stderr, /has no member/);
  const empty = join(data, "empty");
  mkdirSync(join(empty, "member"), { recursive: true });
  assert.match((await utl("hashkv", empty)).stderr, /no member's data in/);
  const missing = await utl("defrag");
  assert.deepEqual(
    [missing.code, missing.stderr],
    [1, 'Error: required flag(s) "data-dir" not set\n'],
  );
});

test("utl: migrate → etcdutl's refusals, and who changes the version (UT-06)", async (t) => {
  const { data } = await makeStore(t);
  const migrate = (version: string) =>
    utl("migrate", "--data-dir", data, "--target-version", version, "--force");
  const same = await migrate("3.7");
  assert.equal(same.code, 0);
  assert.match(same.stderr, /"msg":"storage version up-to-date","storage-version":"3\.7"/);
  const cases: [string, number, RegExp][] = [
    ["abc", 128, /^Error: wrong target version format, expected "X\.Y", got "abc"\n$/],
    ["3.6.0", 128, /^Error: wrong target version format, expected "X\.Y", got "3\.6\.0"\n$/],
    [
      "3.a",
      128,
      /^Error: failed to parse target version: strconv\.ParseInt: parsing "a": invalid syntax\n$/,
    ],
    ["3.4", 128, /^Error: target version "3\.4" not supported\. Minimal "3\.5"\n$/],
    ["3.6", 1, /storage version is 3\.7, wanted 3\.6: .* etcdctl downgrade enable 3\.6/],
    ["3.8", 1, /storage version is 3\.7, wanted 3\.8: .* rises by itself/],
  ];
  for (const [version, code, message] of cases) {
    const answer = await migrate(version);
    assert.equal(answer.code, code, version);
    assert.match(answer.stderr, message);
  }
});

test("utl: version, help with examples, completion for each shell (UT-07)", async () => {
  assert.equal((await utl("version")).stdout, "etcdutl version: 3.7.1\nAPI version: 3.7\n");
  for (const command of ["snapshot status", "snapshot restore", "defrag", "hashkv", "migrate"]) {
    const help = await utl(...command.split(" "), "--help");
    assert.equal(help.code, 0);
    assert.match(help.stdout, new RegExp(`Examples:\n  etcdutl ${command} `));
  }
  for (const shell of ["bash", "zsh", "fish", "powershell"]) {
    const { code, stdout } = await utl("completion", shell);
    assert.equal(code, 0);
    for (const word of ["hashkv", "restore", "to-revision"]) {
      assert.ok(stdout.includes(word), `${shell}: ${word}`);
    }
  }
  assert.equal((await utl("completion", "csh")).code, 128);
});

test("utl: restore from backups, used wrongly → refused before anything is made", async () => {
  const restore = (...args: string[]) => utl("snapshot", "restore", ...args);
  const cases: [string[], number, RegExp][] = [
    [["--to-revision", "5"], 128, /--to-revision and --to-time need --from/],
    [["--from", "/b", "--to-revision", "5", "--to-time", "x"], 128, /not both/],
    [["--from", "/b", "snap.db"], 128, /requires no file beside --from/],
    [["--from", "/b", "--to-time", "yesterday"], 1, /a time such as 2026-11-21T15:04:05Z/],
    [["--from", "/no/such"], 1, /there is no backup location \/no\/such/],
    [["--from", tmpdir(), "--to-revision", "x"], 1, /a whole number is wanted/],
  ];
  for (const [args, code, message] of cases) {
    const answer = await restore(...args);
    assert.equal(answer.code, code, answer.stderr);
    assert.match(answer.stderr, message);
  }
});
