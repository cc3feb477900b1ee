import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { BackendFailed, CorruptRecord } from "./errors.ts";
import { openLmdbBackend } from "./lmdb-backend.ts";
import type { Backend } from "./types.ts";

const FLIPS = Number(process.env["FUZZ_RUNS"] ?? 2_000) / 250;
const ROWS = 300;
const CHILD = new URL("../../test/harness/backend-process.ts", import.meta.url).pathname;

function keyOf(at: number): Buffer {
  return Buffer.from(`key ${String(at).padStart(6, "0")}`, "latin1");
}

function valueOf(at: number): Buffer {
  return Buffer.from(`value ${at} ${"x".repeat(at % 200)}`, "latin1");
}

async function filled(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-lmdb-"));
  const backend = await openLmdbBackend({ directory });
  for (let at = 0; at < ROWS; at += 1) backend.put("key", keyOf(at), valueOf(at));
  backend.put("auth", Buffer.from("authEnabled"), Buffer.of(1));
  backend.setApplied({ index: ROWS, term: 3 });
  await backend.close();
  return directory;
}

function storeFile(directory: string): string {
  return join(directory, "data-000001.mdb");
}

test("lmdb: a flipped byte in a stored value → CorruptRecord names table and key, others are read (AP-01)", async () => {
  const directory = await filled();
  const whole = readFileSync(storeFile(directory));
  for (const at of [0, 17, 299]) {
    const bytes = Buffer.from(whole);
    const position = bytes.lastIndexOf(valueOf(at));
    assert.ok(position > 0);
    bytes[position + 2] = (bytes[position + 2] as number) ^ 0x04;
    writeFileSync(storeFile(directory), bytes);
    const backend = await openLmdbBackend({ directory });
    const isNamed = (error: unknown): boolean =>
      error instanceof CorruptRecord &&
      error.table === "key" &&
      error.key.equals(keyOf(at)) &&
      error.found !== error.wanted &&
      error.message.startsWith(`corrupt record in ${storeFile(directory)}, table "key", key `) &&
      error.message.includes(keyOf(at).toString("hex"));
    assert.throws(() => backend.get("key", keyOf(at)), isNamed);
    assert.throws(() => backend.scan("key", Buffer.alloc(0), undefined, 1e6), isNamed);
    const view = backend.openReadView();
    assert.throws(() => view.get("key", keyOf(at)), isNamed);
    view.close();
    const other = (at + 1) % ROWS;
    assert.deepEqual(backend.get("key", keyOf(other)), valueOf(other));
    await backend.close();
  }
  rmSync(directory, { recursive: true });
});

test("lmdb: a flipped byte in a small table → the store is not opened", async () => {
  const directory = await filled();
  const bytes = readFileSync(storeFile(directory));
  const position = bytes.lastIndexOf("authEnabled");
  bytes[position + "authEnabled".length] = 0;
  writeFileSync(storeFile(directory), bytes);
  await assert.rejects(
    openLmdbBackend({ directory }),
    (error: unknown) => error instanceof BackendFailed && /table "auth"/.test(error.message),
  );
  rmSync(directory, { recursive: true });
});

test("lmdb: any flipped bit in the file → the right rows or an error, never other rows", async () => {
  const source = await filled();
  const whole = readFileSync(storeFile(source));
  const directory = mkdtempSync(join(tmpdir(), "holdfast-lmdb-flip-"));
  const prng = new Prng(11);
  const wanted = readRows(source);
  assert.equal(wanted.status, 0, wanted.stdout);
  for (let run = 0; run < FLIPS; run += 1) {
    const bytes = Buffer.from(whole);
    // Half of them where LMDB keeps its own structures: at the start of a page.
    const page = prng.below(whole.length / 4096) * 4096;
    const at = prng.chance(0.5) ? page + prng.below(64) : prng.below(whole.length);
    bytes[at] = (bytes[at] as number) ^ (1 << prng.below(8));
    writeFileSync(storeFile(directory), bytes);
    const found = readRows(directory);
    // LMDB trusts its pages, and would end the process: it is not let at them.
    assert.equal(found.signal, null, `byte ${at} ended the process`);
    if (found.status === 0) assert.equal(found.stdout, wanted.stdout, `byte ${at}`);
    else assert.ok(found.stdout.startsWith("error"), `byte ${at}`);
  }
  rmSync(source, { recursive: true });
  rmSync(directory, { recursive: true });
});

function readRows(directory: string): ReturnType<typeof spawnSync> & { stdout: string } {
  rmSync(`${storeFile(directory)}-lock`, { force: true });
  const options = { encoding: "utf8", timeout: 30_000 } as const;
  return spawnSync(process.execPath, [CHILD, "read", directory], options);
}

test("lmdb: a medium that takes no more → commit rejects, the backend is dead, reads go on", async () => {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-lmdb-full-"));
  const command = `ulimit -f 2000; exec "$0" "$1" full "$2"`;
  const child = spawnSync("bash", ["-c", command, process.execPath, CHILD, directory], {
    encoding: "utf8",
    timeout: 60_000,
  });
  assert.match(child.stdout, /^rejected BackendFailed E[A-Z]+ /);
  assert.match(child.stdout, /\nagain BackendFailed\nread 300\nclosed\n$/);
  rmSync(directory, { recursive: true });
});

test("lmdb: a full disk → the error says so, not LMDB's I/O error", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-lmdb-full-"));
  const mount = `mount -t tmpfs -o size=2m tmpfs "$2"`;
  if (spawnSync("unshare", ["-rm", "sh", "-c", mount, "sh", "", directory]).status !== 0) {
    rmSync(directory, { recursive: true });
    return t.skip("small file systems cannot be mounted here");
  }
  const command = ["-rm", "sh", "-c", `${mount} && exec "$0" "$1" full "$2"`];
  const child = spawnSync("unshare", [...command, process.execPath, CHILD, directory], {
    encoding: "utf8",
    timeout: 60_000,
  });
  const [first] = child.stdout.split("\n");
  assert.match(first ?? "", /^rejected BackendFailed ENOSPC .*: no space left on device \(/);
  assert.match(child.stdout, /\nclosed\n$/);
  rmSync(directory, { recursive: true });
});

test("lmdb: kill -9 between commits → each batch that was reported is there, whole", async () => {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-lmdb-kill-"));
  const prng = new Prng(5);
  let least = 0;
  for (let life = 0; life < 3; life += 1) {
    const child = spawn(process.execPath, [CHILD, "write", directory], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const stop = least + 2 + prng.below(6);
    for await (const chunk of child.stdout.setEncoding("utf8")) {
      least = Math.max(least, Number(String(chunk).trim().split("\n").at(-1)));
      if (least >= stop) break;
    }
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    const backend = await openLmdbBackend({ directory });
    const { index } = backend.applied;
    assert.ok(index >= least, `applied ${index}, reported ${least}`);
    const rows = backend.scan("key", Buffer.alloc(0), undefined, 1e6);
    assert.equal(rows.length, index * 100, "a batch is whole or absent");
    least = index;
    await backend.close();
  }
  rmSync(directory, { recursive: true });
});

async function grown(): Promise<{ directory: string; backend: Backend }> {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-lmdb-"));
  const backend = await openLmdbBackend({ directory });
  for (let at = 0; at < 20_000; at += 1) backend.put("key", keyOf(at), valueOf(at));
  await backend.commit();
  return { directory, backend };
}

test("lmdb: ascending keys → pages are filled, not split in halves", async () => {
  const { directory, backend } = await grown();
  let bytes = 0;
  for (let at = 0; at < 20_000; at += 1) bytes += keyOf(at).length + valueOf(at).length + 4;
  const { total, inUse } = backend.sizeBytes();
  assert.ok(inUse <= total);
  // Each row has 8 to 10 bytes of LMDB's own, and each page a header.
  assert.ok(inUse < bytes * 1.2, `${inUse} bytes in use for ${bytes}`);
  await backend.close();
  rmSync(directory, { recursive: true });
});

test("defragment: the file shrinks, the old one goes, an interrupted copy is cleared away", async () => {
  const { directory, backend } = await grown();
  for (let at = 0; at < 19_000; at += 1) backend.delete("key", keyOf(at));
  await backend.commit();
  const before = backend.sizeBytes();
  await Promise.all([backend.defragment(), backend.defragment()]);
  assert.ok(backend.sizeBytes().total < before.total / 5);
  assert.equal(statSync(join(directory, "data-000002.mdb")).mode & 0o777, 0o600);
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.endsWith(".mdb")),
    ["data-000002.mdb"],
  );
  await backend.close();
  copyFileSync(join(directory, "data-000002.mdb"), join(directory, "data-000003.mdb.tmp"));
  copyFileSync(join(directory, "data-000002.mdb"), join(directory, "data-000001.mdb"));
  const again = await openLmdbBackend({ directory });
  assert.equal(again.storedRows("key"), 1000);
  assert.deepEqual(
    readdirSync(directory).filter((name) => !name.endsWith("-lock")),
    ["data-000002.mdb", "in-use"],
  );
  await again.close();
  rmSync(directory, { recursive: true });
});

test("defragment: a copy that the disk refuses → rejects, and the store goes on as it was", async () => {
  const { directory, backend } = await grown();
  mkdirSync(join(directory, "data-000002.mdb"));
  backend.put("key", keyOf(1), Buffer.from("before"));
  const refused = assert.rejects(backend.defragment(), BackendFailed);
  backend.put("key", keyOf(2), Buffer.from("during"));
  const committed = backend.commit();
  await refused;
  await committed;
  assert.equal(backend.failure, undefined);
  assert.equal(backend.get("key", keyOf(1))?.latin1Slice(), "before");
  assert.equal(backend.get("key", keyOf(2))?.latin1Slice(), "during");
  await backend.close();
  rmSync(directory, { recursive: true });
});

test("lmdb: a directory that is a file → one clear error", async () => {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-lmdb-"));
  writeFileSync(join(directory, "store"), "");
  await assert.rejects(openLmdbBackend({ directory: join(directory, "store") }), /EEXIST|ENOTDIR/);
  rmSync(directory, { recursive: true });
});

test("lmdb: a file that is no LMDB file, or part of one → one clear error", async () => {
  const source = await filled();
  const whole = readFileSync(storeFile(source));
  const directory = mkdtempSync(join(tmpdir(), "holdfast-lmdb-"));
  const version = Buffer.from(whole);
  version.writeUInt32LE(9, 28);
  const cases: [Buffer, RegExp][] = [
    [Buffer.alloc(8192, 7), /no LMDB meta page at byte 0: found 7070707, wanted beefc0de/],
    [Buffer.from("short"), /the file ends at byte 5, within its meta pages/],
    [whole.subarray(0, 5000), /the file ends at byte 5000, before its root page|meta page/],
    [version, /LMDB format 9 found, 2 wanted/],
  ];
  for (const [bytes, wanted] of cases) {
    writeFileSync(storeFile(directory), bytes);
    await assert.rejects(openLmdbBackend({ directory }), (error: unknown) => {
      assert.ok(error instanceof BackendFailed);
      assert.match(error.message, /cannot open .*data-000001\.mdb: /);
      assert.match(error.message, wanted);
      return true;
    });
  }
  rmSync(source, { recursive: true });
  rmSync(directory, { recursive: true });
});
