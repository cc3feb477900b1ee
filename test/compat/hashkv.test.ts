/** The same history in real etcd and in our store: HashKV must agree at every revision (MA-06). */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as yieldToLoop } from "node:timers/promises";
import { test } from "node:test";
import { MemoryBackend } from "../../src/backend/index.ts";
import { Prng } from "../../src/base/index.ts";
import { openStore } from "../../src/mvcc/index.ts";

const ETCD = process.env["ETCD_BINARY"] ?? "/usr/bin/etcd";

interface Etcd {
  readonly url: string;
  readonly peerUrl: string;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

async function startEtcd(): Promise<Etcd> {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-etcd-"));
  const url = `http://127.0.0.1:${await freePort()}`;
  const peerUrl = `http://127.0.0.1:${await freePort()}`;
  const child: ChildProcess = spawn(
    ETCD,
    ["--data-dir", directory, "--listen-client-urls", url, "--advertise-client-urls", url]
      .concat(["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl])
      .concat(["--initial-cluster", `default=${peerUrl}`, "--unsafe-no-fsync"]),
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const exited = once(child, "exit");
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (chunk: Buffer) => {
      if (chunk.includes("serving client") || chunk.includes("serving insecure")) resolve();
    });
    void exited.then(() => reject(new Error("etcd ended before it served")));
  });
  return {
    url,
    peerUrl,
    async stop() {
      child.kill("SIGKILL");
      await exited;
      rmSync(directory, { recursive: true });
    },
  };
}

function base64(text: string): string {
  return Buffer.from(text, "latin1").toString("base64");
}

async function call(etcd: Etcd, path: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${etcd.url}/v3/${path}`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  return (await response.json()) as Record<string, unknown>;
}

/** What members ask each other: a GET with a body. */
async function hashOf(etcd: Etcd, revision: number): Promise<Record<string, unknown>> {
  const body = JSON.stringify({ revision });
  const headers = { "content-length": String(body.length) };
  const call = request(`${etcd.peerUrl}/members/hashkv`, { method: "GET", agent: false, headers });
  call.end(body);
  const [response] = (await once(call, "response")) as [AsyncIterable<Buffer>];
  let text = "";
  for await (const chunk of response) text += chunk.toString();
  return JSON.parse(text) as Record<string, unknown>;
}

function randomKey(prng: Prng): string {
  return `k${prng.below(12)}${prng.chance(0.2) ? "\xff" : ""}`;
}

test("hashKv: random histories and compactions → etcd's value at each revision (MA-06 AP-09)", {
  skip: existsSync(ETCD) ? false : "etcd is not installed",
  timeout: 120_000,
}, async () => {
  const prng = new Prng(7);
  for (let round = 0; round < 4; round += 1) {
    const etcd = await startEtcd();
    try {
      const store = await openStore(new MemoryBackend(), { yieldToLoop: () => yieldToLoop() });
      for (let step = 0; step < 150; step += 1) {
        await change(etcd, store, prng);
        if (prng.chance(0.06)) await compact(etcd, store, prng);
        if (prng.chance(0.3)) await compareHashes(etcd, store, prng);
      }
    } finally {
      await etcd.stop();
    }
  }
});

type Store = Awaited<ReturnType<typeof openStore>>;

async function change(etcd: Etcd, store: Store, prng: Prng): Promise<void> {
  const tx = store.begin();
  const key = randomKey(prng);
  const choice = prng.below(10);
  if (choice < 5) {
    const value = "v".repeat(prng.below(40));
    tx.put(key, Buffer.from(value), 0n);
    await call(etcd, "kv/put", { key: base64(key), value: base64(value) });
  } else if (choice < 8) {
    const end = prng.chance(0.7) ? "" : prng.chance(0.5) ? "\0" : randomKey(prng);
    tx.deleteRange(key, end);
    await call(etcd, "kv/deleterange", { key: base64(key), range_end: base64(end) });
  } else {
    const keys = [...new Set([key, randomKey(prng), randomKey(prng)])];
    for (const name of keys) tx.put(name, Buffer.from("txn"), 0n);
    tx.deleteRange("z", "\0");
    await call(etcd, "kv/txn", {
      success: keys
        .map((name): object => ({ requestPut: { key: base64(name), value: base64("txn") } }))
        .concat([{ requestDeleteRange: { key: base64("z"), range_end: base64("\0") } }]),
    });
  }
  tx.end();
}

async function compact(etcd: Etcd, store: Store, prng: Prng): Promise<void> {
  const revision = store.currentRevision - prng.below(12);
  const answer = await call(etcd, "kv/compaction", { revision: String(revision), physical: true });
  const outcome = store.compact(revision);
  assert.equal(outcome === "ok", answer["header"] !== undefined, JSON.stringify(answer));
  // Sometimes the hash is taken while superseded records are still there.
  if (prng.chance(0.5)) while (store.compactStep(3));
}

async function compareHashes(etcd: Etcd, store: Store, prng: Prng): Promise<void> {
  const oldest = Math.max(1, store.compactRevision + 1);
  const span = store.currentRevision - oldest + 1;
  const revisions = [0, store.currentRevision];
  if (span > 0) revisions.push(oldest, oldest + prng.below(span));
  for (const revision of revisions) {
    if (revision !== 0 && revision <= store.compactRevision) continue;
    const wanted = await hashOf(etcd, revision);
    const found = await store.hashKv(revision);
    assert.ok(typeof found === "object");
    const context = `revision ${revision}, compacted ${store.compactRevision}`;
    assert.equal(found.hash, wanted["hash"], context);
    assert.equal(found.compactRevision, wanted["compact_revision"] ?? 0, context);
  }
}
