import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Http2Recorder,
  literalBlock,
  type RawFrame,
  rawFrame,
  readFrames,
  settings,
  uint32,
} from "../testing/index.ts";
import { Http2Connection } from "./connection.ts";
import { ErrorCode } from "./error-code.ts";
import { Flag, FrameType, PREFACE, Setting } from "./frame.ts";
import { PreparedHeaders } from "./hpack-encoder.ts";
import { HTTP2_LIMITS_DEFAULT, type Http2Limits } from "./limits.ts";
import type { Stream } from "./stream.ts";

const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY } = FrameType;
const { WINDOW_UPDATE, CONTINUATION, PUSH_PROMISE } = FrameType;
const { END_STREAM, END_HEADERS, PADDED, ACK } = Flag;
const GET = literalBlock(":method", "GET", ":scheme", "http", ":path", "/a");
const OK = literalBlock(":status", "200");
const ANSWER = new PreparedHeaders([":status", "200", "content-type", "text/plain"]);

class Bench {
  readonly recorder = new Http2Recorder<Stream<string>>();
  readonly http2: Http2Connection<string>;

  constructor(role: "server" | "client", limits: Partial<Http2Limits> = {}) {
    this.http2 = new Http2Connection<string>({
      role,
      limits: { ...HTTP2_LIMITS_DEFAULT, ...limits },
      events: this.recorder,
    });
    this.http2.start(0);
  }

  send(...bytes: Buffer[]): void {
    this.http2.receive(Buffer.concat(bytes), this.http2.nowMs);
  }

  frames(): RawFrame[] {
    return readFrames(Buffer.concat(this.http2.takeOutput()));
  }

  stream(id: number): Stream<string> {
    const stream = this.recorder.streams.get(id);
    assert.ok(stream !== undefined);
    return stream;
  }
}

/** A server whose peer has sent its preface, with nothing pending. */
function server(limits: Partial<Http2Limits> = {}, peerSettings = settings()): Bench {
  const bench = new Bench("server", limits);
  bench.send(PREFACE, rawFrame(SETTINGS, 0, 0, peerSettings));
  bench.frames();
  return bench;
}

function client(limits: Partial<Http2Limits> = {}, peerSettings = settings()): Bench {
  const bench = new Bench("client", limits);
  bench.http2.takeOutput();
  bench.send(rawFrame(SETTINGS, 0, 0, peerSettings));
  bench.frames();
  return bench;
}

function request(id: number, flags: number = END_STREAM): Buffer {
  return rawFrame(HEADERS, END_HEADERS | flags, id, GET);
}

function goawayCode(frames: RawFrame[]): number | undefined {
  return frames.find((frame) => frame.type === GOAWAY)?.payload.readUInt32BE(4);
}

function resets(frames: RawFrame[]): [number, number][] {
  return frames
    .filter((frame) => frame.type === RST_STREAM)
    .map((frame) => [frame.streamId, frame.payload.readUInt32BE(0)]);
}

function dataOf(frames: RawFrame[]): string[] {
  return frames
    .filter((frame) => frame.type === DATA)
    .map((frame) => frame.payload.toString("latin1"));
}

test("http2: a server starts → its settings and a larger connection window", () => {
  const bench = new Bench("server", { concurrentStreamsMax: 7 });
  const [first, second] = readFrames(Buffer.concat(bench.http2.takeOutput()));
  assert.equal(first?.type, SETTINGS);
  assert.deepEqual(
    first?.payload,
    settings(3, 7, 4, HTTP2_LIMITS_DEFAULT.streamWindowBytes, 6, 64 * 1024),
  );
  assert.deepEqual(second?.payload, uint32(HTTP2_LIMITS_DEFAULT.connectionWindowBytes - 65_535));
});

test("http2: a client starts → preface first, push turned off", () => {
  const bench = new Bench("client");
  const bytes = Buffer.concat(bench.http2.takeOutput());
  assert.deepEqual(bytes.subarray(0, PREFACE.length), PREFACE);
  const [first] = readFrames(bytes.subarray(PREFACE.length));
  assert.deepEqual(first?.payload.subarray(0, 6), settings(Setting.ENABLE_PUSH, 0));
});

test("http2: request and response with data and trailers → told in order, stream forgotten", () => {
  const bench = server();
  bench.send(request(1, 0), rawFrame(DATA, 0, 1, "he"), rawFrame(DATA, END_STREAM, 1, "llo"));
  assert.deepEqual(bench.recorder.take(), [
    "1: headers :method=GET :scheme=http :path=/a",
    "1: data hello END",
  ]);
  const stream = bench.stream(1);
  bench.http2.sendHeaders(stream, ANSWER, false);
  bench.http2.sendData(stream, Buffer.from("hi"), false);
  bench.http2.sendHeaders(stream, ["grpc-status", "0"], true);
  const frames = bench.frames();
  assert.deepEqual(
    frames.map((frame) => [frame.type, frame.flags]),
    [
      [HEADERS, END_HEADERS],
      [DATA, 0],
      [HEADERS, END_HEADERS | END_STREAM],
    ],
  );
  assert.equal(bench.http2.streamCount, 0);
  assert.equal(stream.isClosed, true);
});

test("http2: many answers in one turn → one output signal, one take", () => {
  const bench = server();
  bench.send(...Array.from({ length: 50 }, (_, number) => request(number * 2 + 1)));
  bench.recorder.outputCount = 0;
  for (const stream of [...bench.http2.streams()]) bench.http2.sendHeaders(stream, ANSWER, true);
  assert.equal(bench.recorder.outputCount, 1);
  assert.equal(bench.frames().length, 50);
});

test("http2: bytes in chunks of any size → the same events", () => {
  const conversation = Buffer.concat([
    PREFACE,
    rawFrame(SETTINGS, 0, 0),
    request(1, 0),
    rawFrame(DATA, PADDED, 1, Buffer.concat([Buffer.of(3), Buffer.from("abc"), Buffer.alloc(3)])),
    rawFrame(PING, 0, 0, "12345678"),
    rawFrame(HEADERS, 0, 3, GET.subarray(0, 9)),
    rawFrame(CONTINUATION, 0, 3, GET.subarray(9, 9)),
    rawFrame(CONTINUATION, END_HEADERS, 3, GET.subarray(9)),
    rawFrame(DATA, END_STREAM, 1, "def"),
    rawFrame(DATA, END_STREAM | PADDED, 3, Buffer.of(2, 0, 0)),
  ]);
  const expected = [
    "1: headers :method=GET :scheme=http :path=/a",
    "ping",
    "3: headers :method=GET :scheme=http :path=/a",
    "1: data abcdef END",
    "3: data  END",
  ];
  for (let size = 1; size <= conversation.length; size += 1) {
    const bench = new Bench("server");
    for (let at = 0; at < conversation.length; at += size) {
      bench.send(conversation.subarray(at, at + size));
    }
    assert.deepEqual(bench.recorder.take(), expected, `chunks of ${size}`);
  }
});

test("http2: a connection that does not begin as HTTP/2 → PROTOCOL_ERROR", () => {
  const bench = new Bench("server");
  bench.send(Buffer.from("PRI * HTTP/1.1\r\n\r\n"));
  assert.equal(bench.recorder.closed?.code, ErrorCode.PROTOCOL_ERROR);
  const second = new Bench("server");
  second.send(PREFACE, request(1));
  assert.equal(second.recorder.closed?.code, ErrorCode.PROTOCOL_ERROR);
});

test("http2: breaches of the protocol → GOAWAY with the code of RFC 9113", () => {
  const { PROTOCOL_ERROR, FRAME_SIZE_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED } = ErrorCode;
  const cases: [string, number, Buffer[]][] = [
    ["DATA on stream 0", PROTOCOL_ERROR, [rawFrame(DATA, 0, 0, "x")]],
    ["DATA on an idle stream", PROTOCOL_ERROR, [rawFrame(DATA, 0, 1, "x")]],
    ["HEADERS on stream 0", PROTOCOL_ERROR, [request(0)]],
    ["HEADERS with an even id", PROTOCOL_ERROR, [request(2)]],
    ["HEADERS below an older id", STREAM_CLOSED, [request(5), request(3)]],
    ["RST_STREAM on an idle stream", PROTOCOL_ERROR, [rawFrame(RST_STREAM, 0, 1, uint32(8))]],
    ["RST_STREAM of 3 bytes", FRAME_SIZE_ERROR, [request(1), rawFrame(RST_STREAM, 0, 1, "abc")]],
    ["PRIORITY on stream 0", PROTOCOL_ERROR, [rawFrame(PRIORITY, 0, 0, "abcde")]],
    ["SETTINGS on a stream", PROTOCOL_ERROR, [rawFrame(SETTINGS, 0, 1)]],
    ["SETTINGS of 5 bytes", FRAME_SIZE_ERROR, [rawFrame(SETTINGS, 0, 0, "abcde")]],
    ["SETTINGS ACK with payload", FRAME_SIZE_ERROR, [rawFrame(SETTINGS, ACK, 0, settings(1, 1))]],
    ["ENABLE_PUSH of 2", PROTOCOL_ERROR, [rawFrame(SETTINGS, 0, 0, settings(2, 2))]],
    ["window of 2^31", FLOW_CONTROL_ERROR, [rawFrame(SETTINGS, 0, 0, settings(4, 2 ** 31))]],
    ["MAX_FRAME_SIZE of 100", PROTOCOL_ERROR, [rawFrame(SETTINGS, 0, 0, settings(5, 100))]],
    ["PUSH_PROMISE", PROTOCOL_ERROR, [rawFrame(PUSH_PROMISE, END_HEADERS, 1, uint32(2))]],
    ["PING on a stream", PROTOCOL_ERROR, [rawFrame(PING, 0, 1, "12345678")]],
    ["PING of 7 bytes", FRAME_SIZE_ERROR, [rawFrame(PING, 0, 0, "1234567")]],
    ["GOAWAY of 7 bytes", FRAME_SIZE_ERROR, [rawFrame(GOAWAY, 0, 0, "1234567")]],
    ["GOAWAY on a stream", PROTOCOL_ERROR, [rawFrame(GOAWAY, 0, 1, uint32(0, 0))]],
    ["WINDOW_UPDATE of 0", PROTOCOL_ERROR, [rawFrame(WINDOW_UPDATE, 0, 0, uint32(0))]],
    ["WINDOW_UPDATE of 3 bytes", FRAME_SIZE_ERROR, [rawFrame(WINDOW_UPDATE, 0, 0, "abc")]],
    ["WINDOW_UPDATE on idle", PROTOCOL_ERROR, [rawFrame(WINDOW_UPDATE, 0, 1, uint32(1))]],
    [
      "window above 2^31-1",
      FLOW_CONTROL_ERROR,
      [rawFrame(WINDOW_UPDATE, 0, 0, uint32(2 ** 31 - 1))],
    ],
    ["CONTINUATION alone", PROTOCOL_ERROR, [rawFrame(CONTINUATION, END_HEADERS, 1, GET)]],
    [
      "CONTINUATION of another stream",
      PROTOCOL_ERROR,
      [rawFrame(HEADERS, 0, 1, GET), rawFrame(CONTINUATION, END_HEADERS, 3)],
    ],
    [
      "PING inside a header block",
      PROTOCOL_ERROR,
      [rawFrame(HEADERS, 0, 1, GET), rawFrame(PING, 0, 0, "12345678")],
    ],
    [
      "padding beyond DATA",
      PROTOCOL_ERROR,
      [request(1, 0), rawFrame(DATA, PADDED, 1, Buffer.of(9, 1))],
    ],
    [
      "padding beyond HEADERS",
      PROTOCOL_ERROR,
      [rawFrame(HEADERS, END_HEADERS | PADDED, 1, Buffer.of(9, 1))],
    ],
    ["a frame above 16384", FRAME_SIZE_ERROR, [rawFrame(DATA, 0, 1, Buffer.alloc(16_385))]],
    [
      "a broken header block",
      ErrorCode.COMPRESSION_ERROR,
      [rawFrame(HEADERS, END_HEADERS, 1, Buffer.of(0x80))],
    ],
  ];
  for (const [what, code, frames] of cases) {
    const bench = server();
    bench.send(...frames);
    assert.equal(bench.recorder.closed?.code, code, what);
    assert.equal(goawayCode(bench.frames()), code, what);
    assert.equal(bench.http2.isClosed, true, what);
    bench.send(rawFrame(PING, 0, 0, "12345678"));
    assert.equal(bench.frames().length, 0, `${what}: nothing is heard after it`);
  }
});

test("http2: breaches on one stream → RST_STREAM with the code, the connection goes on", () => {
  const { PROTOCOL_ERROR, STREAM_CLOSED, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR } = ErrorCode;
  const malformed = (...fields: string[]): Buffer =>
    rawFrame(HEADERS, END_HEADERS | END_STREAM, 1, literalBlock(...fields));
  const base = [":method", "GET", ":scheme", "http", ":path", "/a"];
  const cases: [string, number, Buffer[]][] = [
    ["DATA after END_STREAM", STREAM_CLOSED, [request(1), rawFrame(DATA, 0, 1, "x")]],
    ["HEADERS after END_STREAM", STREAM_CLOSED, [request(1), request(1)]],
    ["trailers without END_STREAM", PROTOCOL_ERROR, [request(1, 0), request(1, 0)]],
    [
      "a pseudo field in trailers",
      PROTOCOL_ERROR,
      [request(1, 0), rawFrame(HEADERS, END_HEADERS | END_STREAM, 1, literalBlock(":path", "/"))],
    ],
    [
      "stream window overflow",
      FLOW_CONTROL_ERROR,
      [request(1), rawFrame(WINDOW_UPDATE, 0, 1, uint32(2 ** 31 - 1))],
    ],
    ["stream window by 0", PROTOCOL_ERROR, [request(1), rawFrame(WINDOW_UPDATE, 0, 1, uint32(0))]],
    ["PRIORITY of 4 bytes", FRAME_SIZE_ERROR, [request(1), rawFrame(PRIORITY, 0, 1, "abcd")]],
    ["no :path", PROTOCOL_ERROR, [malformed(":method", "GET", ":scheme", "http")]],
    [
      "an empty :path",
      PROTOCOL_ERROR,
      [malformed(":method", "GET", ":scheme", "http", ":path", "")],
    ],
    [":status in a request", PROTOCOL_ERROR, [malformed(...base, ":status", "200")]],
    ["an unknown pseudo field", PROTOCOL_ERROR, [malformed(...base, ":other", "1")]],
    [":path twice", PROTOCOL_ERROR, [malformed(...base, ":path", "/b")]],
    ["a pseudo field after others", PROTOCOL_ERROR, [malformed("x", "1", ...base)]],
    ["upper case", PROTOCOL_ERROR, [malformed(...base, "X-A", "1")]],
    ["connection", PROTOCOL_ERROR, [malformed(...base, "connection", "close")]],
    ["te other than trailers", PROTOCOL_ERROR, [malformed(...base, "te", "gzip")]],
    ["a line break in a value", PROTOCOL_ERROR, [malformed(...base, "x", "a\r\nb: c")]],
    ["content-length without data", PROTOCOL_ERROR, [malformed(...base, "content-length", "3")]],
    [
      "less data than content-length",
      PROTOCOL_ERROR,
      [
        rawFrame(HEADERS, END_HEADERS, 1, literalBlock(...base, "content-length", "3")),
        rawFrame(DATA, END_STREAM, 1, "ab"),
      ],
    ],
    [
      "more data than content-length",
      PROTOCOL_ERROR,
      [
        rawFrame(HEADERS, END_HEADERS, 1, literalBlock(...base, "content-length", "3")),
        rawFrame(DATA, 0, 1, "abcd"),
      ],
    ],
  ];
  for (const [what, code, frames] of cases) {
    const bench = server();
    bench.send(...frames);
    assert.deepEqual(resets(bench.frames()), [[1, code]], what);
    bench.recorder.take();
    bench.send(request(3));
    assert.equal(bench.recorder.take().length, 1, `${what}: the next request is heard`);
  }
});

test("http2: frames that are allowed on closed streams, and unknown ones → ignored", () => {
  const bench = server();
  bench.send(request(1));
  bench.http2.sendHeaders(bench.stream(1), ANSWER, true);
  bench.frames();
  bench.send(
    rawFrame(WINDOW_UPDATE, 0, 1, uint32(10)),
    rawFrame(RST_STREAM, 0, 1, uint32(8)),
    rawFrame(PRIORITY, 0, 1, "abcde"),
    rawFrame(0xfa, 0xff, 1, "unknown"),
    rawFrame(SETTINGS, 0, 0, settings(0xabcd, 1)),
  );
  assert.deepEqual(
    bench.frames().map((frame) => [frame.type, frame.flags]),
    [[SETTINGS, ACK]],
  );
  assert.equal(bench.recorder.closed, undefined);
});

test("http2: a response that ends before its request → RST_STREAM NO_ERROR, late data ignored", () => {
  const bench = server();
  bench.send(request(1, 0));
  bench.http2.sendHeaders(bench.stream(1), ANSWER, true);
  assert.deepEqual(resets(bench.frames()), [[1, ErrorCode.NO_ERROR]]);
  bench.send(rawFrame(DATA, 0, 1, "late"), rawFrame(DATA, END_STREAM, 1, "later"));
  assert.deepEqual(bench.frames(), []);
  assert.deepEqual(bench.recorder.take().length, 1);
});

test("http2: data beyond the stream's window → waits, goes out as window comes, then the trailers", () => {
  const bench = server({}, settings(Setting.INITIAL_WINDOW_SIZE, 10));
  bench.send(request(1));
  const stream = bench.stream(1);
  bench.http2.sendHeaders(stream, ANSWER, false);
  assert.equal(bench.http2.reserveData(stream, 11, false), -1);
  bench.http2.sendData(stream, Buffer.from("0123456789abcdefgh"), false);
  bench.http2.sendHeaders(stream, ["grpc-status", "0"], true);
  assert.equal(stream.queuedBytes, 8);
  assert.deepEqual(dataOf(bench.frames()), ["0123456789"]);
  bench.send(rawFrame(WINDOW_UPDATE, 0, 1, uint32(3)));
  assert.deepEqual(dataOf(bench.frames()), ["abc"]);
  bench.send(rawFrame(SETTINGS, 0, 0, settings(Setting.INITIAL_WINDOW_SIZE, 100)));
  const rest = bench.frames().filter((frame) => frame.type !== SETTINGS);
  assert.deepEqual(
    rest.map((frame) => [frame.type, frame.flags]),
    [
      [DATA, 0],
      [HEADERS, END_HEADERS | END_STREAM],
    ],
  );
  assert.equal(rest[0]?.payload.toString(), "defgh");
  assert.equal(bench.http2.queuedBytes, 0);
  assert.equal(bench.http2.streamCount, 0);
});

test("http2: a window made negative by SETTINGS → nothing is sent until it is positive again", () => {
  const bench = server({}, settings(Setting.INITIAL_WINDOW_SIZE, 10));
  bench.send(request(1));
  const stream = bench.stream(1);
  bench.http2.sendHeaders(stream, ANSWER, false);
  bench.http2.sendData(stream, Buffer.from("0123456789X"), false);
  bench.send(rawFrame(SETTINGS, 0, 0, settings(Setting.INITIAL_WINDOW_SIZE, 5)));
  bench.frames();
  bench.send(rawFrame(WINDOW_UPDATE, 0, 1, uint32(5)));
  assert.deepEqual(bench.frames(), []);
  bench.send(rawFrame(WINDOW_UPDATE, 0, 1, uint32(1)));
  assert.equal(bench.frames()[0]?.payload.toString(), "X");
});

test("http2: the connection's window is spent → streams share what comes, a frame each in turn", () => {
  const bench = server({}, settings(Setting.INITIAL_WINDOW_SIZE, 1_000_000));
  bench.send(request(1), request(3));
  const big = Buffer.alloc(60_000, 1);
  for (const id of [1, 3]) {
    bench.http2.sendHeaders(bench.stream(id), ANSWER, false);
    bench.http2.sendData(bench.stream(id), big, true);
  }
  const sent = new Map<number, number>();
  const count = (): void => {
    for (const frame of bench.frames()) {
      if (frame.type === DATA) {
        sent.set(frame.streamId, (sent.get(frame.streamId) ?? 0) + frame.payload.length);
      }
    }
  };
  count();
  assert.equal((sent.get(1) ?? 0) + (sent.get(3) ?? 0), 65_535);
  bench.send(rawFrame(WINDOW_UPDATE, 0, 0, uint32(40_000)));
  count();
  assert.equal((sent.get(1) ?? 0) + (sent.get(3) ?? 0), 105_535);
  bench.send(rawFrame(WINDOW_UPDATE, 0, 0, uint32(40_000)));
  count();
  assert.deepEqual([...sent.values()], [60_000, 60_000]);
  assert.equal(bench.http2.streamCount, 0);
});

test("http2: more than a stream may queue → false, and one drain when most has gone", () => {
  const bench = server();
  bench.send(request(1));
  const stream = bench.stream(1);
  bench.http2.sendHeaders(stream, ANSWER, false);
  assert.equal(bench.http2.sendData(stream, Buffer.alloc(65_535 + 1000), false), true);
  assert.equal(bench.http2.sendData(stream, Buffer.alloc(300_000), false), false);
  bench.recorder.take();
  bench.send(
    rawFrame(WINDOW_UPDATE, 0, 0, uint32(1_000_000)),
    rawFrame(WINDOW_UPDATE, 0, 1, uint32(100_000)),
  );
  assert.deepEqual(bench.recorder.take(), []);
  bench.send(rawFrame(WINDOW_UPDATE, 0, 1, uint32(200_000)));
  for (let turn = 0; turn < 3; turn += 1) bench.http2.takeOutput();
  assert.deepEqual(bench.recorder.take(), ["1: drain"]);
});

test("http2: a lent buffer is changed after sendData → what was sent is what was given", () => {
  const bench = server({}, settings(Setting.INITIAL_WINDOW_SIZE, 2));
  bench.send(request(1));
  const bytes = Buffer.from("abcd");
  bench.http2.sendHeaders(bench.stream(1), ANSWER, false);
  bench.http2.sendData(bench.stream(1), bytes, false, true);
  bytes.fill("x");
  bench.send(rawFrame(WINDOW_UPDATE, 0, 1, uint32(9)));
  assert.deepEqual(dataOf(bench.frames()), ["ab", "cd"]);
});

test("http2: more data than the stream's window → FLOW_CONTROL_ERROR on the stream", () => {
  const bench = server({ streamWindowBytes: 100 });
  bench.send(request(1, 0), rawFrame(DATA, 0, 1, Buffer.alloc(101)));
  assert.deepEqual(resets(bench.frames()), [[1, ErrorCode.FLOW_CONTROL_ERROR]]);
});

test("http2: more data than the connection's window → FLOW_CONTROL_ERROR on the connection", () => {
  const bench = server({ connectionWindowBytes: 10_000, streamWindowBytes: 1_000_000 });
  bench.send(request(1, 0), rawFrame(DATA, 0, 1, Buffer.alloc(10_001)));
  assert.equal(goawayCode(bench.frames()), ErrorCode.FLOW_CONTROL_ERROR);
});

test("http2: the connection's window is given back by half, even for a paused stream", () => {
  const bench = server({ connectionWindowBytes: 70_000, streamWindowBytes: 1_000_000 });
  bench.send(request(1, 0));
  bench.http2.pauseStream(bench.stream(1));
  for (let piece = 0; piece < 3; piece += 1) bench.send(rawFrame(DATA, 0, 1, Buffer.alloc(16_000)));
  const updates = bench.frames().filter((frame) => frame.type === WINDOW_UPDATE);
  assert.deepEqual(
    updates.map((frame) => [frame.streamId, frame.payload.readUInt32BE(0)]),
    [[0, 48_000]],
  );
});

test("http2: windows are given back in batches, and not to a paused stream", () => {
  const bench = server({ streamWindowBytes: 10_000 });
  bench.send(request(1, 0));
  const stream = bench.stream(1);
  for (let piece = 0; piece < 4; piece += 1) bench.send(rawFrame(DATA, 0, 1, Buffer.alloc(1_000)));
  assert.deepEqual(bench.frames(), []);
  bench.http2.pauseStream(stream);
  bench.send(rawFrame(DATA, 0, 1, Buffer.alloc(2_000)));
  assert.deepEqual(bench.frames(), []);
  bench.http2.resumeStream(stream);
  const [update] = bench.frames();
  assert.deepEqual([update?.type, update?.streamId], [WINDOW_UPDATE, 1]);
  assert.equal(update?.payload.readUInt32BE(0), 6_000);
});

test("http2: a header block longer than a frame → HEADERS and CONTINUATION, read back whole", () => {
  const bench = server();
  bench.send(request(1));
  const fields = [":status", "200"];
  for (let number = 0; number < 40; number += 1) fields.push(`x-${number}`, "\x7f".repeat(1000));
  bench.http2.sendHeaders(bench.stream(1), fields, true);
  const frames = bench.frames();
  assert.deepEqual(
    frames.map((frame) => frame.type),
    [HEADERS, CONTINUATION, CONTINUATION],
  );
  assert.deepEqual(
    frames.map((frame) => frame.flags),
    [END_STREAM, 0, END_HEADERS],
  );
});

test("http2: a client's calls → numbered streams, answers told, 1xx skipped", () => {
  const bench = client({}, settings(Setting.MAX_CONCURRENT_STREAMS, 2));
  const fields = new PreparedHeaders([":method", "GET", ":scheme", "http", ":path", "/a"]);
  const one = bench.http2.openStream(fields, undefined, true);
  const two = bench.http2.openStream(fields, ["grpc-timeout", "1S"], false);
  assert.deepEqual([one.id, two.id, bench.http2.canOpenStream], [1, 3, false]);
  bench.send(
    rawFrame(HEADERS, END_HEADERS, 1, literalBlock(":status", "103", "link", "x")),
    rawFrame(HEADERS, END_HEADERS, 1, OK),
    rawFrame(DATA, 0, 1, "body"),
    rawFrame(HEADERS, END_HEADERS | END_STREAM, 1, literalBlock("grpc-status", "0")),
  );
  assert.deepEqual(bench.recorder.take(), [
    "1: headers :status=200",
    "1: data body",
    "1: headers grpc-status=0 END",
  ]);
  assert.equal(bench.http2.canOpenStream, true);
  bench.send(rawFrame(DATA, 0, 3, "early"));
  assert.deepEqual(bench.recorder.take(), [`3: reset ${ErrorCode.PROTOCOL_ERROR}`]);
});

test("http2: a server's GOAWAY → later streams refused, earlier ones end, then it is closed", () => {
  const bench = client();
  const fields = new PreparedHeaders([":method", "GET", ":scheme", "http", ":path", "/a"]);
  bench.http2.openStream(fields, undefined, true);
  bench.http2.openStream(fields, undefined, true);
  bench.send(rawFrame(GOAWAY, 0, 0, Buffer.concat([uint32(1, 0), Buffer.from("bye")])));
  assert.deepEqual(bench.recorder.take(), [
    `3: reset ${ErrorCode.REFUSED_STREAM}`,
    "goaway 0 1 bye",
  ]);
  assert.equal(bench.http2.canOpenStream, false);
  bench.send(rawFrame(HEADERS, END_HEADERS | END_STREAM, 1, OK));
  assert.deepEqual(bench.recorder.take(), ["1: headers :status=200 END", "close 0"]);
});

test("http2: drain → GOAWAY for all, a PING, GOAWAY with the last id, closed after the last stream", () => {
  const bench = server();
  bench.send(request(1));
  bench.http2.drain();
  const [all, ping] = bench.frames();
  assert.equal(all?.payload.readUInt32BE(0), 2 ** 31 - 1);
  bench.send(request(3), rawFrame(PING, ACK, 0, ping?.payload));
  const [last] = bench.frames();
  assert.equal(last?.payload.readUInt32BE(0), 3);
  bench.send(request(5));
  assert.deepEqual(resets(bench.frames()), [[5, ErrorCode.REFUSED_STREAM]]);
  bench.http2.sendHeaders(bench.stream(1), ANSWER, true);
  assert.equal(bench.http2.isClosed, false);
  bench.http2.sendHeaders(bench.stream(3), ANSWER, true);
  assert.equal(bench.recorder.closed?.code, ErrorCode.NO_ERROR);
});

test("http2: a peer that leaves a drain's PING unanswered → drained by time", () => {
  const bench = server();
  bench.http2.drain();
  bench.http2.tick(500);
  assert.equal(bench.http2.isClosed, false);
  bench.http2.tick(1_100);
  assert.equal(bench.recorder.closed?.code, ErrorCode.NO_ERROR);
});

test("http2: the byte stream is lost → every stream is reset once, then closed", () => {
  const bench = server();
  bench.send(request(1), request(3, 0));
  bench.recorder.take();
  bench.http2.connectionLost();
  bench.http2.connectionLost();
  assert.deepEqual(bench.recorder.take(), ["1: reset 8", "3: reset 8", "close 8"]);
});
