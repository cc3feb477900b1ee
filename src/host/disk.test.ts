import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hostDisk, withoutSync } from "./disk.ts";

function temporary(): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), "holdfast-disk-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

test("disk: what was written, durably or not, is read back at its offset", async () => {
  using directory = temporary();
  const path = join(directory.path, "a");
  const file = await hostDisk.open(path, "create");
  await file.writeDurable(Buffer.from("abc"), 2);
  await file.write(Buffer.from("def"), 5);
  await file.writeDurable(new Uint8Array(0), 0);
  const into = Buffer.alloc(16, 0xff);
  assert.equal(await file.read(into, 1), 7);
  assert.equal(into.toString("latin1", 0, 7), "\0abcdef");
  assert.equal(await file.size(), 8);
  await file.truncate(4);
  await file.sync();
  await file.close();
  assert.equal(readFileSync(path, "latin1"), "\0\0ab");
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("disk: durable writes go to the opened file after it was renamed", async () => {
  using directory = temporary();
  const file = await hostDisk.open(join(directory.path, "new.tmp"), "create");
  await hostDisk.rename(join(directory.path, "new.tmp"), join(directory.path, "new"));
  await file.writeDurable(Buffer.from("x"), 0);
  await file.close();
  assert.deepEqual(await hostDisk.list(directory.path), ["new"]);
  assert.equal((await hostDisk.readFile(join(directory.path, "new"))).toString(), "x");
});

test("disk: open modes → create refuses what exists, write and read need it", async () => {
  using directory = temporary();
  const path = join(directory.path, "a");
  await assert.rejects(hostDisk.open(path, "write"), { code: "ENOENT" });
  await assert.rejects(hostDisk.open(path, "read"), { code: "ENOENT" });
  await (await hostDisk.open(path, "create")).close();
  await assert.rejects(hostDisk.open(path, "create"), { code: "EEXIST" });
  const reader = await hostDisk.open(path, "read");
  await assert.rejects(reader.write(Buffer.from("x"), 0), { code: "EBADF" });
  await reader.close();
  assert.equal(await hostDisk.exists(path), true);
  assert.equal(await hostDisk.exists(`${path}2`), false);
  await hostDisk.syncDirectory(directory.path);
});

test("disk: directories are made with their parents; where that cannot be, it is told", async () => {
  using directory = temporary();
  const path = join(directory.path, "a/b/c");
  await hostDisk.makeDirectory(path);
  await hostDisk.makeDirectory(path);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  await assert.rejects(hostDisk.makeDirectory("/proc/none/x"), { code: "ENOENT" });
  await (await hostDisk.open(join(path, "f"), "create")).close();
  await assert.rejects(hostDisk.makeDirectory(join(path, "f")), { code: "EEXIST" });
  await assert.rejects(hostDisk.makeDirectory(join(path, "f/g")), { code: "ENOTDIR" });
});

test("disk: a large write and read are whole", async () => {
  using directory = temporary();
  const bytes = Buffer.alloc(9_000_001, "0123456789");
  const file = await hostDisk.open(join(directory.path, "big"), "create");
  await file.writeDurable(bytes, 0);
  const into = Buffer.alloc(bytes.length);
  assert.equal(await file.read(into, 0), bytes.length);
  assert.ok(into.equals(bytes));
  await file.close();
});

test("disk: without sync → the same bytes, and nothing is asked of the medium", async () => {
  using directory = temporary();
  const asked: string[] = [];
  const disk = withoutSync({
    ...hostDisk,
    async open(path, mode) {
      const file = await hostDisk.open(path, mode);
      const told = <T>(what: string, run: () => Promise<T>): Promise<T> => {
        asked.push(what);
        return run();
      };
      return {
        path,
        write: (bytes, offset) => told("write", () => file.write(bytes, offset)),
        writeDurable: (bytes, offset) => told("durable", () => file.writeDurable(bytes, offset)),
        read: (into, offset) => file.read(into, offset),
        size: () => file.size(),
        truncate: (sizeBytes) => file.truncate(sizeBytes),
        sync: () => told("sync", () => file.sync()),
        close: () => file.close(),
      };
    },
    syncDirectory: () => Promise.reject(new Error("asked")),
  });
  const file = await disk.open(join(directory.path, "a"), "create");
  await file.writeDurable(Buffer.from("abc"), 0);
  await file.sync();
  await disk.syncDirectory(directory.path);
  await file.truncate(2);
  assert.equal(await file.size(), 2);
  const into = Buffer.alloc(2);
  await file.read(into, 0);
  assert.equal(into.toString(), "ab");
  await file.close();
  assert.deepEqual(asked, ["write"]);
});
