/** The bytes of the frames, byte by byte, and both ends against each other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter, MalformedError } from "../base/index.ts";
import { encodeRaftMessage, marshal, type Message, MessageType } from "../wire/index.ts";
import { entryOf, messageOf } from "./fixture.test.ts";
import { FrameDecoder } from "./frame-decoder.ts";
import { frameEncoder, type StreamKind } from "./frame-encoder.ts";

function encoded(kind: StreamKind, messages: readonly Message[]): Buffer {
  const writer = new ByteWriter();
  const encoder = frameEncoder(kind);
  for (const message of messages) encoder.encode(writer, message);
  return writer.take();
}

function decoded(kind: StreamKind, chunks: readonly Buffer[]): Message[] {
  const messages: Message[] = [];
  const onMessage = (message: Message): void => void messages.push(message);
  const decoder = new FrameDecoder({ kind, from: 1n, to: 2n, onMessage });
  for (const chunk of chunks) decoder.push(chunk);
  return messages;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function append(parts: Partial<Message>): Message {
  return messageOf({ type: MessageType.APP, from: 1n, to: 2n, term: 3, logTerm: 3, ...parts });
}

test("message frame: eight bytes of length, then the message (PE-31)", () => {
  const message = messageOf({ type: MessageType.VOTE, from: 1n, to: 2n, term: 3 });
  const bytes = marshal(encodeRaftMessage, message);
  assert.deepEqual(encoded("message", [message]), Buffer.concat([u64(bytes.length), bytes]));
});

test("link heartbeats: an empty heartbeat, or a zero byte → not told to anybody (PE-31, PE-32, PE-34)", () => {
  const writer = new ByteWriter();
  frameEncoder("message").encodeLinkHeartbeat(writer);
  const empty = marshal(encodeRaftMessage, messageOf({ type: MessageType.HEARTBEAT }));
  const frame = writer.take();
  assert.deepEqual(frame, Buffer.concat([u64(empty.length), empty]));
  assert.deepEqual(decoded("message", [frame]), []);
  frameEncoder("msgapp").encodeLinkHeartbeat(writer);
  const zero = writer.take();
  assert.deepEqual(zero, Buffer.from([0]));
  assert.deepEqual(decoded("msgapp", [zero]), []);
});

test("append frames: in full first, short while they go on, in full again after a gap or a new term (PE-32, PE-33)", () => {
  const entry = entryOf(8, 3, "x");
  const messages = [
    append({ index: 7, entries: [entry], commit: 6 }),
    append({ index: 8, entries: [entryOf(9, 3, "yy"), entryOf(10, 3, "")], commit: 8 }),
    append({ index: 10, commit: 10 }),
    append({ index: 8, entries: [entryOf(9, 3, "yy")], commit: 10 }),
    append({ index: 9, term: 4, entries: [entryOf(10, 4, "z")], commit: 10 }),
    append({ index: 10, term: 4, logTerm: 4, entries: [entryOf(11, 4, "z")], commit: 10 }),
    append({ index: 11, term: 4, logTerm: 4, commit: 11, context: Buffer.from("own") }),
  ];
  const kinds: number[] = [];
  const encoder = frameEncoder("msgapp");
  const writer = new ByteWriter();
  const frames = messages.map((message) => {
    encoder.encode(writer, message);
    const frame = writer.take();
    kinds.push(frame[0] as number);
    return frame;
  });
  assert.deepEqual(kinds, [2, 1, 1, 2, 2, 1, 2]);
  assert.deepEqual(frames[2], Buffer.concat([Buffer.from([1]), u64(0), u64(10)]));
  assert.deepEqual(decoded("msgapp", frames), messages);
});

test("decoder: any cut of the bytes into chunks → the same messages", () => {
  const messages = [
    append({ index: 7, entries: [entryOf(8, 3, "x".repeat(40))], commit: 6 }),
    append({ index: 8, entries: [entryOf(9, 3, "yy"), entryOf(10, 3, "")], commit: 8 }),
    append({ index: 10, commit: 10 }),
  ];
  const bytes = encoded("msgapp", messages);
  for (let size = 1; size <= bytes.length; size += 1) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      chunks.push(Buffer.from(bytes.subarray(at, at + size)));
    }
    assert.deepEqual(decoded("msgapp", chunks), messages, `chunks of ${size}`);
  }
});

test("decoder: lengths beyond their limits, unknown kinds, broken messages → refused (PE-31)", () => {
  const bad: readonly [StreamKind, Buffer][] = [
    ["message", u64(512 * 1024 * 1024 + 1)],
    ["message", Buffer.alloc(8, 0xff)],
    ["message", Buffer.concat([u64(3), Buffer.from([8, 0xff, 0xff])])],
    ["msgapp", Buffer.from([3])],
    ["msgapp", Buffer.concat([Buffer.from([2]), u64(2 ** 40)])],
    ["msgapp", Buffer.concat([Buffer.from([1]), u64(2 ** 30)])],
    ["msgapp", Buffer.concat([Buffer.from([1]), u64(1), u64(2 ** 40)])],
  ];
  for (const [kind, bytes] of bad) {
    assert.throws(() => decoded(kind, [bytes]), MalformedError);
  }
});

test("decoder: a large length → memory is taken only as bytes arrive", () => {
  const onMessage = (): void => assert.fail("there is no message");
  const before = process.memoryUsage().arrayBuffers;
  const decoders = Array.from({ length: 20 }, () => {
    const decoder = new FrameDecoder({ kind: "message", from: 1n, to: 2n, onMessage });
    decoder.push(u64(500 * 1024 * 1024));
    decoder.push(Buffer.alloc(100));
    return decoder;
  });
  const taken = process.memoryUsage().arrayBuffers - before;
  assert.ok(taken < 30 * 1024 * 1024, `${taken} bytes for ${decoders.length} streams`);
});
