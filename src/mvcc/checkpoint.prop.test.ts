/** A start from a checkpoint and the records after it must equal a start from all records. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { Prng } from "../base/index.ts";
import type { LogFields, Logger } from "../seam/index.ts";
import { SimulatedDisk } from "../testing/index.ts";
import type { KeyIndex } from "./key-index.ts";
import { openStore } from "./restore.ts";
import type { MvccStore } from "./store.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2_000) / 20;
const DIRECTORY = "/data";

interface Named {
  main: number;
  isTombstone: boolean;
  text: string;
}

/**
 * Every key with its revisions, leaving out what a compaction at `compacted` drops: an unfinished
 * one may have deleted records that the checkpoint still names, and deletes them again.
 */
function dump(index: KeyIndex, compacted: number): string[] {
  const lines: string[] = [];
  let entry = index.entryAfter(undefined);
  while (entry !== undefined) {
    const { key, main, sub, create, version, lease } = entry;
    const text = `${main}.${sub} ${create} ${version} ${lease}`;
    const revisions: Named[] = [{ main, isTombstone: version === 0, text }];
    const { history } = index;
    for (let node = entry.older; node !== 0; node = history.older(node)) {
      const isTombstone = history.isTombstone(node);
      const name = `${history.main(node)}.${history.sub(node)}${isTombstone ? "t" : ""}`;
      revisions.push({ main: history.main(node), isTombstone, text: name });
    }
    const kept = revisions.filter((revision, at) => {
      if (revision.main > compacted) return true;
      const isNewest = at === 0 || (revisions[at - 1] as Named).main > compacted;
      return isNewest && (!revision.isTombstone || revision.main === compacted);
    });
    if (kept.length > 0) lines.push(`${key}: ${kept.map((one) => one.text).join(", ")}`);
    entry = index.entryAfter(key);
  }
  return lines;
}

function write(store: MvccStore, prng: Prng, count: number): void {
  for (let left = count; left > 0; left -= 1) {
    const tx = store.begin();
    const key = `k${prng.below(60)}`;
    if (prng.chance(0.35)) tx.deleteRange(key, prng.chance(0.2) ? `k${prng.below(60)}` : "");
    else tx.put(key, Buffer.from("v"), BigInt(prng.below(3)));
    tx.end();
  }
}

function recordingLogger(lines: LogFields[]): Logger {
  const logger: Logger = {
    debug: () => {},
    info: (_message, fields) => void lines.push(fields ?? {}),
    warn: () => {},
    error: () => {},
    isEnabled: () => true,
    child: () => logger,
  };
  return logger;
}

for (let seed = 1; seed <= RUNS; seed += 1) {
  test(`checkpoint: seed ${seed}, crashes and compactions around it → the index of a full scan (DB-01 DB-04)`, async () => {
    const prng = new Prng(seed);
    const disk = new SimulatedDisk();
    await disk.makeDirectory(DIRECTORY);
    await disk.syncDirectory("/");
    await disk.syncDirectory("/");
    let backend = new MemoryBackend();
    let store: MvccStore | undefined;
    // Other work of the process: writes and scrubbing while a checkpoint is under way.
    const yieldToLoop = async (): Promise<void> => {
      if (store === undefined || prng.chance(0.5)) return;
      if (prng.chance(0.7)) write(store, prng, prng.below(4));
      else if (prng.chance(0.5)) store.compact(prng.below(store.currentRevision));
      else store.compactStep(1 + prng.below(20));
    };
    const checkpoint = { disk, directory: DIRECTORY };
    const lines: LogFields[] = [];
    let fromCheckpoint = 0;
    store = await openStore(backend, { yieldToLoop, checkpoint });
    for (let round = 0; round < 12; round += 1) {
      write(store, prng, 1 + prng.below(40));
      if (prng.chance(0.4)) store.compact(prng.below(store.currentRevision + 1));
      if (prng.chance(0.6)) while (store.compactStep(1 + prng.below(30)));
      else store.compactStep(1 + prng.below(30));
      if (prng.chance(0.5)) await backend.commit();
      if (prng.chance(0.7)) await store.checkpoint();
      write(store, prng, prng.below(10));
      if (prng.chance(0.3)) await backend.commit();

      store = undefined;
      if (prng.chance(0.5)) disk.crash(prng);
      backend = backend.crash();
      const scanned = await openStore(backend, { yieldToLoop });
      store = await openStore(backend, {
        yieldToLoop,
        checkpoint,
        logger: recordingLogger(lines),
      });
      if (Number(lines.at(-1)?.["checkpoint-revision"]) >= 0) fromCheckpoint += 1;
      const { compactRevision } = scanned;
      assert.deepEqual(dump(store.index, compactRevision), dump(scanned.index, compactRevision));
      if (!store.isCompacting) assert.deepEqual(dump(store.index, -1), dump(scanned.index, -1));
      assert.equal(store.currentRevision, scanned.currentRevision);
      assert.equal(store.compactRevision, scanned.compactRevision);
      assert.equal(store.isCompacting, scanned.isCompacting);
      store.index.verify();
    }
    assert.ok(fromCheckpoint > 0 || seed > 5, "checkpoints were used at all");
  });
}

test("checkpoint: a flipped byte in the file → the reason is logged and all records are read", async () => {
  const disk = new SimulatedDisk();
  await disk.makeDirectory(DIRECTORY);
  await disk.syncDirectory("/");
  const backend = new MemoryBackend();
  const yieldToLoop = (): Promise<void> => Promise.resolve();
  const checkpoint = { disk, directory: DIRECTORY };
  const store = await openStore(backend, { yieldToLoop, checkpoint });
  write(store, new Prng(1), 200);
  assert.equal(await store.checkpoint(), true);
  const [name] = await disk.list(DIRECTORY);
  const path = `${DIRECTORY}/${name}`;
  const size = (await disk.readFile(path)).length;
  const before = await disk.readFile(path);
  for (let at = 0; at < size; at += 97) {
    const lines: LogFields[] = [];
    disk.flip(path, at, at % 8);
    const opened = await openStore(backend, {
      yieldToLoop,
      checkpoint,
      logger: recordingLogger(lines),
    });
    assert.deepEqual(dump(opened.index, -1), dump(store.index, -1));
    assert.equal(lines[0]?.["checkpoint-revision"], -1);
    assert.match(String(lines[0]?.["no-checkpoint-because"]), /index-1\.ckpt/);
    assert.equal(await disk.exists(path), false, "a file that is not valid is removed");
    disk.place(path, before);
  }
});
