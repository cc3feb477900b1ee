/** Each known way to make a server work or remember without end, and where it stops. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Http2Recorder,
  literalBlock,
  rawFrame,
  readFrames,
  settings,
  uint32,
} from "../testing/index.ts";
import { Http2Connection } from "./connection.ts";
import { ErrorCode } from "./error-code.ts";
import { FloodGuard } from "./flood-guard.ts";
import { Flag, FrameType, PREFACE, Setting } from "./frame.ts";
import { HTTP2_LIMITS_DEFAULT, type Http2Limits } from "./limits.ts";
import { Output } from "./output.ts";
import type { Stream } from "./stream.ts";

const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION } =
  FrameType;
const { END_STREAM, END_HEADERS } = Flag;
const GET = literalBlock(":method", "GET", ":scheme", "http", ":path", "/a");

function server(limits: Partial<Http2Limits> = {}, peerSettings = settings()) {
  const recorder = new Http2Recorder<Stream<string>>();
  const http2 = new Http2Connection<string>({
    role: "server",
    limits: { ...HTTP2_LIMITS_DEFAULT, ...limits },
    events: recorder,
  });
  http2.start(0);
  http2.receive(Buffer.concat([PREFACE, rawFrame(SETTINGS, 0, 0, peerSettings)]), 0);
  http2.takeOutput();
  return { recorder, http2 };
}

function request(id: number, flags: number = END_STREAM, block = GET): Buffer {
  return rawFrame(HEADERS, END_HEADERS | flags, id, block);
}

/** Sends `frame(n)` until the connection closes; returns how many it took. */
function flood(
  http2: Http2Connection<string>,
  frame: (number: number) => Buffer,
  framesMax = 50_000,
): number {
  let sent = 0;
  while (!http2.isClosed && sent < framesMax) {
    http2.receive(frame(sent), http2.nowMs);
    http2.takeOutput();
    sent += 1;
  }
  return sent;
}

test("flood: streams opened and reset at once (CVE-2023-44487) → ENHANCE_YOUR_CALM", () => {
  const { http2, recorder } = server();
  const sent = flood(http2, (number) =>
    Buffer.concat([request(number * 2 + 1), rawFrame(RST_STREAM, 0, number * 2 + 1, uint32(8))]),
  );
  assert.equal(recorder.closed?.code, ErrorCode.ENHANCE_YOUR_CALM);
  assert.equal(sent, HTTP2_LIMITS_DEFAULT.rapidResetsMax + 1);
  assert.equal(http2.streamCount, 0);
});

test("flood: streams broken so that the server resets them (CVE-2025-8671) → ENHANCE_YOUR_CALM", () => {
  const { http2, recorder } = server();
  flood(http2, (number) =>
    Buffer.concat([request(number * 2 + 1), rawFrame(WINDOW_UPDATE, 0, number * 2 + 1, uint32(0))]),
  );
  assert.equal(recorder.closed?.code, ErrorCode.ENHANCE_YOUR_CALM);
});

test("flood: resets of streams that were answered or are old → no abuse", () => {
  const { http2, recorder } = server();
  for (let number = 0; number < 5_000; number += 1) {
    const id = number * 2 + 1;
    http2.receive(request(id, 0), number);
    const stream = recorder.streams.get(id) as Stream<string>;
    if (number % 2 === 0) http2.sendHeaders(stream, [":status", "200"], false);
    http2.receive(rawFrame(RST_STREAM, 0, id, uint32(8)), number + (number % 2) * 2_000);
    http2.takeOutput();
  }
  assert.equal(http2.isClosed, false);
});

test("flood: resets spread over time → forgiven", () => {
  const { http2 } = server();
  for (let number = 0; number < 5_000; number += 1) {
    const id = number * 2 + 1;
    http2.receive(
      Buffer.concat([request(id), rawFrame(RST_STREAM, 0, id, uint32(8))]),
      number * 20,
    );
    http2.tick(number * 20);
  }
  assert.equal(http2.isClosed, false);
});

test("flood: CONTINUATION without end (CVE-2024-27316) → ENHANCE_YOUR_CALM, little kept", () => {
  const { continuationFramesMax, headerBlockBytesMax } = HTTP2_LIMITS_DEFAULT;
  const cases: [Buffer, number][] = [
    [Buffer.alloc(0), continuationFramesMax + 1],
    [Buffer.alloc(16_000, 0x82), Math.ceil(headerBlockBytesMax / 16_000)],
  ];
  for (const [piece, framesMax] of cases) {
    const { http2, recorder } = server();
    http2.receive(rawFrame(HEADERS, 0, 1, GET), 0);
    const sent = flood(http2, () => rawFrame(CONTINUATION, 0, 1, piece));
    assert.equal(recorder.closed?.code, ErrorCode.ENHANCE_YOUR_CALM);
    assert.ok(sent <= framesMax, String(sent));
  }
});

test("flood: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA, unknown → ENHANCE_YOUR_CALM", () => {
  const frames: [string, Buffer][] = [
    ["PING (CVE-2019-9512)", rawFrame(PING, 0, 0, "12345678")],
    ["SETTINGS (CVE-2019-9515)", rawFrame(SETTINGS, 0, 0, settings(4, 1000))],
    ["PRIORITY (CVE-2019-9513)", rawFrame(PRIORITY, 0, 3, "abcde")],
    ["WINDOW_UPDATE", rawFrame(WINDOW_UPDATE, 0, 1, uint32(1))],
    ["empty DATA (CVE-2019-9518)", rawFrame(DATA, 0, 1)],
    ["DATA of padding", rawFrame(DATA, Flag.PADDED, 1, Buffer.of(1, 0))],
    ["DATA on a closed stream", rawFrame(DATA, 0, 3, "x")],
    ["an unknown type", rawFrame(0xbb, 0, 0, "x")],
  ];
  for (const [what, frame] of frames) {
    const { http2, recorder } = server();
    http2.receive(request(1, 0), 0);
    http2.receive(request(3), 0);
    http2.sendHeaders(recorder.streams.get(3) as Stream<string>, [":status", "200"], true);
    const sent = flood(http2, () => frame);
    assert.equal(recorder.closed?.code, ErrorCode.ENHANCE_YOUR_CALM, what);
    assert.ok(sent <= HTTP2_LIMITS_DEFAULT.overheadFramesMax + 5, what);
  }
});

test("flood: the same frames along with real traffic, or slowly → no abuse", () => {
  const { http2 } = server();
  http2.receive(request(1, 0), 0);
  const mixed = Buffer.concat([rawFrame(DATA, 0, 1, "x"), rawFrame(PING, 0, 0, "12345678")]);
  assert.equal(
    flood(http2, () => mixed),
    50_000,
  );
  const slow = server();
  for (let nowMs = 0; nowMs < 60_000; nowMs += 2) {
    slow.http2.receive(rawFrame(PING, 0, 0, "12345678"), nowMs);
    slow.http2.takeOutput();
    slow.http2.tick(nowMs);
  }
  assert.equal(slow.http2.isClosed, false);
});

test("flood: SETTINGS that move the windows of many streams → cost as many frames", () => {
  const { http2, recorder } = server();
  for (let number = 0; number < 6_400; number += 1) http2.receive(request(number * 2 + 1), 0);
  const sent = flood(http2, (number) => rawFrame(SETTINGS, 0, 0, settings(4, 1000 + number)));
  assert.equal(recorder.closed?.code, ErrorCode.ENHANCE_YOUR_CALM);
  assert.ok(sent < 200);
});

test("flood: a header list beyond the limit → the stream is refused, its state still followed", () => {
  const { http2, recorder } = server({ headerListBytesMax: 4_096 });
  const insert = Buffer.concat([
    Buffer.from("400161", "hex"),
    Buffer.of(0x7f, 0xc9, 0x0f),
    Buffer.alloc(2120, 0x62),
  ]);
  http2.receive(
    request(1, END_STREAM, Buffer.concat([GET, insert, Buffer.alloc(10_000, 0xbe)])),
    0,
  );
  const frames = readFrames(Buffer.concat(http2.takeOutput()));
  assert.deepEqual(
    frames.map((frame) => [frame.type, frame.streamId, frame.payload.readUInt32BE(0)]),
    [[RST_STREAM, 1, ErrorCode.ENHANCE_YOUR_CALM]],
  );
  http2.receive(request(3, END_STREAM, Buffer.concat([GET, Buffer.of(0xbe)])), 0);
  assert.match(recorder.take().join(), /^3: headers .* a=b{2120} END$/);
});

test("flood: more streams than allowed (FR-04) → REFUSED_STREAM, the others go on", () => {
  const { http2, recorder } = server({ concurrentStreamsMax: 2 });
  http2.receive(Buffer.concat([request(1), request(3), request(5)]), 0);
  const [frame] = readFrames(Buffer.concat(http2.takeOutput()));
  assert.deepEqual(
    [frame?.type, frame?.streamId, frame?.payload.readUInt32BE(0)],
    [RST_STREAM, 5, ErrorCode.REFUSED_STREAM],
  );
  http2.sendHeaders(recorder.streams.get(1) as Stream<string>, [":status", "200"], true);
  http2.receive(request(7), 0);
  assert.equal(http2.streamCount, 2);
});

test("flood: answers asked for and no window given → new streams refused, then closed", () => {
  const limits = { queuedBytesRefuse: 10_000, queuedBytesMax: 20_000 };
  const { http2, recorder } = server(limits, settings(Setting.INITIAL_WINDOW_SIZE, 0));
  for (const id of [1, 3, 5]) http2.receive(request(id), 0);
  const answer = (id: number): void => {
    const stream = recorder.streams.get(id) as Stream<string>;
    http2.sendHeaders(stream, [":status", "200"], false);
    http2.sendData(stream, Buffer.alloc(8_000), true);
  };
  answer(1);
  answer(3);
  http2.takeOutput();
  http2.receive(request(7), 0);
  const [frame] = readFrames(Buffer.concat(http2.takeOutput()));
  assert.deepEqual([frame?.type, frame?.streamId], [RST_STREAM, 7]);
  answer(5);
  assert.equal(recorder.closed?.code, ErrorCode.ENHANCE_YOUR_CALM);
  assert.equal(http2.queuedBytes, 0);
});

test("flood: a peer that does not read → closed when its output is beyond the limit", () => {
  const { http2, recorder } = server({ outputBytesMax: 10_000 });
  http2.setOutputBlocked(true);
  let sent = 0;
  while (!http2.isClosed && sent < 10_000) {
    http2.receive(rawFrame(PING, 0, 0, "12345678"), 0);
    sent += 1;
  }
  assert.equal(recorder.closed?.code, ErrorCode.ENHANCE_YOUR_CALM);
  assert.ok(sent < 600);
});

test("flood: the socket takes nothing → stream data waits in its stream, not in the output", () => {
  const { http2, recorder } = server();
  http2.receive(request(1), 0);
  const stream = recorder.streams.get(1) as Stream<string>;
  http2.sendHeaders(stream, [":status", "200"], false);
  http2.takeOutput();
  http2.setOutputBlocked(true);
  assert.equal(http2.reserveData(stream, 10, false), -1);
  http2.sendData(stream, Buffer.alloc(1_000), false);
  assert.deepEqual([http2.output.pendingBytes, stream.queuedBytes], [0, 1_000]);
  http2.setOutputBlocked(false);
  assert.deepEqual([http2.output.pendingBytes, stream.queuedBytes], [1_009, 0]);
});

test("flood: a preface and then nothing → closed after two minutes", () => {
  const recorder = new Http2Recorder<Stream<string>>();
  const limits = HTTP2_LIMITS_DEFAULT;
  const http2 = new Http2Connection<string>({ role: "server", limits, events: recorder });
  http2.start(1_000);
  http2.receive(PREFACE, 1_000);
  http2.tick(121_000);
  assert.equal(http2.isClosed, false);
  http2.tick(121_001);
  assert.equal(recorder.closed?.code, ErrorCode.SETTINGS_TIMEOUT);
});

test("flood guard: useful frames take overhead back, time forgives both kinds", () => {
  const limits = { ...HTTP2_LIMITS_DEFAULT, overheadFramesMax: 2, rapidResetsMax: 1 };
  const guard = new FloodGuard(limits);
  guard.tick(0);
  for (let number = 0; number < 10; number += 1) {
    guard.overhead();
    guard.useful();
  }
  guard.overhead(2);
  assert.throws(() => guard.overhead());
  guard.rapidReset();
  assert.throws(() => guard.rapidReset());
  guard.tick(60_000);
  guard.overhead(2);
  guard.rapidReset();
});

test("output: taken bytes → never written to again, one signal a turn", () => {
  let signals = 0;
  const output = new Output(() => (signals += 1));
  const first = output.reserve(4);
  output.buffer.fill("a", first, first + 4);
  const [taken] = output.take();
  for (let number = 0; number < 3; number += 1) {
    const at = output.reserve(2_000);
    output.buffer.fill("b", at, at + 2_000);
  }
  assert.equal(taken?.toString(), "aaaa");
  assert.equal(output.pendingBytes, 6_000);
  assert.equal(Buffer.concat(output.take()).length, 6_000);
  assert.equal(signals, 2);
  output.release();
  assert.equal(output.buffer.length, 0);
});
