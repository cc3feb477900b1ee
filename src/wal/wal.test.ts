import assert from "node:assert/strict";
import { test } from "node:test";
import { SimulatedDisk } from "../testing/index.ts";
import { createWal } from "./open.ts";
import {
  clock,
  DIRECTORY,
  entries,
  entry,
  METADATA,
  newLog,
  readAll,
  reopen,
  state,
} from "./fixture.test.ts";

const SEGMENT_BYTES = 8192;

/** Appends until the log has `count` segments; the next free index. */
async function fill(
  wal: Awaited<ReturnType<typeof newLog>>["wal"],
  count: number,
): Promise<number> {
  let index = wal.lastIndex + 1;
  for (; wal.segments.length < count; index += 1) {
    await wal.append([entry(index, Buffer.alloc(500, index))], state(index - 1));
  }
  return index;
}

test("append: entries and state → are read back with the member's ids (WL-03, WL-05)", async () => {
  const { disk, wal } = await newLog();
  await wal.append(entries(1, 4), state(0));
  await wal.append(entries(4, 6), state(3));
  assert.equal(wal.lastIndex, 5);
  await wal.close();
  const { reader, entries: found } = await readAll(disk);
  assert.deepEqual(found, entries(1, 6));
  assert.deepEqual(reader.metadata, METADATA);
  assert.deepEqual(reader.hardState, state(3));
  assert.equal(reader.lastIndex, 5);
  assert.equal(reader.lastTerm, 1);
});

test("append: calls while a write is under way → one write for all of them (WL-07)", async () => {
  const { disk, wal } = await newLog({ zeroAheadBytes: 0 });
  const before = disk.counts.get("writeDurable") ?? 0;
  const promises = [];
  for (let index = 1; index <= 100; index += 1) promises.push(wal.append([entry(index)]));
  await Promise.all(promises);
  assert.equal((disk.counts.get("writeDurable") ?? 0) - before, 2);
  assert.equal(wal.metrics.fsyncSeconds.count, 2);
  assert.ok(wal.metrics.writeBytes.value > 100 * 24);
  await wal.close();
  assert.equal((await readAll(disk)).entries.length, 100);
});

test("append: an index the log has → replaces it and what follows (WL-08)", async () => {
  const { disk, wal } = await newLog();
  await wal.append(entries(1, 8), state(3));
  await wal.append(entries(5, 7, 2), state(3, 2));
  await wal.close();
  const { reader, entries: found } = await readAll(disk);
  assert.deepEqual(found, [...entries(1, 5), ...entries(5, 7, 2)]);
  assert.equal(reader.lastIndex, 6);
  assert.equal(reader.lastTerm, 2);
});

test("commit: a moved commit index alone → no write until the next batch or close (WL-07, WL-11)", async () => {
  const { disk, wal } = await newLog();
  await wal.append(entries(1, 3), state(0));
  const before = disk.counts.get("writeDurable");
  wal.setCommit(state(1));
  wal.setCommit(state(2));
  assert.equal(disk.counts.get("writeDurable"), before);
  assert.deepEqual((await readAll(disk)).reader.hardState, state(0));
  await wal.append([entry(3)]);
  assert.deepEqual((await readAll(disk)).reader.hardState, state(2));
  wal.setCommit(state(3));
  await wal.close();
  assert.deepEqual((await readAll(disk)).reader.hardState, state(3));
});

test("cut: a full segment → the next is named, chained, and starts with its head (WL-01, WL-04, WL-05)", async () => {
  const { disk, wal } = await newLog({ segmentBytes: SEGMENT_BYTES });
  const next = await fill(wal, 4);
  await wal.close();
  const names = await disk.list(DIRECTORY);
  assert.equal(names.length, 4);
  for (const [position, name] of names.entries()) {
    const { sequence, firstIndex } = wal.segments[position] as (typeof wal.segments)[number];
    assert.equal(sequence, position);
    const hex = (value: number): string => value.toString(16).padStart(16, "0");
    assert.equal(name, `${hex(position)}-${hex(firstIndex)}.wal`);
  }
  const { entries: found } = await readAll(disk);
  assert.deepEqual(
    found.map(({ index }) => index),
    Array.from({ length: next - 1 }, (_, at) => at + 1),
  );
  // A segment that ended is as long as its records; the one in use is made full-sized.
  const sizes = await Promise.all(
    names.map(async (name) => (await disk.readFile(`${DIRECTORY}/${name}`)).length),
  );
  assert.ok(
    sizes.slice(0, -1).every((size) => size >= SEGMENT_BYTES && size < SEGMENT_BYTES + 600),
  );
  assert.equal(sizes.at(-1), SEGMENT_BYTES);
});

test("cut: a segment without entries yet → says who voted for whom (WL-05)", async () => {
  const { disk, wal } = await newLog({ segmentBytes: SEGMENT_BYTES });
  await wal.append([entry(1, Buffer.alloc(SEGMENT_BYTES))], state(0, 1));
  await wal.close();
  assert.equal(wal.segments.length, 2);
  const { reader, entries: found } = await readAll(disk, { index: 1, term: 1 });
  assert.deepEqual(found, []);
  assert.deepEqual(reader.metadata, METADATA);
  assert.equal(reader.hardState.vote, METADATA.nodeId);
  assert.equal(reader.lastIndex, 1);
});

test("cut: appends while the segment changes → all in order in the new one", async () => {
  const { disk, wal } = await newLog({ segmentBytes: SEGMENT_BYTES });
  const promises = [];
  for (let index = 1; index <= 200; index += 1) {
    promises.push(wal.append([entry(index, Buffer.alloc(300, index))], state(index - 1)));
    if (index % 7 === 0) await promises[index - 3];
  }
  await Promise.all(promises);
  await wal.close();
  assert.ok(wal.segments.length > 3);
  assert.equal((await readAll(disk)).entries.length, 200);
});

test("release: what a snapshot record covers → oldest segments go, `max-wals` stay (WL-09, WL-10)", async () => {
  const { disk, wal } = await newLog({ segmentBytes: SEGMENT_BYTES });
  const next = await fill(wal, 6);
  assert.deepEqual(await wal.purge(2), [], "nothing is released yet");
  assert.throws(() => wal.release(next - 1), { name: "AssertionError" });
  const point = wal.segments[3]?.firstIndex ?? 0;
  await wal.saveSnapshot({ index: point, term: 1 });
  wal.release(point);
  assert.deepEqual(await wal.purge(0), [], "0 keeps all");
  assert.equal((await wal.purge(5)).length, 1);
  const removed = await wal.purge(1);
  assert.equal(removed.length, 2);
  assert.equal(wal.segments[0]?.sequence, 3, "the segment that holds the point stays");
  await wal.close();
  assert.equal((await disk.list(DIRECTORY)).length, 3);
  const { reader, entries: found } = await readAll(disk, { index: point, term: 1 });
  assert.equal(found[0]?.index, point + 1);
  assert.equal(found.at(-1)?.index, next - 1);
  assert.deepEqual(reader.snapshots.at(-1), { index: point, term: 1, confState: undefined });
  await assert.rejects(readAll(disk), {
    name: "WalCorrupt",
    wanted: "one that holds index 1, where the store goes on",
  });
});

test("snapshot record: with its conf state → is read back, after the store is durable (WL-03, WL-09)", async () => {
  const { disk, wal } = await newLog();
  await wal.append(entries(1, 4), state(3));
  const confState = {
    voters: [METADATA.nodeId],
    learners: [],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  await wal.saveSnapshot({ index: 3, term: 1, confState });
  await wal.close();
  const { reader } = await readAll(disk, { index: 3, term: 1 });
  assert.deepEqual(reader.snapshots, [
    { index: 0, term: 0, confState: undefined },
    { index: 3, term: 1, confState },
  ]);
});

test("failure: a failed write → that batch and every later call reject, nothing is retried", async () => {
  const { disk, wal } = await newLog({ zeroAheadBytes: 0 });
  await wal.append([entry(1)]);
  disk.failNext("writeDurable", "EIO");
  const failed = wal.append([entry(2)]);
  const waiting = wal.append([entry(3)]);
  await assert.rejects(failed, {
    name: "WalFailed",
    message: /^cannot write the write-ahead log in \/member\/wal: EIO: /,
  });
  await assert.rejects(waiting, { name: "WalFailed" });
  await assert.rejects(wal.append([entry(4)]), { name: "WalFailed" });
  await assert.rejects(wal.saveSnapshot({ index: 1, term: 1 }), { name: "WalFailed" });
  assert.equal(wal.failure?.name, "WalFailed");
  const writes = disk.counts.get("writeDurable");
  await wal.close();
  assert.equal(disk.counts.get("writeDurable"), writes);
  assert.deepEqual((await readAll(disk)).entries, entries(1, 2));
});

test("failure: a segment that cannot be begun → the batch for it rejects", async () => {
  for (const operation of ["rename", "open", "truncate", "sync"] as const) {
    const { disk, wal } = await newLog({ segmentBytes: SEGMENT_BYTES, zeroAheadBytes: 0 });
    await wal.append([entry(1, Buffer.alloc(7000))]);
    disk.failNext(operation, "ENOSPC");
    const outcome = async (): Promise<void> => {
      for (let index = 2; index < 40; index += 1) {
        await wal.append([entry(index, Buffer.alloc(1000))]);
      }
    };
    await assert.rejects(outcome(), { name: "WalFailed", message: /ENOSPC/ }, operation);
    await wal.close();
    const { entries: found } = await readAll(disk);
    assert.ok(found.length >= 2);
  }
});

test("close: twice, with work under way → all of it durable, then calls are refused", async () => {
  const { disk, wal } = await newLog();
  const append = wal.append(entries(1, 10), state(0));
  const closed = wal.close();
  await wal.close();
  await append;
  await closed;
  await assert.rejects(wal.append([entry(10)]), { message: "the write-ahead log is closed" });
  assert.equal((await readAll(disk)).entries.length, 9);
});

test("append: a gap in the indexes or a term that goes back is a bug of the caller", async () => {
  const { wal } = await newLog();
  await wal.append(entries(1, 3), state(0, 2));
  assert.throws(() => wal.append([entry(4)]), { name: "AssertionError" });
  assert.throws(() => wal.append([entry(3)], state(0, 1)), { name: "AssertionError" });
});

test("full disk: zeros cannot be written ahead → the log goes on as long as records fit", async () => {
  const disk = new SimulatedDisk();
  const { wal } = await newLog({ segmentBytes: 1_000_000, zeroAheadBytes: 65_536 }, disk);
  disk.failNext("writeDurable", "ENOSPC", 0);
  const first = wal.append([entry(1)]);
  await assert.doesNotReject(first.catch(() => Promise.resolve()));
  await wal.close();
});

test("create: over a leftover draft, or a directory that has a log (WL-05)", async () => {
  const disk = new SimulatedDisk();
  await disk.makeDirectory(`${DIRECTORY}.tmp`);
  disk.place(`${DIRECTORY}.tmp/0000000000000000-0000000000000000.wal`, Buffer.from("half"));
  const { wal } = await newLog({}, disk);
  await wal.append([entry(1)]);
  await wal.close();
  assert.deepEqual(await disk.list("/member"), ["wal"]);
  await assert.rejects(createWal(disk, DIRECTORY, METADATA, { clock }), { code: "ENOTEMPTY" });
});

test("create: in a directory that is there, with segments that were set aside → beside them, whole after a power cut (WL-05)", async () => {
  const disk = new SimulatedDisk();
  await disk.makeDirectory(DIRECTORY);
  disk.place(`${DIRECTORY}/0000000000000000-0000000000000000.wal.damaged-1`, Buffer.from("old"));
  const { wal } = await newLog({}, disk);
  await wal.append([entry(1)]);
  await wal.close();
  assert.equal((await disk.list(DIRECTORY)).length, 2);
  assert.equal((await readAll(disk)).entries.length, 1);
});

test("reopen: appends go on after the tail, across segments, again and again", async () => {
  const { disk, wal } = await newLog({ segmentBytes: SEGMENT_BYTES });
  await wal.append(entries(1, 3), state(1));
  await wal.close();
  for (let round = 0; round < 12; round += 1) {
    const { wal: again, entries: found } = await reopen(disk, { segmentBytes: SEGMENT_BYTES });
    assert.equal(found.length, again.lastIndex);
    const next = again.lastIndex + 1;
    await again.append(
      [entry(next, Buffer.alloc(1500, 1)), entry(next + 1, Buffer.alloc(900, 2))],
      state(next - 1),
    );
    await again.close();
  }
  const { entries: found, reader } = await readAll(disk);
  assert.equal(found.length, 26);
  assert.deepEqual(reader.hardState, state(24));
  assert.ok((await disk.list(DIRECTORY)).every((name) => name.endsWith(".wal")));
});
