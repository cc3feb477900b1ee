import assert from "node:assert/strict";
import { mkdtempSync, rmSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { hostDisk } from "../host/index.ts";
import {
  DataDirectoryError,
  findDataDirectory,
  openDataDirectory,
  RECOVERY_READY,
} from "./data-directory.ts";

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-data-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, "default.etcd");
}

test("data directory: a fresh one is laid out and marked with its format", async (t) => {
  const root = temporary(t);
  const paths = await openDataDirectory(hostDisk, root);
  assert.equal(paths.wal, `${root}/member/wal`);
  assert.match(readFileSync(`${root}/member/format`, "utf8"), /^(holdfast 1 #[0-9a-f]{8}\n){2}$/);
  await openDataDirectory(hostDisk, root);
});

test("data directory: any byte of its mark rots → the mark is known, and mended (BT-f3)", async (t) => {
  const root = temporary(t);
  await openDataDirectory(hostDisk, root);
  const path = `${root}/member/format`;
  const written = readFileSync(path);
  for (let at = 0; at < written.length; at += 1) {
    const bytes = Buffer.from(written);
    bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
    writeFileSync(path, bytes);
    await findDataDirectory(hostDisk, root);
    assert.ok(readFileSync(path).equals(bytes), "who only looks changes nothing");
    await openDataDirectory(hostDisk, root);
    assert.ok(readFileSync(path).equals(written), `byte ${at}`);
  }
  writeFileSync(path, "holdfast 1\n");
  await openDataDirectory(hostDisk, root);
  assert.ok(readFileSync(path).equals(written), "a mark without a seal gets one");
});

test("data directory: one of a newer version is refused, with both numbers (SV-02)", async (t) => {
  const root = temporary(t);
  await openDataDirectory(hostDisk, root);
  writeFileSync(`${root}/member/format`, "holdfast 2\n");
  await assert.rejects(openDataDirectory(hostDisk, root), (error: Error) => {
    assert.ok(error instanceof DataDirectoryError);
    assert.match(error.message, /format 2, this version reads up to 1; start the newer version/);
    return true;
  });
});

test("data directory: a damaged mark is refused, quoting what was found", async (t) => {
  const root = temporary(t);
  await openDataDirectory(hostDisk, root);
  writeFileSync(`${root}/member/format`, "??");
  await assert.rejects(openDataDirectory(hostDisk, root), /says "\?\?", wanted "holdfast 1"/);
});

test("data directory: one of a real etcd is left alone and told apart", async (t) => {
  const root = temporary(t);
  mkdirSync(`${root}/member/snap`, { recursive: true });
  writeFileSync(`${root}/member/snap/db`, "");
  await assert.rejects(
    openDataDirectory(hostDisk, root),
    /holds an etcd store .* etcdctl make-mirror/,
  );
});

test("data directory: looked for and not there → said, and nothing is made", async (t) => {
  const root = temporary(t);
  await assert.rejects(
    findDataDirectory(hostDisk, root),
    /no member's data in .*format is missing/,
  );
  assert.equal(await hostDisk.exists(root), false);
  await openDataDirectory(hostDisk, root);
  const paths = await findDataDirectory(hostDisk, root, "/elsewhere/wal");
  assert.equal(paths.wal, "/elsewhere/wal");
});

test("data directory: a recovery was begun and not finished → no member starts on it (BT-c5)", async (t) => {
  const root = temporary(t);
  await openDataDirectory(hostDisk, root);
  mkdirSync(join(root, RECOVERY_READY));
  await assert.rejects(openDataDirectory(hostDisk, root), /holdfast disaster recover .* --yes/);
});
