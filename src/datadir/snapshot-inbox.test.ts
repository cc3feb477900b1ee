import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { systemDigests as digests } from "../host/index.ts";
import { SimulatedDisk } from "../testing/index.ts";
import { ArrivalRefused, SnapshotInbox } from "./snapshot-inbox.ts";

const DIRECTORY = "/data/member/snap";
const NAME = { from: 0xabcn, index: 0x20, term: 3 };
const WHOLE = Buffer.alloc(3_000_000, "snapshot ");

function sha(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}

async function* chunks(bytes: Buffer, breakAt = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
  for (let lo = 0; lo < bytes.length; lo += 400_000) {
    if (lo >= breakAt) throw new Error("the connection broke");
    yield bytes.subarray(lo, lo + 400_000);
  }
}

interface Given {
  bytes?: Buffer;
  offset?: number;
  breakAt?: number;
  digest?: Buffer;
}

function arrival(given: Given = {}) {
  const { bytes = WHOLE, offset = 0, breakAt, digest = sha(WHOLE) } = given;
  return {
    ...NAME,
    offset,
    chunks: chunks(bytes.subarray(offset), breakAt),
    sha256: () => digest,
  };
}

test("inbox: a snapshot arrives → a file named for its index, its bytes as sent (SN-02, PE-04)", async () => {
  const disk = new SimulatedDisk();
  const inbox = await SnapshotInbox.open(disk, digests, DIRECTORY);
  const path = await inbox.receive(arrival());
  assert.equal(path, `${DIRECTORY}/0000000000000020.snap.db`);
  assert.deepEqual(await disk.readFile(path), WHOLE);
  await inbox.remove(path);
  assert.deepEqual(await disk.list(DIRECTORY), []);
});

test("inbox: the connection breaks → the sender goes on where it was", async () => {
  const disk = new SimulatedDisk();
  const inbox = await SnapshotInbox.open(disk, digests, DIRECTORY);
  assert.equal(await inbox.offset(NAME), 0);
  await assert.rejects(inbox.receive(arrival({ breakAt: 1_000_000 })), /the connection broke/);
  const offset = await inbox.offset(NAME);
  assert.equal(offset, 1_200_000);
  assert.equal(await inbox.offset({ ...NAME, term: 4 }), 0);
  const path = await inbox.receive(arrival({ offset: 900_000 }));
  assert.deepEqual(await disk.readFile(path), WHOLE);
});

test("inbox: other bytes than were sent, or the rest of what is not here → refused and forgotten", async () => {
  const disk = new SimulatedDisk();
  const inbox = await SnapshotInbox.open(disk, digests, DIRECTORY);
  const other = Buffer.from(WHOLE);
  other[5] = 0;
  await assert.rejects(inbox.receive(arrival({ bytes: other })), (error: Error) => {
    assert.ok(error instanceof ArrivalRefused);
    return error.message.includes(sha(other).toString("hex"));
  });
  await assert.rejects(inbox.receive(arrival({ offset: 10 })), /nothing is here/);
  await assert.rejects(inbox.receive(arrival({ breakAt: 500_000 })), /broke/);
  await assert.rejects(inbox.receive(arrival({ offset: 2_000_000 })), /800000 are here/);
  assert.deepEqual(await disk.list(DIRECTORY), []);
});

test("inbox: a resumed file whose first part differs → the checksum finds it", async () => {
  const disk = new SimulatedDisk();
  const inbox = await SnapshotInbox.open(disk, digests, DIRECTORY);
  const other = Buffer.from(WHOLE);
  other[5] = 0;
  await assert.rejects(inbox.receive(arrival({ bytes: other, breakAt: 500_000 })), /broke/);
  await assert.rejects(inbox.receive(arrival({ offset: 800_000 })), ArrivalRefused);
});

test("inbox: a full disk → the disk's error, and nothing stays", async () => {
  const disk = new SimulatedDisk({ capacityBytes: 1_100_000 });
  const inbox = await SnapshotInbox.open(disk, digests, DIRECTORY);
  await assert.rejects(inbox.receive(arrival()), { code: "ENOSPC" });
  assert.deepEqual(await disk.list(DIRECTORY), []);
});

test("inbox: the same snapshot twice at a time, or too many → refused; leftovers are bounded", async () => {
  const disk = new SimulatedDisk();
  const inbox = await SnapshotInbox.open(disk, digests, DIRECTORY);
  const first = inbox.receive(arrival());
  await assert.rejects(inbox.receive(arrival()), /arriving on another connection/);
  const second = inbox.receive({ ...arrival(), index: 0x21 });
  await assert.rejects(inbox.receive({ ...arrival(), index: 0x22 }), /2 other snapshots/);
  for (const path of await Promise.all([first, second])) await inbox.remove(path);
  for (const index of [1, 2, 3, 4]) {
    await assert.rejects(inbox.receive({ ...arrival({ breakAt: 1 }), index }), /broke/);
  }
  assert.equal((await disk.list(DIRECTORY)).length, 2);
  await SnapshotInbox.open(disk, digests, DIRECTORY);
  assert.deepEqual(await disk.list(DIRECTORY), [], "a start begins with nothing");
});
