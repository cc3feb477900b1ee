/** What a slow or dead peer costs: its own queue, and nobody else anything. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Counter } from "../base/index.ts";
import type { HttpStreamResponse } from "../seam/index.ts";
import { MessageType } from "../wire/index.ts";
import {
  connected,
  entryOf,
  messageOf,
  startConnectedPair,
  startTestMember,
} from "./fixture.test.ts";
import { STREAM_QUEUE_BYTES_MAX, STREAM_QUEUE_MESSAGES_MAX } from "./limits.ts";
import { StreamWriter } from "./stream-writer.ts";

/** A connection that takes what it is told to. */
class Valve implements HttpStreamResponse {
  events: HttpStreamResponse["events"];
  readonly written: Buffer[] = [];
  isOpen = true;
  isDestroyed = false;
  bufferedBytes = 0;

  send(): void {}
  writeHead(): void {}
  end(): void {}

  write(bytes: Buffer): boolean {
    this.written.push(bytes);
    if (!this.isOpen) this.bufferedBytes += bytes.length;
    return this.isOpen;
  }

  destroy(): void {
    this.isDestroyed = true;
    this.events?.onClose();
  }

  reopen(): void {
    this.isOpen = true;
    this.bufferedBytes = 0;
    this.events?.onDrain();
  }
}

function writerOn(valve: Valve) {
  const scheduled: StreamWriter[] = [];
  const gone: string[] = [];
  const later: (() => void)[] = [];
  const writer = new StreamWriter({
    kind: "msgapp",
    response: valve,
    sentBytes: new Counter(),
    writeTimeoutMs: 100,
    schedule: (asked) => void scheduled.push(asked),
    soon: (run) => void later.push(run),
    onGone: (_writer, reason) => void gone.push(reason),
  });
  return { writer, scheduled, gone, later };
}

const small = messageOf({ type: MessageType.APP, term: 1, logTerm: 1, index: 1 });

test("stream writer: messages of one turn → one write; each turn asks for one flush", () => {
  const valve = new Valve();
  const { scheduled, writer } = writerOn(valve);
  for (let at = 0; at < 5; at += 1) writer.send(small);
  assert.equal(valve.written.length, 0);
  assert.ok(scheduled.length >= 1);
  writer.flush();
  writer.flush();
  assert.equal(valve.written.length, 1);
});

test("stream writer: 4096 messages wait → the next is not taken, until the connection drains (PE-36)", () => {
  const valve = new Valve();
  valve.isOpen = false;
  const { writer } = writerOn(valve);
  writer.send(small);
  writer.flush();
  let taken = 0;
  while (writer.send(small)) {
    writer.flush();
    taken += 1;
  }
  assert.equal(taken, STREAM_QUEUE_MESSAGES_MAX);
  assert.equal(valve.written.length, 1);
  valve.reopen();
  assert.equal(writer.send(small), true);
  assert.equal(valve.written.length, 1 + STREAM_QUEUE_MESSAGES_MAX);
});

test("stream writer: its bytes wait → bounded in bytes too, and a connection that closes again keeps the rest", () => {
  const valve = new Valve();
  valve.isOpen = false;
  const { writer } = writerOn(valve);
  const big = messageOf({
    ...{ type: MessageType.APP, term: 1, logTerm: 1, index: 1 },
    entries: [entryOf(2, 1, "x".repeat(1024 * 1024))],
  });
  let taken = 0;
  while (writer.send(big)) taken += 1;
  assert.ok(taken >= STREAM_QUEUE_BYTES_MAX / 1024 / 1024, `${taken} taken`);
  assert.ok(taken <= STREAM_QUEUE_BYTES_MAX / 1024 / 1024 + 2, `${taken} taken`);
  const before = valve.written.length;
  valve.events?.onDrain();
  assert.equal(valve.written.length, before + 1);
});

test("stream writer: a full queue and a connection that drains at once → others have their turns", () => {
  const valve = new Valve();
  valve.isOpen = false;
  const { later, writer } = writerOn(valve);
  const big = messageOf({
    ...{ type: MessageType.APP, term: 1, logTerm: 1, index: 1 },
    entries: [entryOf(2, 1, "x".repeat(200 * 1024))],
  });
  for (let at = 0; at < 51; at += 1) assert.equal(writer.send(big), true);
  let turns = 0;
  while (valve.written.length < 51) {
    const before = valve.written.length;
    while (later.length === 0 && valve.written.length < 51) valve.events?.onDrain();
    assert.ok(valve.written.length - before <= 6, "a turn sends little more than 1 MiB");
    turns += 1;
    later.shift()?.();
  }
  assert.ok(turns >= 9, `${turns} turns`);
});

test("stream writer: nothing taken for the write timeout → ended; slow progress → kept (PE-34)", () => {
  const valve = new Valve();
  valve.isOpen = false;
  const { gone, writer } = writerOn(valve);
  writer.send(small);
  writer.flush();
  writer.pulse(1000);
  writer.pulse(1090);
  valve.bufferedBytes -= 1;
  writer.pulse(1110);
  assert.deepEqual(gone, []);
  writer.pulse(1220);
  assert.deepEqual(gone, ["no byte taken for 100 ms"]);
  assert.equal(valve.isDestroyed, true);
  assert.equal(writer.send(small), false);
});

test("slow peer: it reads nothing → its queue fills and is reported, others get theirs at once (PE-36)", async (t) => {
  const [a, b] = await startConnectedPair(t, { writeTimeoutMs: 60_000 });
  // The stalled one takes both streams and never reads what comes.
  const stalled = await startTestMember(t, 0xcn);
  a.peers.network.add(stalled.id, [stalled.url]);
  stalled.peers.network.add(a.id, [a.url]);
  await connected(a, stalled);
  stalled.handler.receive = () => "taken";
  const entries = [entryOf(2, 1, "x".repeat(1024 * 1024))];
  const append = { type: MessageType.APP, from: a.id, term: 1, logTerm: 1, index: 1, entries };
  // More in one turn than its queue holds: nothing of it can have left.
  for (let at = 0; at < 100; at += 1)
    a.peers.network.send(messageOf({ ...append, to: stalled.id }));
  a.peers.network.send(messageOf({ type: MessageType.HEARTBEAT, from: a.id, to: b.id, term: 1 }));
  const startMs = performance.now();
  assert.equal((await b.handler.messages.next()).type, MessageType.HEARTBEAT);
  assert.ok(performance.now() - startMs < 500);
  assert.equal(await a.handler.unreachables.next(), stalled.id);
  assert.deepEqual(new Set(a.handler.unreachables.all), new Set([stalled.id]));
});

test("dead peer: nobody answers and the POST queue is full → dropped and reported, once a turn (PE-36)", async (t) => {
  const a = await startTestMember(t, 0xan);
  const mute = await startTestMember(t, 0xcn);
  mute.route = () => undefined;
  a.peers.network.add(mute.id, [mute.url]);
  for (let at = 0; at < 200; at += 1) {
    a.peers.network.send(messageOf({ type: MessageType.VOTE, from: a.id, to: mute.id, term: 1 }));
  }
  assert.equal(await a.handler.unreachables.next(), mute.id);
  assert.equal(a.handler.unreachables.all.length, 1);
  assert.equal(a.peers.measures()[0]?.sentFailures.value, 200 - 64 - 4);
});
