/** Real etcd and etcdctl on our files, and we on theirs. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { decodeKeyValue } from "../wire/index.ts";
import {
  content,
  etcdctl,
  etcdctlStatus,
  noEtcdctl,
  put,
  readContent,
  row,
  snapshotBytes,
  sourceOf,
  temporaryDirectory,
  withFile,
} from "./fixture.test.ts";
import { snapshotStatus, verifySnapshotFile } from "./verify.ts";

const ETCD = "/usr/bin/etcd";
const skip = noEtcdctl || (existsSync(ETCD) ? false : "etcd is not installed");

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

interface Running extends AsyncDisposable {
  readonly endpoint: string;
}

async function startEtcd(directory: string, peerUrl: string): Promise<Running> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const child: ChildProcess = spawn(
    ETCD,
    [
      "--name=restored",
      `--data-dir=${directory}`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=restored=${peerUrl}`,
      "--logger=zap",
      "--log-outputs=stderr",
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let log = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (chunk: Buffer) => {
      log += chunk.toString("latin1");
      if (log.includes("serving client traffic insecurely")) resolve();
    });
    child.on("exit", () => reject(new Error(`etcd ended: ${log.slice(-2000)}`)));
    child.on("error", reject);
  });
  return {
    endpoint: url,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.on("exit", resolve));
      child.kill("SIGTERM");
      await ended;
    },
  };
}

const rows = content({
  key: [
    put(2, "a", Buffer.from("first")),
    put(3, "large", Buffer.alloc(1_400_000, "L")),
    ...Array.from({ length: 5000 }, (_, at) => put(at + 4, `k${at}`, Buffer.alloc(at % 400, "v"))),
  ],
  meta: [row("consistent_index", Buffer.from("0000000000000005", "hex"))],
});

test("snapshot file: etcdctl accepts it and finds our hash, revision, keys and size (MA-07, UT-02)", {
  skip,
}, async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "s.db");
  for (const one of [content({}), rows]) {
    writeFileSync(path, await snapshotBytes(sourceOf(one)));
    const { hash, revision, totalKey, totalSize } = await withFile(path, snapshotStatus);
    assert.deepEqual({ hash, revision, totalKey, totalSize }, etcdctlStatus(path));
  }
});

test("snapshot file: 200 000 keys in one bucket → etcdctl agrees on every one (UT-02)", {
  skip,
}, async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "s.db");
  const many = content({
    key: Array.from({ length: 200_000 }, (_, at) => put(at + 2, `key ${at}`, Buffer.alloc(20, at))),
  });
  writeFileSync(path, await snapshotBytes(sourceOf(many, 1000)));
  const status = await withFile(path, snapshotStatus);
  const theirs = etcdctlStatus(path);
  assert.equal(theirs.hash, status.hash);
  assert.equal(theirs.totalKey, 200_000);
  assert.equal(theirs.revision, 200_001);
});

test("snapshot file: restored by etcdctl → real etcd starts on it, serves and adds keys (SN-03)", {
  skip,
}, async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "s.db");
  writeFileSync(path, await snapshotBytes(sourceOf(rows)));
  const peerUrl = `http://127.0.0.1:${await freePort()}`;
  const data = join(directory.path, "restored");
  etcdctl(
    "snapshot",
    "restore",
    path,
    `--data-dir=${data}`,
    "--name=restored",
    `--initial-cluster=restored=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
  );
  await using etcd = await startEtcd(data, peerUrl);
  const at = `--endpoints=${etcd.endpoint}`;
  assert.equal(etcdctl(at, "get", "a", "--print-value-only"), "first\n");
  assert.equal(etcdctl(at, "get", "large", "--print-value-only").length, 1_400_001);
  assert.equal(etcdctl(at, "get", "k", "--prefix", "--keys-only").match(/^k/gm)?.length, 5000);
  etcdctl(at, "put", "k17", "changed");
  etcdctl(at, "del", "k18");
  assert.equal(etcdctl(at, "get", "k17", "--print-value-only"), "changed\n");
  // And back: what etcd makes of its store is ours to read.
  const back = join(directory.path, "back.db");
  etcdctl(at, "snapshot", "save", back);
  const checked = await withFile(back, (file) => verifySnapshotFile(file, createHash("sha256")));
  assert.equal(checked.hasChecksum, true);
  const { hash, revision, totalKey, totalSize } = await withFile(back, snapshotStatus);
  assert.deepEqual({ hash, revision, totalKey, totalSize }, etcdctlStatus(back));
  const found = await withFile(back, readContent);
  const pairs = found.get("key") ?? [];
  assert.deepEqual(
    pairs.slice(0, 5002).map(({ value }) => value.length),
    (rows.get("key") ?? []).map(({ value }) => value.length),
  );
  const newest = pairs.at(-2);
  assert.ok(newest !== undefined);
  assert.equal(decodeKeyValue(newest.value).value.toString(), "changed");
  assert.equal(pairs.at(-1)?.key.length, 18, "a tombstone");
});

test("etcd's own db file: buckets, rows and hash as etcdctl finds them (SN-03, DB-03)", {
  skip,
}, async () => {
  using directory = temporaryDirectory();
  const peerUrl = `http://127.0.0.1:${await freePort()}`;
  const data = join(directory.path, "d");
  {
    await using etcd = await startEtcd(data, peerUrl);
    const at = `--endpoints=${etcd.endpoint}`;
    for (let number = 0; number < 30; number += 1) {
      etcdctl(at, "put", `key ${number}`, "x".repeat(number * 1000));
    }
  }
  const db = join(data, "member", "snap", "db");
  const { hash, revision, totalKey, totalSize } = await withFile(db, snapshotStatus);
  assert.deepEqual({ hash, revision, totalKey, totalSize }, etcdctlStatus(db));
  const found = await withFile(db, readContent);
  assert.deepEqual(
    (found.get("key") ?? []).map(({ value }) => decodeKeyValue(value).value.length),
    Array.from({ length: 30 }, (_, number) => number * 1000),
  );
  assert.equal(found.get("members")?.length, 1);
});
