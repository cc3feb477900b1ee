/** Snapshots between members: whole, broken off and gone on with, refused. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { openHttpClient } from "../host/index.ts";
import type { SnapshotArrival, SnapshotFormat, SnapshotImage } from "../seam/index.ts";
import { emptyConfState, encodeRaftMessage, marshal, MessageType } from "../wire/index.ts";
import {
  CLUSTER_ID,
  messageOf,
  startConnectedPair,
  startTestMember,
  type TestMember,
} from "./fixture.test.ts";

const CHUNK_BYTES = 64 * 1024;

class TestImage implements SnapshotImage {
  readonly format: SnapshotFormat;
  readonly sizeBytes: number;
  readonly bytes: Buffer;
  readBytes = 0;
  /** Where each reading began. */
  readonly reads: number[] = [];
  closed = 0;
  /** Readings under way; and the most there ever were. */
  open = 0;
  openMax = 0;

  constructor(sizeBytes: number, format: SnapshotFormat = "bbolt") {
    this.format = format;
    this.sizeBytes = sizeBytes;
    this.bytes = Buffer.alloc(sizeBytes);
    const prng = new Prng(1);
    for (let at = 0; at + 4 <= sizeBytes; at += 4) {
      this.bytes.writeUInt32LE(prng.below(0xffff_ffff), at);
    }
  }

  async *read(offset: number): AsyncGenerator<Buffer> {
    this.reads.push(offset);
    this.open += 1;
    this.openMax = Math.max(this.openMax, this.open);
    try {
      for (let at = offset; at < this.sizeBytes; at += CHUNK_BYTES) {
        const end = Math.min(at + CHUNK_BYTES, this.sizeBytes);
        // As from a thread: a chunk takes its turn to come.
        await new Promise((resolve) => setImmediate(resolve));
        this.readBytes += end - at;
        yield Buffer.from(this.bytes.subarray(at, end));
      }
    } finally {
      this.open -= 1;
    }
  }

  close(): void {
    assert.equal(this.open, 0, "closed while it is read");
    this.closed += 1;
  }

  sha256(): string {
    return createHash("sha256").update(this.bytes).digest("hex");
  }
}

function snapshotMessage(from: TestMember, to: TestMember) {
  const confState = { ...emptyConfState(), voters: [from.id, to.id] };
  const metadata = { confState, index: 1234, term: 5 };
  const snapshot = { data: Buffer.from("v2"), metadata };
  return messageOf({ type: MessageType.SNAP, from: from.id, to: to.id, term: 5, snapshot });
}

async function collect(arrival: SnapshotArrival): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of arrival.chunks) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test("snapshot: a file of some MiB → the same bytes, its hash behind them, told as sent (PE-04, PE-36)", async (t) => {
  const [a, b] = await startConnectedPair(t);
  const image = new TestImage(5_000_001);
  const message = snapshotMessage(a, b);
  const arrived = Promise.withResolvers<{ arrival: SnapshotArrival; bytes: Buffer }>();
  b.handler.onSnapshot = async (arrival) =>
    arrived.resolve({ arrival, bytes: await collect(arrival) });
  a.peers.network.sendSnapshot(message, image);
  const { arrival, bytes } = await arrived.promise;
  assert.deepEqual(arrival.message, message);
  assert.equal(arrival.offset, 0);
  assert.ok(bytes.equals(image.bytes));
  assert.equal(arrival.sha256()?.toString("hex"), image.sha256());
  assert.deepEqual(await a.handler.sent.next(), { id: b.id, isFailure: false });
  assert.equal(image.closed, 1);
  const [row] = a.peers.measures();
  assert.equal(row?.snapshotsSent.value, 1);
  assert.equal(row?.snapshotsBeingSent, 0);
  assert.equal(b.peers.measures()[0]?.snapshotsReceived.value, 1);
});

test("snapshot: the connection breaks twice → it goes on where the receiver stood, the hash is of the whole file (PE-04)", async (t) => {
  const [a, b] = await startConnectedPair(t);
  const image = new TestImage(6_000_000);
  let kept = Buffer.alloc(0);
  const offsets: number[] = [];
  const whole = Promise.withResolvers<SnapshotArrival>();
  b.handler.offset = (from, index, term) => {
    assert.deepEqual([from, index, term], [a.id, 1234, 5]);
    return Promise.resolve(kept.length);
  };
  b.handler.onSnapshot = async (arrival) => {
    offsets.push(arrival.offset);
    assert.equal(arrival.offset, kept.length);
    const until = offsets.length * 2_000_000;
    for await (const chunk of arrival.chunks) {
      kept = Buffer.concat([kept, chunk]);
      // Giving the iteration up breaks the connection off.
      if (offsets.length < 3 && kept.length > until) throw new Error("broken off");
    }
    whole.resolve(arrival);
  };
  a.peers.network.sendSnapshot(snapshotMessage(a, b), image);
  const arrival = await whole.promise;
  assert.equal(offsets.length, 3);
  assert.equal(offsets[0], 0);
  assert.ok((offsets[2] as number) > 4_000_000);
  assert.ok(kept.equals(image.bytes));
  assert.equal(arrival.sha256()?.toString("hex"), image.sha256());
  assert.deepEqual(await a.handler.sent.next(), { id: b.id, isFailure: false });
  assert.equal(image.openMax, 1);
  // What was hashed is not read again.
  assert.ok(image.readBytes < image.sizeBytes * 2.5, `${image.readBytes} bytes read`);
});

test("snapshot: a store's own file → said so to a member that takes it, and hashed anew at each attempt (PE-04)", async (t) => {
  const [a, b] = await startConnectedPair(t);
  assert.equal(a.peers.network.takesStores?.(b.id), true);
  assert.equal(a.peers.network.takesStores?.(0xcn), false);
  const image = new TestImage(3_000_000, "store");
  let kept = Buffer.alloc(0);
  b.handler.offset = () => Promise.resolve(kept.length);
  const whole = Promise.withResolvers<SnapshotArrival>();
  b.handler.onSnapshot = async (arrival) => {
    assert.equal(arrival.format, "store");
    const isFirst = kept.length === 0;
    for await (const chunk of arrival.chunks) {
      kept = Buffer.concat([kept, chunk]);
      if (!isFirst || kept.length < 1_000_000) continue;
      // In the next reading a page that the store does not use is another.
      image.bytes.fill(7, 4096, 8192);
      throw new Error("broken off");
    }
    whole.resolve(arrival);
  };
  a.peers.network.sendSnapshot(snapshotMessage(a, b), image);
  const arrival = await whole.promise;
  // The receiver finds that what it has kept is not of this reading.
  assert.equal(arrival.sha256()?.toString("hex"), image.sha256());
  assert.notEqual(createHash("sha256").update(kept).digest("hex"), image.sha256());
  assert.deepEqual(await a.handler.sent.next(), { id: b.id, isFailure: false });
});

test("snapshot: the receiver already has more than was ever sent → the rest alone goes, hashed in full", async (t) => {
  const [a, b] = await startConnectedPair(t);
  const image = new TestImage(1_000_000);
  b.handler.offset = () => Promise.resolve(700_000);
  const arrived = Promise.withResolvers<{ arrival: SnapshotArrival; bytes: Buffer }>();
  b.handler.onSnapshot = async (arrival) =>
    arrived.resolve({ arrival, bytes: await collect(arrival) });
  a.peers.network.sendSnapshot(snapshotMessage(a, b), image);
  const { arrival, bytes } = await arrived.promise;
  assert.equal(arrival.offset, 700_000);
  assert.ok(bytes.equals(image.bytes.subarray(700_000)));
  assert.equal(arrival.sha256()?.toString("hex"), image.sha256());
});

test("snapshot: a receiver that reads slowly → the image is read no faster (bounded memory)", async (t) => {
  const [a, b] = await startConnectedPair(t);
  const image = new TestImage(40 * 1024 * 1024);
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  b.handler.onSnapshot = async (arrival) => {
    begun.resolve();
    await go.promise;
    await collect(arrival);
  };
  a.peers.network.sendSnapshot(snapshotMessage(a, b), image);
  await begun.promise;
  // Meanwhile other messages pass, until the file has come to a standstill.
  let before = -1;
  for (let still = 0; still < 100; still = before === image.readBytes ? still + 1 : 0) {
    before = image.readBytes;
    a.peers.network.send(messageOf({ type: MessageType.HEARTBEAT, from: a.id, to: b.id, term: 5 }));
    await b.handler.messages.next();
  }
  assert.ok(image.readBytes < 16 * 1024 * 1024, `${image.readBytes} bytes read ahead`);
  go.resolve();
  assert.equal((await a.handler.sent.next()).isFailure, false);
});

test("snapshot: refused by the receiver, or a second one at the same time → told as failed, images closed", async (t) => {
  const [a, b] = await startConnectedPair(t);
  b.handler.removed.add(0xcn);
  const wrong = new TestImage(20_000_000);
  a.peers.network.sendSnapshot({ ...snapshotMessage(a, b), from: 0xcn }, wrong);
  // The refusal comes while the file is still being sent.
  const second = new TestImage(1000);
  a.peers.network.sendSnapshot(snapshotMessage(a, b), second);
  assert.deepEqual(await a.handler.sent.next(), { id: b.id, isFailure: true });
  assert.deepEqual(await a.handler.sent.next(), { id: b.id, isFailure: true });
  const unknown = new TestImage(1000);
  a.peers.network.sendSnapshot({ ...snapshotMessage(a, b), to: 0xdn }, unknown);
  assert.deepEqual(await a.handler.sent.next(), { id: 0xdn, isFailure: true });
  assert.deepEqual([wrong.closed, second.closed, unknown.closed], [1, 1, 1]);
});

test("snapshot: a receiver that is not of our kind → one attempt, no question for an offset", async (t) => {
  const a = await startTestMember(t, 0xan);
  const b = await startTestMember(t, 0xbn);
  const paths: string[] = [];
  b.route = (request, response) => {
    paths.push(request.path);
    response.send(500, {}, "no\n");
  };
  a.peers.network.add(b.id, [b.url]);
  await a.log.line("status 500");
  a.peers.network.sendSnapshot(snapshotMessage(a, b), new TestImage(10));
  assert.equal((await a.handler.sent.next()).isFailure, true);
  assert.equal(paths.filter((path) => path.startsWith("/raft/snapshot")).length, 1);
});

test("snapshot POST: bad lengths, a message of another kind, a body cut short → 400, never kept (PE-04)", async (t) => {
  const b = await startTestMember(t, 0xbn);
  b.handler.onSnapshot = () => assert.fail("reached the member");
  const http = openHttpClient();
  t.after(() => http.close());
  const post = async (body: Buffer, more: Record<string, string> = {}): Promise<number> => {
    const answer = await http.request({
      method: "POST",
      url: b.url,
      target: "/raft/snapshot",
      headers: {
        "x-server-from": "c",
        "x-server-version": "3.7.1",
        "x-min-cluster-version": "3.0.0",
        "x-etcd-cluster-id": CLUSTER_ID.toString(16),
        ...more,
      },
      body,
      connectTimeoutMs: 1000,
      answerTimeoutMs: 5000,
      isAlone: true,
    });
    answer.body.destroy();
    return answer.status;
  };
  const framed = (bytes: Buffer, length = bytes.length): Buffer => {
    const head = Buffer.alloc(8);
    head.writeBigUInt64BE(BigInt(length));
    return Buffer.concat([head, bytes]);
  };
  const vote = marshal(encodeRaftMessage, messageOf({ type: MessageType.VOTE, to: b.id }));
  assert.equal(await post(Buffer.from([1, 2])), 400);
  assert.equal(await post(framed(vote)), 400);
  assert.equal(await post(framed(vote, vote.length + 1)), 400);
  assert.equal(await post(framed(vote, 2 ** 40)), 400);
  assert.equal(await post(framed(Buffer.alloc(20, 0xff))), 400);
  const snapshot = { ...snapshotMessage(b, b), from: 0xcn };
  const taken = framed(marshal(encodeRaftMessage, snapshot));
  assert.equal(await post(taken, { "x-holdfast-format": "store-0" }), 400);
});
