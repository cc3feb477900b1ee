/** One suite for every implementation of the Backend interface. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Prng } from "../../src/base/index.ts";
import {
  type Backend,
  COMMIT_BYTES,
  COMMIT_RHYTHM,
  KEY_BYTES_MAX,
  shouldCommit,
  MemoryBackend,
  openLmdbBackend,
  type Table,
} from "../../src/backend/index.ts";

interface Subject {
  backend: Backend;
  /** Closes and opens anew on the same medium. */
  reopen(): Promise<void>;
  dispose(): Promise<void>;
}

const implementations: { name: string; open: () => Promise<Subject> }[] = [
  { name: "memory", open: openMemory },
  { name: "lmdb", open: openLmdb },
];

async function openMemory(): Promise<Subject> {
  const subject = {
    backend: new MemoryBackend(),
    async reopen() {
      await subject.backend.close();
      subject.backend = new MemoryBackend({ medium: subject.backend.medium });
    },
    dispose: () => subject.backend.close(),
  };
  return subject;
}

async function openLmdb(): Promise<Subject> {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-backend-"));
  const subject = {
    backend: await openLmdbBackend({ directory }),
    async reopen() {
      await subject.backend.close();
      subject.backend = await openLmdbBackend({ directory });
    },
    async dispose() {
      await subject.backend.close();
      rmSync(directory, { recursive: true });
    },
  };
  return subject;
}

function bytes(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

function texts(backend: Pick<Backend, "scan">, table: Table, lo: string, hi?: string): string[] {
  const rows = backend.scan(table, bytes(lo), hi === undefined ? undefined : bytes(hi), 1e6);
  return rows.map((row) => `${row.key.latin1Slice()}=${row.value.latin1Slice()}`);
}

for (const { name, open } of implementations) {
  describe(`backend contract: ${name}`, () => {
    test("put: visible at once, and in the store after a commit and a reopen", async () => {
      const subject = await open();
      subject.backend.put("lease", bytes("a"), bytes("1"));
      assert.equal(subject.backend.get("lease", bytes("a"))?.latin1Slice(), "1");
      assert.equal(subject.backend.get("alarm", bytes("a")), undefined);
      await subject.backend.commit();
      assert.equal(subject.backend.get("lease", bytes("a"))?.latin1Slice(), "1");
      await subject.reopen();
      assert.equal(subject.backend.get("lease", bytes("a"))?.latin1Slice(), "1");
      await subject.dispose();
    });

    test("put: an empty value and any byte in a key come back as written", async () => {
      const subject = await open();
      for (let byte = 0; byte < 256; byte += 1) {
        subject.backend.put("auth", Buffer.from([byte]), Buffer.alloc(0));
      }
      await subject.reopen();
      const rows = subject.backend.scan("auth", Buffer.alloc(0), undefined, 1000);
      assert.deepEqual(
        rows.map((row) => row.key[0]),
        Array.from({ length: 256 }, (_, byte) => byte),
      );
      assert.ok(rows.every((row) => row.value.length === 0));
      await subject.dispose();
    });

    test("sizeOf: the bytes of the value, waiting or stored, and nothing for what is not there", async () => {
      const subject = await open();
      subject.backend.put("lease", bytes("a"), bytes("12345"));
      subject.backend.put("lease", bytes("gone"), bytes("1"));
      assert.equal(subject.backend.sizeOf("lease", bytes("a")), 5);
      await subject.reopen();
      assert.equal(subject.backend.sizeOf("lease", bytes("a")), 5);
      subject.backend.delete("lease", bytes("gone"));
      assert.equal(subject.backend.sizeOf("lease", bytes("gone")), undefined);
      assert.equal(subject.backend.sizeOf("lease", bytes("never")), undefined);
      await subject.dispose();
    });

    test("scan: overlay, sealed batches and stored rows merge in key order", async () => {
      const subject = await open();
      const { backend } = subject;
      for (const key of ["b", "d", "f", "h"]) backend.put("members", bytes(key), bytes("old"));
      await backend.commit();
      backend.put("members", bytes("d"), bytes("sealed"));
      backend.delete("members", bytes("f"));
      const sealed = backend.commit();
      backend.put("members", bytes("a"), bytes("new"));
      backend.put("members", bytes("d"), bytes("new"));
      backend.delete("members", bytes("h"));
      const wanted = ["a=new", "b=old", "d=new"];
      assert.deepEqual(texts(backend, "members", ""), wanted);
      assert.deepEqual(texts(backend, "members", "b", "d"), ["b=old"]);
      await sealed;
      assert.deepEqual(texts(backend, "members", ""), wanted);
      await subject.reopen();
      assert.deepEqual(texts(subject.backend, "members", ""), wanted);
      await subject.dispose();
    });

    test("scan: limit and bytesMax bound a slice, one row always fits", async () => {
      const subject = await open();
      for (let at = 0; at < 10; at += 1) {
        subject.backend.put("key", bytes(`k${at}`), Buffer.alloc(100, at));
        if (at === 4) await subject.backend.commit();
      }
      assert.equal(subject.backend.scan("key", bytes(""), undefined, 3).length, 3);
      assert.equal(subject.backend.scan("key", bytes(""), undefined, 99, 450).length, 4);
      assert.equal(subject.backend.scan("key", bytes("k3"), undefined, 99, 1).length, 1);
      await subject.dispose();
    });

    test("commit: effects and applied point become durable together (AP-01)", async () => {
      const subject = await open();
      const { backend } = subject;
      backend.put("key", bytes("k"), bytes("v"));
      backend.setApplied({ index: 7, term: 2 });
      assert.deepEqual(backend.durable, { index: 0, term: 0 });
      const done = backend.commit();
      assert.deepEqual(backend.applied, { index: 7, term: 2 });
      await done;
      assert.deepEqual(backend.durable, { index: 7, term: 2 });
      const index = backend.get("meta", bytes("consistent_index"));
      assert.equal(index?.toString("hex"), "0000000000000007");
      assert.equal(backend.get("meta", bytes("term"))?.toString("hex"), "0000000000000002");
      await subject.reopen();
      assert.deepEqual(subject.backend.applied, { index: 7, term: 2 });
      assert.deepEqual(subject.backend.durable, { index: 7, term: 2 });
      await subject.dispose();
    });

    test("commit: batches settle in order and count what waits", async () => {
      const subject = await open();
      const { backend } = subject;
      const order: number[] = [];
      const done: Promise<void>[] = [];
      for (let batch = 0; batch < 5; batch += 1) {
        backend.put("key", bytes(`k${batch}`), bytes("v"));
        assert.equal(backend.pendingOperations, 1);
        done.push(backend.commit().then(() => void order.push(batch)));
        assert.equal(backend.pendingOperations, 0);
      }
      await Promise.all(done);
      assert.deepEqual(order, [0, 1, 2, 3, 4]);
      assert.equal(backend.overlayBytes, 0);
      await subject.dispose();
    });

    test("shouldCommit: by count, by bytes that wait, by time, and not for nothing", async () => {
      const subject = await open();
      const { backend } = subject;
      const { intervalMs, operations } = COMMIT_RHYTHM;
      assert.equal(shouldCommit(backend, 1e6), false);
      backend.put("key", bytes("a"), bytes("1"));
      assert.equal(shouldCommit(backend, intervalMs - 1), false);
      assert.equal(shouldCommit(backend, intervalMs), true);
      backend.put("key", bytes("b"), Buffer.alloc(COMMIT_BYTES));
      assert.equal(shouldCommit(backend, 0), true);
      const done = backend.commit();
      backend.put("key", bytes("c"), bytes("1"));
      assert.equal(shouldCommit(backend, 0), false, "what is under way does not count");
      await done;
      for (let at = 1; at < operations; at += 1) backend.put("lease", bytes("a"), bytes(""));
      assert.equal(shouldCommit(backend, 0), true);
      await backend.commit();
      backend.setApplied({ index: 1, term: 1 });
      assert.equal(shouldCommit(backend, intervalMs), true);
      await subject.dispose();
    });

    test("read view: stays as it was while writes go on", async () => {
      const subject = await open();
      const { backend } = subject;
      backend.setApplied({ index: 1, term: 1 });
      backend.put("key", bytes("a"), bytes("1"));
      await backend.commit();
      const view = backend.openReadView();
      backend.put("key", bytes("b"), bytes("2"));
      backend.delete("key", bytes("a"));
      backend.setApplied({ index: 2, term: 1 });
      await backend.commit();
      assert.deepEqual(view.applied, { index: 1, term: 1 });
      assert.deepEqual(texts(view, "key", ""), ["a=1"]);
      assert.equal(view.get("key", bytes("b")), undefined);
      assert.deepEqual(texts(backend, "key", ""), ["b=2"]);
      view.close();
      view.close();
      assert.deepEqual(texts(backend, "key", ""), ["b=2"]);
      await subject.dispose();
    });

    test("put: the longest key and a large value come back, an empty or longer key is a bug", async () => {
      const subject = await open();
      const key = Buffer.alloc(KEY_BYTES_MAX, 0xff);
      const value = new Prng(1).bytes(3_000_000);
      subject.backend.put("authUsers", key, value);
      assert.throws(() => subject.backend.put("authUsers", Buffer.alloc(0), value));
      assert.throws(() => subject.backend.put("authUsers", Buffer.alloc(KEY_BYTES_MAX + 1), value));
      for (let round = 0; round < 2; round += 1) {
        assert.ok(subject.backend.get("authUsers", key)?.equals(value));
        const rows = subject.backend.scan("authUsers", Buffer.alloc(0), undefined, 10);
        assert.ok(rows[0]?.value.equals(value));
        await subject.reopen();
      }
      await subject.dispose();
    });

    test("close: a view that is still open is closed with the backend", async () => {
      const subject = await open();
      subject.backend.put("key", bytes("a"), bytes("1"));
      await subject.backend.commit();
      const view = subject.backend.openReadView();
      await subject.reopen();
      if (name === "lmdb") assert.throws(() => view.get("key", bytes("a")), /closed view/);
      view.close();
      assert.deepEqual(texts(subject.backend, "key", ""), ["a=1"]);
      await subject.dispose();
    });

    test("commit: with nothing to write it settles with the batch before it", async () => {
      const subject = await open();
      const { backend } = subject;
      await backend.commit();
      backend.put("key", bytes("a"), bytes("1"));
      backend.setApplied({ index: 1, term: 1 });
      let isDurable = false;
      const first = backend.commit().then(() => {
        isDurable = true;
      });
      await backend.commit();
      assert.ok(isDurable || name === "memory");
      await first;
      assert.deepEqual(backend.durable, { index: 1, term: 1 });
      await subject.dispose();
    });

    test("put: what is given may be reused, what is read may be written to", async () => {
      const subject = await open();
      const { backend } = subject;
      const key = bytes("a");
      const value = bytes("1");
      backend.put("key", key, value);
      key.fill(0);
      value.fill(0);
      backend.get("key", bytes("a"))?.fill(0);
      assert.deepEqual(texts(backend, "key", ""), ["a=1"]);
      await backend.commit();
      backend.get("key", bytes("a"))?.fill(0);
      assert.deepEqual(texts(backend, "key", ""), ["a=1"]);
      await subject.dispose();
    });

    test("random operations and commits: equal to a plain sorted map", async () => {
      const subject = await open();
      const model = new Map<string, string>();
      const prng = new Prng(20_260_801);
      for (let round = 0; round < 60; round += 1) {
        for (let step = 0; step < 40; step += 1) {
          const key = `k${prng.below(200)}`;
          if (prng.chance(0.3)) {
            subject.backend.delete("cluster", bytes(key));
            model.delete(key);
          } else {
            const value = `${round}.${step}${"x".repeat(prng.below(5000))}`;
            subject.backend.put("cluster", bytes(key), bytes(value));
            model.set(key, value);
          }
        }
        const wanted = [...model].sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => `${k}=${v}`);
        assert.deepEqual(texts(subject.backend, "cluster", ""), wanted);
        if (prng.chance(0.5)) {
          const done = subject.backend.commit();
          if (prng.chance(0.5)) await done;
        }
        if (prng.chance(0.1)) await subject.reopen();
      }
      await subject.dispose();
    });

    test("rows that ascend, overwritten and deleted meanwhile: equal to a plain map", async () => {
      const subject = await open();
      const model = new Map<string, string>();
      const prng = new Prng(8);
      const keyOf = (at: number): string => String(at).padStart(6, "0");
      let next = 0;
      for (let round = 0; round < 60; round += 1) {
        for (let step = 0; step < 30; step += 1) {
          // Mostly the next key; else one that was, or one that is yet to come.
          const key = keyOf(prng.chance(0.6) ? next++ : prng.below(next + 5));
          if (prng.chance(0.2)) {
            subject.backend.delete("key", bytes(key));
            model.delete(key);
          } else {
            const value = `${round}.${step}`;
            subject.backend.put("key", bytes(key), bytes(value));
            model.set(key, value);
          }
        }
        const wanted = [...model].sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => `${k}=${v}`);
        assert.deepEqual(texts(subject.backend, "key", ""), wanted);
        const lo = keyOf(prng.below(next));
        assert.deepEqual(
          texts(subject.backend, "key", lo),
          wanted.filter((row) => row >= lo),
        );
        for (let question = 0; question < 20; question += 1) {
          const key = keyOf(prng.below(next + 5));
          assert.equal(subject.backend.get("key", bytes(key))?.latin1Slice(), model.get(key));
        }
        if (prng.chance(0.5)) {
          const done = subject.backend.commit();
          if (prng.chance(0.5)) await done;
        }
        if (prng.chance(0.1)) await subject.reopen();
      }
      await subject.dispose();
    });

    test("defragment: contents stay, while reads and writes go on", async () => {
      const subject = await open();
      for (let at = 0; at < 3000; at += 1) {
        subject.backend.put("key", bytes(String(at).padStart(8, "0")), Buffer.alloc(300, at));
      }
      await subject.backend.commit();
      for (let at = 0; at < 2900; at += 1) {
        subject.backend.delete("key", bytes(String(at).padStart(8, "0")));
      }
      await subject.backend.commit();
      await subject.backend.commit();
      const before = subject.backend.sizeBytes();
      const view = subject.backend.openReadView();
      const done = subject.backend.defragment();
      subject.backend.put("key", bytes("zz"), bytes("during"));
      const committed = subject.backend.commit();
      assert.equal(subject.backend.scan("key", bytes(""), undefined, 1e6).length, 101);
      await done;
      await committed;
      assert.equal(view.scan("key", bytes(""), undefined, 1e6).length, 100);
      view.close();
      assert.equal(subject.backend.scan("key", bytes(""), undefined, 1e6).length, 101);
      if (name === "lmdb") assert.ok(subject.backend.sizeBytes().total < before.total / 4);
      await subject.reopen();
      assert.equal(subject.backend.scan("key", bytes(""), undefined, 1e6).length, 101);
      await subject.dispose();
    });
  });
}
