import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { imageOfView, MemoryBackend, openLmdbBackend } from "../backend/index.ts";
import { formatId } from "../datadir/index.ts";
import { hostDisk } from "../host/index.ts";
import { readWal } from "../wal/index.ts";
import { marshalKeyValue } from "../wire/index.ts";
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

function directoryOf(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "holdfast-utl-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The image of a small store, without a checksum. */
async function imageAt(path: string): Promise<void> {
  const backend = new MemoryBackend();
  for (let main = 2; main < 30; main += 1) {
    const key = Buffer.alloc(17, "_");
    key.writeBigUInt64BE(BigInt(main), 0);
    key.writeBigUInt64BE(0n, 9);
    const value = Buffer.from("v");
    const pair = {
      key: "k",
      createRevision: 2,
      modRevision: main,
      version: main - 1,
      value,
      lease: 0n,
    };
    backend.put("key", key, marshalKeyValue(pair));
  }
  backend.put("members", Buffer.from("5"), Buffer.from('{"id":5,"peerURLs":["http://h:1"]}'));
  backend.put("members_removed", Buffer.from("6"), Buffer.from("removed"));
  backend.put("cluster", Buffer.from("clusterVersion"), Buffer.from("3.5.0"));
  backend.put("meta", Buffer.from("storageVersion"), Buffer.from("3.6.0"));
  backend.setApplied({ index: 999, term: 44 });
  await backend.commit();
  const image = await imageOfView(backend.openReadView(), () => Promise.resolve());
  const pieces: Buffer[] = [];
  for await (const piece of image.read(0)) pieces.push(piece);
  writeFileSync(path, Buffer.concat(pieces));
}

test("utl: snapshot status prints simple, json, fields and table, refuses others (UT-00, UT-02)", async (t) => {
  const path = join(directoryOf(t), "s.db");
  await imageAt(path);
  const json = await utl("snapshot", "status", path, "-w", "json");
  const status = JSON.parse(json.stdout) as Record<string, unknown>;
  assert.deepEqual(Object.keys(status), ["hash", "revision", "totalKey", "totalSize", "version"]);
  assert.equal(status["revision"], 29);
  assert.equal(status["totalKey"], 34);
  assert.equal(status["version"], "3.6.0");
  const hash = (status["hash"] as number).toString(16);
  const simple = await utl("snapshot", "status", path);
  assert.equal(simple.stdout, `${hash}, 29, 34, 57 kB, 3.6.0\n`);
  const table = await utl("--write-out=table", "snapshot", "status", path);
  assert.match(table.stdout, /^\+[-+]+\+\n\|\s+HASH\s+\| REVISION \|.*VERSION \|\n\+-/);
  const fields = await utl("snapshot", "status", path, "--write-out", "fields");
  assert.match(fields.stdout, /^"Hash" : \d+\n"Revision" : 29\n"Keys" : 34\n/);
  assert.equal((await utl("snapshot", "status", path, "-w", "xml")).code, 3);
});

test("utl: wrong use → etcdutl's words and exit codes (UT-00, UT-03)", async (t) => {
  const directory = directoryOf(t);
  const path = join(directory, "s.db");
  await imageAt(path);
  const out = join(directory, "out");
  const restore = (...args: string[]) =>
    utl("snapshot", "restore", path, "--data-dir", out, "--skip-hash-check", ...args);
  const cases: [ReturnType<typeof utl>, number, string][] = [
    [utl("snapshot", "status"), 128, "snapshot status requires exactly one argument"],
    [utl("snapshot", "restore"), 128, "snapshot restore requires exactly one argument"],
    [utl("snapshot", "restore", "a", "b"), 128, "snapshot restore requires exactly one argument"],
    [utl("snapshot", "status", "/no/file"), 1, "stat /no/file: no such file or directory"],
    [restore("--bump-revision", "5"), 128, "--mark-compacted required if --revision-bump > 0"],
    [restore("--mark-compacted"), 128, "--mark-compacted required if --revision-bump > 0"],
    [
      restore("--name", "x"),
      1,
      `couldn't find local name "x" in the initial cluster configuration`,
    ],
    [
      restore("--initial-advertise-peer-urls", "http://h:1"),
      1,
      "--initial-cluster has default=http://localhost:2380 but missing from " +
        "--initial-advertise-peer-urls=http://h:1",
    ],
    [restore("--initial-cluster", "x"), 1, "URL scheme must be http, https, unix, or unixs: "],
    [
      restore("--initial-cluster", "default=http://h"),
      1,
      'URL address does not have the form "host:port": http://h',
    ],
    [
      restore("--initial-cluster", "default=http://h:1/p"),
      1,
      "URL must not contain a path: http://h:1/p",
    ],
    [
      restore("--initial-cluster", "a=http://h:1,default=http://h:1"),
      1,
      "initial cluster a=http://h:1,default=http://h:1 has duplicate url",
    ],
  ];
  for (const [running, code, message] of cases) {
    const answer = await running;
    assert.equal(answer.stderr, `Error: ${message}\n`);
    assert.equal(answer.code, code, message);
  }
  assert.equal(existsSync(out), false);
  assert.match((await restore("--wrong")).stderr, /unknown option '--wrong'/);
  assert.equal((await utl("snapshot", "save", "x")).code, 128);
  mkdirSync(out);
  writeFileSync(join(out, "f"), "");
  assert.match((await restore()).stderr, /data-dir ".*out" not empty or could not be read/);
  rmSync(out, { recursive: true });
  mkdirSync(join(directory, "wal"));
  const used = await restore("--wal-dir", join(directory, "wal"));
  assert.match(used.stderr, /Error: wal-dir ".*wal" exists/);
});

test("utl: restore → a store and a log as founders have them, of the new members alone (UT-04, RA-06, ID-05)", async (t) => {
  const directory = directoryOf(t);
  const path = join(directory, "s.db");
  await imageAt(path);
  const out = join(directory, "out");
  const wal = join(directory, "elsewhere", "wal");
  const answer = await utl(
    ...["snapshot", "restore", path, "--data-dir", out, "--wal-dir", wal, "--skip-hash-check=true"],
    ...["--initial-cluster", "b=http://h:2,a=http://h:1,b=http://h:3", "--name", "b"],
    ...["--initial-advertise-peer-urls", "http://h:3,http://h:2", "--initial-cluster-token", "t"],
    ...["--initial-memory-map-size", "0"],
  );
  assert.equal(answer.code, 0, answer.stderr);
  assert.match(answer.stderr, /"msg":"restoring snapshot".*\n.*"added member"/);
  const reader = await readWal(hostDisk, wal, { index: 2, term: 1 }, 0);
  await reader.drain();
  const snapshot = reader.snapshots.at(-1);
  const ids = snapshot?.confState?.voters ?? [];
  assert.equal(ids.length, 2);
  assert.deepEqual([snapshot?.index, snapshot?.term], [2, 1]);
  assert.deepEqual(reader.hardState, { term: 1, vote: ids[0], commit: 2 });
  // Nobody is to be brought up from the log alone.
  assert.equal(reader.terms.baseIndex, 2);
  const backend = await openLmdbBackend({ directory: join(out, "member", "store") });
  try {
    assert.deepEqual(backend.applied, { index: 2, term: 1 });
    const rows = backend.scan("members", Buffer.alloc(0), undefined, 10);
    const keys = rows.map(({ key }) => key.toString());
    assert.deepEqual(keys, ids.map(formatId).sort());
    assert.ok(rows.some(({ value }) => value.toString().includes('["http://h:2","http://h:3"]')));
    for (const table of ["members_removed", "cluster"] as const) {
      assert.deepEqual(backend.scan(table, Buffer.alloc(0), undefined, 1), [], table);
    }
    assert.equal(backend.storedRows("key"), 28);
    const voters = backend.get("meta", Buffer.from("confState"))?.toString();
    assert.equal(voters, `{"voters":[${ids.join(",")}],"auto_leave":false}`);
  } finally {
    await backend.close();
  }
});
