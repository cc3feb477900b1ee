import assert from "node:assert/strict";
import { test } from "node:test";
import { WalCorrupt } from "./errors.ts";
import { entry, newLog, readAll, state } from "./fixture.test.ts";
import { verifyLog } from "./verify.ts";

const OPTIONS = { segmentBytes: 8192, zeroAheadBytes: 0 };

async function threeSegments() {
  const made = await newLog(OPTIONS);
  const { wal } = made;
  for (let index = 1; wal.segments.length < 3; index += 1) {
    await wal.append([entry(index, Buffer.alloc(500, index))], state(index - 1));
  }
  await wal.append([entry(wal.lastIndex + 1, Buffer.alloc(500, 7))], state(wal.lastIndex));
  return made;
}

function verify({ disk, wal }: Awaited<ReturnType<typeof newLog>>, rests: number[] = []) {
  const rest = (bytes: number) => Promise.resolve(void rests.push(bytes));
  return verifyLog({ disk, log: wal, windowBytes: 2048, rest });
}

test("verify: a sound log, while it is being written → all of it read, in pieces", async () => {
  const made = await threeSegments();
  const rests: number[] = [];
  const bytes = await verify(made, rests);
  assert.ok(bytes > 16_384, `${bytes} bytes`);
  assert.ok(rests.length > 8);
  await made.wal.close();
});

test("verify: one flipped bit anywhere in what was written → WalCorrupt with the file's name (BT-f3)", async () => {
  const made = await threeSegments();
  const { disk, wal } = made;
  for (const [position, { path }] of wal.segments.entries()) {
    const isLast = position === wal.segments.length - 1;
    const end = isLast ? wal.durableOffset : 8192;
    const bytes = await disk.readFile(path);
    for (let at = 8; at < end; at += 397) {
      const file = await disk.open(path, "write");
      await file.write(Buffer.from([(bytes[at] as number) ^ 1]), at);
      await assert.rejects(verify(made), (error: Error) => {
        assert.ok(error instanceof WalCorrupt, `byte ${at}: ${error.message}`);
        assert.ok(error.message.includes(path));
        return true;
      });
      await file.write(Buffer.from([bytes[at] as number]), at);
      await file.close();
    }
  }
  await wal.close();
});

test("verify: a segment that is purged meanwhile → passed over", async () => {
  const { disk, wal } = await threeSegments();
  await wal.saveSnapshot({ index: wal.lastIndex, term: 1, confState: undefined });
  const rest = async () => {
    wal.release(wal.lastIndex);
    await wal.purge(1);
  };
  await verifyLog({ disk, log: wal, windowBytes: 2048, rest });
  assert.equal(wal.segments.length, 1);
  await wal.close();
});

test("cut: the log goes on in a new segment → what is before it may go, and the rest is read back (WL-01)", async () => {
  const { disk, wal } = await newLog({ zeroAheadBytes: 0 });
  for (let index = 1; index <= 5; index += 1) await wal.append([entry(index)], state(index - 1));
  assert.equal(await wal.cut(), 6);
  assert.equal(wal.segments.length, 2);
  await wal.append([entry(6)], state(5));
  const whole = await readAll(disk);
  assert.deepEqual(
    whole.entries.map(({ index }) => index),
    [1, 2, 3, 4, 5, 6],
  );
  await wal.saveSnapshot({ index: 6, term: 1, confState: undefined });
  wal.release(6);
  await wal.purge(1);
  await wal.append([entry(7)], state(6));
  await wal.close();
  assert.equal(wal.segments.length, 1);
});
