import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "../errors/index.ts";
import { HpackDecoder } from "../http2/hpack-decoder.ts";
import { PreparedHeaders } from "../http2/index.ts";
import type { HttpHandler, Logger } from "../seam/index.ts";
import {
  connectionPair,
  literalBlock,
  ManualTime,
  type PairedConnection,
  rawFrame,
  readFrames,
  settings,
  uint32,
} from "../testing/index.ts";
import { type CallOptions, ClientGroup, type ClientOptions, type GrpcClient } from "./client.ts";
import type { ClientCall } from "./client-call.ts";
import { FlushQueue } from "./flush-queue.ts";
import { GRPC_LIMITS_DEFAULT } from "./limits.ts";
import { encodeBinary } from "./metadata.ts";
import { GrpcServer, type GrpcServerOptions } from "./server.ts";
import type { Method, MethodTable, ServerStream } from "./types.ts";

const QUIET: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  isEnabled: () => false,
  child: () => QUIET,
};
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

type ServerExtras = Partial<Omit<GrpcServerOptions, "methods" | "clock" | "timers" | "logger">>;

interface Ending {
  code: number;
  message: string;
  text: string | undefined;
  call: ClientCall;
}

/** A server and a client in one thread, joined by bytes in memory, on time that stands still. */
class World {
  readonly time = new ManualTime();
  readonly server: GrpcServer;
  readonly group = new ClientGroup({
    clock: this.time,
    timers: this.time,
    flushQueue: new FlushQueue((run) => this.time.soon(run)),
  });
  readonly ends: PairedConnection[] = [];

  constructor(methods: Record<string, Method>, extras: ServerExtras = {}) {
    const table: MethodTable = new Map(Object.entries(methods));
    const flushQueue = new FlushQueue((run) => this.time.soon(run));
    const options = {
      methods: table,
      clock: this.time,
      timers: this.time,
      logger: QUIET,
      flushQueue,
    };
    this.server = new GrpcServer({ ...options, ...extras });
  }

  client(options: Partial<ClientOptions> = {}): GrpcClient {
    const [mine, theirs] = connectionPair();
    this.server.serve(theirs);
    this.ends.push(mine, theirs);
    const client = this.group.open(mine, { authority: "test", ...options });
    this.settle();
    return client;
  }

  /** A peer that sends what a test says: its end of a connection the server has taken. */
  raw(): PairedConnection {
    const [mine, theirs] = connectionPair();
    this.server.serve(theirs);
    this.ends.push(theirs);
    mine.write(Buffer.concat([Buffer.from(PREFACE), rawFrame(4, 0, 0)]));
    mine.deliver();
    this.time.turn();
    theirs.takeWritten();
    return mine;
  }

  /** Lets all bytes travel until nothing moves. */
  settle(pieceBytes?: number): void {
    let moved = true;
    while (moved) {
      this.time.turn();
      moved = false;
      for (const end of this.ends) if (end.deliver(pieceBytes)) moved = true;
    }
  }

  unary(client: GrpcClient, path: string, message: string | Buffer, options?: CallOptions): Ending {
    const ending = this.begin(client, path, message, options);
    this.settle();
    const [first] = ending;
    assert.ok(first !== undefined, "the call has not ended");
    return first;
  }

  begin(
    client: GrpcClient,
    path: string,
    message: string | Buffer,
    options?: CallOptions,
  ): Ending[] {
    const endings: Ending[] = [];
    client.unary(
      path,
      Buffer.from(message),
      (code, text, response, call) =>
        endings.push({ code, message: text, text: response?.toString("latin1"), call }),
      options,
    );
    return endings;
  }
}

const echo: Method = { kind: "unary", handle: (call, request) => call.respond(request) };

/** Keeps its calls for the test to answer. */
function kept(): { calls: ServerStream[]; method: Method; cancelled: ServerStream[] } {
  const calls: ServerStream[] = [];
  const cancelled: ServerStream[] = [];
  const handle = (call: ServerStream): void => {
    calls.push(call);
    call.onCancel = () => cancelled.push(call);
  };
  return { calls, cancelled, method: { kind: "unary", handle } };
}

test("grpc: a unary call → answered, counted by method and code", () => {
  const world = new World({ "/a.Echo/Say": echo });
  const client = world.client();
  for (const text of ["hello", "", "again"]) {
    const { code, text: answer } = world.unary(client, "/a.Echo/Say", text);
    assert.deepEqual([code, answer], [Code.OK, text]);
  }
  const stats = world.server.stats.methods.get("/a.Echo/Say");
  assert.deepEqual(
    [stats?.service, stats?.method, stats?.type, stats?.started, stats?.handled[0]],
    ["a.Echo", "Say", "unary", 3, 3],
  );
  assert.deepEqual([stats?.messagesReceived, stats?.messagesSent], [3, 3]);
  assert.ok(world.server.stats.receivedBytes > 0 && world.server.stats.sentBytes > 0);
});

test("grpc: bytes that travel one by one → the same answers", () => {
  const world = new World({ "/a.Echo/Say": echo });
  const endings = world.begin(world.client(), "/a.Echo/Say", "hello");
  world.settle(1);
  assert.equal(endings[0]?.text, "hello");
});

test("grpc: a handler that fails → its code and text, percent-encoded on the way", () => {
  const world = new World({
    "/a.Echo/Say": { kind: "unary", handle: (call) => call.fail(Code.NOT_FOUND, "no é at 5%") },
  });
  const { code, message, text } = world.unary(world.client(), "/a.Echo/Say", "x");
  assert.deepEqual([code, message, text], [Code.NOT_FOUND, "no é at 5%", undefined]);
});

test("grpc: unknown methods and services → UNIMPLEMENTED in grpc-go's words", () => {
  const world = new World({ "/a.Echo/Say": echo });
  const client = world.client();
  const cases: [string, string][] = [
    ["/a.Echo/Sing", "unknown method Sing for service a.Echo"],
    ["/b.Other/Say", "unknown service b.Other"],
    ["/nothing", 'malformed method name: "/nothing"'],
  ];
  for (const [path, expected] of cases) {
    const { code, message } = world.unary(client, path, "x");
    assert.deepEqual([code, message], [Code.UNIMPLEMENTED, expected]);
  }
});

test("grpc: a compressed request → UNIMPLEMENTED", () => {
  const world = new World({ "/a.Echo/Say": echo });
  const metadata = ["grpc-encoding", "gzip"];
  const { code, message } = world.unary(world.client(), "/a.Echo/Say", "x", { metadata });
  assert.equal(code, Code.UNIMPLEMENTED);
  assert.equal(message, 'grpc: Decompressor is not installed for grpc-encoding "gzip"');
});

test("grpc: a request above the limit → ResourceExhausted before it is buffered (FR-01)", () => {
  const world = new World({ "/a.Echo/Say": echo });
  const client = world.client();
  const max = GRPC_LIMITS_DEFAULT.receiveMessageBytesMax;
  assert.equal(max, 2_097_152);
  assert.equal(world.unary(client, "/a.Echo/Say", Buffer.alloc(max)).code, Code.OK);
  const { code, message } = world.unary(client, "/a.Echo/Say", Buffer.alloc(max + 1));
  assert.equal(code, Code.RESOURCE_EXHAUSTED);
  assert.equal(message, "grpc: received message larger than max (2097153 vs. 2097152)");
  assert.equal(world.unary(client, "/a.Echo/Say", "still here").code, Code.OK);
});

test("grpc: an answer above what may be sent → ResourceExhausted (FR-02)", () => {
  assert.equal(GRPC_LIMITS_DEFAULT.sendMessageBytesMax, 2 ** 31 - 1);
  const world = new World({ "/a.Echo/Say": echo }, { limits: { sendMessageBytesMax: 4 } });
  const { code, message } = world.unary(world.client(), "/a.Echo/Say", "hello");
  assert.equal(code, Code.RESOURCE_EXHAUSTED);
  assert.equal(message, "grpc: trying to send message larger than max (5 vs. 4)");
});

test("grpc: more calls than the stream limit → the client's wait for their turn (FR-04)", () => {
  const waiting = kept();
  const http2 = { ...GRPC_LIMITS_DEFAULT.http2, concurrentStreamsMax: 2 };
  const world = new World({ "/a.Echo/Say": waiting.method }, { limits: { http2 } });
  const client = world.client();
  const endings = ["1", "2", "3"].map((text) => world.begin(client, "/a.Echo/Say", text));
  world.settle();
  assert.equal(waiting.calls.length, 2);
  waiting.calls[0]?.respond(Buffer.from("one"));
  world.settle();
  assert.equal(waiting.calls.length, 3);
  assert.deepEqual(
    endings.map((ending) => ending.length),
    [1, 0, 0],
  );
});

test("grpc: metadata both ways, text and binary", () => {
  const seen: unknown[] = [];
  const world = new World({
    "/a.Echo/Say": {
      kind: "unary",
      handle: (call, request) => {
        seen.push(call.metadata("token"), call.metadataBinary("key-bin"), call.metadata("none"));
        seen.push(
          call.metadataAll().some(({ name }) => name === ":path"),
          call.path,
        );
        call.addHeader("x-header", "1");
        call.addTrailer("x-trailer-bin", encodeBinary(Buffer.of(1, 2)));
        call.respond(request);
      },
    },
  });
  const client = world.client({ metadata: ["token", "abc.1"] });
  const metadata = ["key-bin", encodeBinary(Buffer.of(0, 255))];
  const { call, code } = world.unary(client, "/a.Echo/Say", "x", { metadata });
  assert.equal(code, Code.OK);
  assert.deepEqual(seen, ["abc.1", Buffer.of(0, 255), undefined, true, "/a.Echo/Say"]);
  assert.equal(call.headers?.get("x-header"), "1");
  assert.equal(call.trailers?.get("x-trailer-bin"), "AQI");
});

test("grpc: a deadline passes at the server → DEADLINE_EXCEEDED, the handler told once (FR-33)", () => {
  const waiting = kept();
  const world = new World({ "/a.Echo/Say": waiting.method });
  const peer = world.raw();
  const head = literalBlock(
    ...[":method", "POST", ":scheme", "http", ":path", "/a.Echo/Say"],
    ...["content-type", "application/grpc", "grpc-timeout", "200m"],
  );
  peer.write(Buffer.concat([rawFrame(1, 4, 1, head), rawFrame(0, 1, 1, Buffer.alloc(5))]));
  peer.deliver();
  const [call] = waiting.calls;
  assert.equal(call?.deadlineMs, world.time.monotonicMs() + 200);
  world.time.advance(150);
  assert.equal(call?.cancelled, false);
  world.time.advance(100);
  assert.equal(call?.cancelled, true);
  assert.equal(waiting.cancelled.length, 1);
  const [frame] = readFrames((peer.other as PairedConnection).takeWritten());
  const block = new HpackDecoder(10_000).decode(
    frame?.payload as Buffer,
    0,
    frame?.payload.length ?? 0,
  );
  assert.equal(block.get("grpc-status"), String(Code.DEADLINE_EXCEEDED));
  assert.equal(block.get("grpc-message"), "context deadline exceeded");
  call?.respond(Buffer.from("late"));
  assert.equal(world.server.stats.methods.get("/a.Echo/Say")?.handled[4], 1);
});

test("grpc: a deadline passes at the client → DEADLINE_EXCEEDED, the server's call cancelled (FR-33)", () => {
  const waiting = kept();
  const world = new World({ "/a.Echo/Say": waiting.method });
  const client = world.client();
  const endings = world.begin(client, "/a.Echo/Say", "x", { timeoutMs: 100 });
  world.settle();
  world.time.advance(149);
  world.settle();
  assert.deepEqual(
    [endings[0]?.code, endings[0]?.message],
    [Code.DEADLINE_EXCEEDED, "context deadline exceeded"],
  );
  assert.equal(waiting.calls[0]?.cancelled, true);
});

test("grpc: a deadline passes while the client takes nothing → the stream is reset (FR-33)", () => {
  const waiting = kept();
  const world = new World({ "/a.Echo/Say": waiting.method });
  const peer = world.raw();
  const head = literalBlock(
    ...[":method", "POST", ":scheme", "http", ":path", "/a.Echo/Say"],
    ...["content-type", "application/grpc", "grpc-timeout", "200m"],
  );
  peer.write(rawFrame(4, 0, 0, settings(4, 0)));
  peer.write(Buffer.concat([rawFrame(1, 4, 1, head), rawFrame(0, 1, 1, Buffer.alloc(5))]));
  peer.deliver();
  waiting.calls[0]?.send(Buffer.alloc(100));
  world.time.turn();
  (peer.other as PairedConnection).takeWritten();
  world.time.advance(250);
  const frames = readFrames((peer.other as PairedConnection).takeWritten());
  assert.deepEqual(
    frames.map((frame) => [frame.type, frame.streamId, frame.payload.readUInt32BE(0)]),
    [[3, 1, 8]],
  );
  assert.equal(waiting.cancelled.length, 1);
  assert.equal(waiting.calls[0]?.queuedBytes, 0);
  assert.equal(world.server.stats.methods.get("/a.Echo/Say")?.handled[4], 1);
});

test("grpc: a malformed grpc-timeout → INTERNAL", () => {
  const world = new World({ "/a.Echo/Say": echo });
  const metadata = ["grpc-timeout", "1x"];
  const { code, message } = world.unary(world.client(), "/a.Echo/Say", "x", { metadata });
  assert.deepEqual([code, message], [Code.INTERNAL, 'malformed grpc-timeout: "1x"']);
});

test("grpc: a call is cancelled → the handler told once, its answer goes nowhere (FR-33)", () => {
  const waiting = kept();
  const world = new World({ "/a.Echo/Say": waiting.method });
  const client = world.client();
  const codes: number[] = [];
  const call = client.unary("/a.Echo/Say", Buffer.from("x"), (code) => codes.push(code));
  world.settle();
  call.cancel();
  call.cancel();
  world.settle();
  assert.deepEqual(codes, [Code.CANCELLED]);
  assert.equal(waiting.cancelled.length, 1);
  waiting.calls[0]?.respond(Buffer.from("late"));
  waiting.calls[0]?.fail(Code.INTERNAL, "later");
  world.settle();
  const stats = world.server.stats.methods.get("/a.Echo/Say");
  assert.deepEqual([stats?.handled[Code.CANCELLED], stats?.messagesSent], [1, 0]);
});

test("grpc: the connection is lost → calls cancelled at the server, UNAVAILABLE at the client", () => {
  const waiting = kept();
  const world = new World({ "/a.Echo/Say": waiting.method });
  const reasons: string[] = [];
  const client = world.client({ onClose: (reason) => reasons.push(reason) });
  const endings = world.begin(client, "/a.Echo/Say", "x");
  world.settle();
  world.ends[0]?.destroy();
  assert.equal(endings[0]?.code, Code.UNAVAILABLE);
  assert.equal(waiting.cancelled.length, 1);
  assert.equal(world.server.connectionCount, 0);
  assert.deepEqual(reasons, ["connection lost"]);
  assert.equal(world.begin(client, "/a.Echo/Say", "x")[0]?.code, Code.UNAVAILABLE);
  const ended: number[] = [];
  client.stream("/a.Echo/Say").onEnd = (code) => ended.push(code);
  world.settle();
  assert.deepEqual(ended, [Code.UNAVAILABLE]);
});

test("grpc: a bidirectional stream → messages in order, half-close, status", () => {
  const world = new World({
    "/a.Echo/Chat": {
      kind: "stream",
      handle: (call) => {
        call.onMessage = (message) => call.send(message);
        call.onHalfClose = () => call.end();
      },
    },
  });
  const call = world.client().stream("/a.Echo/Chat");
  const received: string[] = [];
  call.onMessage = (message) => received.push(String(message));
  call.onEnd = (code) => received.push(`end ${code}`);
  for (const text of ["a", "bb", ""]) call.send(Buffer.from(text));
  world.settle();
  call.send(Buffer.from("c"));
  call.halfClose();
  world.settle();
  assert.deepEqual(received, ["a", "bb", "", "c", "end 0"]);
  const stats = world.server.stats.methods.get("/a.Echo/Chat");
  assert.deepEqual(
    [stats?.type, stats?.messagesReceived, stats?.messagesSent],
    ["bidi_stream", 4, 4],
  );
});

test("grpc: a stream that fails midway → the messages before it, then its status", () => {
  const world = new World({
    "/a.Echo/List": {
      kind: "stream",
      type: "server_stream",
      handle: (call) => {
        call.onHalfClose = () => {
          call.send(Buffer.from("one"));
          call.fail(Code.DATA_LOSS, "gone");
          call.send(Buffer.from("two"));
        };
      },
    },
  });
  const call = world.client().stream("/a.Echo/List");
  const received: string[] = [];
  call.onMessage = (message) => received.push(String(message));
  call.onEnd = (code, message) => received.push(`end ${code} ${message}`);
  call.halfClose();
  world.settle();
  assert.deepEqual(received, ["one", `end ${Code.DATA_LOSS} gone`]);
});

test("grpc: a client that takes no messages → the server's send says wait, then drains", () => {
  const drains: string[] = [];
  let server: ServerStream | undefined;
  const world = new World({
    "/a.Echo/List": {
      kind: "stream",
      handle: (call) => {
        server = call;
        call.onDrain = () => drains.push("drain");
      },
    },
  });
  const call = world.client().stream("/a.Echo/List");
  let receivedBytes = 0;
  call.onMessage = (message) => (receivedBytes += message.length);
  call.pauseMessages();
  world.settle();
  const message = Buffer.alloc(10_000);
  let sentCount = 1;
  while (server?.send(message) === true) {
    sentCount += 1;
    world.settle();
    assert.ok(sentCount < 1_000, "nothing ever says wait");
  }
  world.settle();
  assert.equal(receivedBytes, 0);
  assert.ok((server?.queuedBytes ?? 0) > 100_000);
  assert.deepEqual(drains, []);
  call.resumeMessages();
  world.settle();
  assert.deepEqual(drains, ["drain"]);
  assert.equal(receivedBytes, sentCount * message.length);
});

test("grpc: a handler that pauses → the client's send says wait, nothing is lost or reordered", () => {
  const received: number[] = [];
  let server: ServerStream | undefined;
  const world = new World({
    "/a.Echo/Chat": {
      kind: "stream",
      handle: (call) => {
        server = call;
        call.onMessage = (message) => {
          received.push(message.readUInt32BE(0));
          if (received.length % 50 === 0) call.pauseMessages();
        };
        call.onHalfClose = () => {
          received.push(-1);
          call.end();
        };
      },
    },
  });
  const call = world.client().stream("/a.Echo/Chat");
  let isOpen = true;
  let count = 0;
  let drainCount = 0;
  call.onDrain = () => (drainCount += 1);
  while (isOpen && count < 1_000) {
    isOpen = call.send(Buffer.concat([uint32(count), Buffer.alloc(20_000)]));
    count += 1;
    world.settle();
  }
  assert.equal(isOpen, false);
  assert.equal(received.length, 50);
  call.halfClose();
  while (received.at(-1) !== -1) {
    server?.resumeMessages();
    world.settle();
  }
  assert.deepEqual(received, [...Array.from({ length: count }, (_, number) => number), -1]);
  assert.ok(drainCount > 0);
});

test("grpc: calls that end with parts and messages kept → their memory is free again", () => {
  const paused: Method = { kind: "stream", handle: (call) => call.pauseMessages() };
  const methods = { "/a.Echo/Say": echo, "/a.Echo/Chat": paused };
  const world = new World(methods, { limits: { bufferedBytesMax: 200_000 } });
  const client = world.client();
  for (let round = 0; round < 10; round += 1) {
    const part = client.http2.openStream(
      new PreparedHeaders([
        ...[":method", "POST", ":scheme", "http", ":path", "/a.Echo/Say"],
        ...["content-type", "application/grpc"],
      ]),
      undefined,
      false,
    );
    client.http2.sendData(part, Buffer.concat([Buffer.of(0), uint32(100_000)]), false);
    client.http2.sendData(part, Buffer.alloc(50_000), false);
    const chat = client.stream("/a.Echo/Chat");
    chat.send(Buffer.alloc(90_000));
    world.settle();
    assert.equal(client.http2.streamCount, 2, `round ${round}: both are still open`);
    client.http2.resetStream(part, 8);
    chat.cancel();
    world.settle();
  }
  assert.equal(world.server.stats.methods.get("/a.Echo/Chat")?.handled[Code.CANCELLED], 10);
});

test("grpc: an answer in pieces → one message, never queued beyond the mark", () => {
  const lengthBytes = 3_000_000;
  let mostQueued = 0;
  const world = new World({
    "/a.Echo/Big": {
      kind: "unary",
      handle: (call) => {
        let sent = 0;
        const piece = Buffer.alloc(50_000, 7);
        const more = (): void => {
          let isOpen = true;
          while (isOpen && sent < lengthBytes) {
            sent += piece.length;
            isOpen = call.sendPiece(piece);
            mostQueued = Math.max(mostQueued, call.queuedBytes);
          }
        };
        call.onDrain = more;
        call.beginMessage(lengthBytes);
        more();
      },
    },
  });
  const { code, text } = world.unary(world.client(), "/a.Echo/Big", "x");
  assert.equal(code, Code.OK);
  assert.equal(text?.length, lengthBytes);
  assert.ok(mostQueued < 400_000, String(mostQueued));
});

test("grpc: a failure inside a message sent in pieces → the stream is reset", () => {
  const world = new World({
    "/a.Echo/Big": {
      kind: "unary",
      handle: (call) => {
        call.beginMessage(10);
        call.sendPiece(Buffer.alloc(5));
        call.fail(Code.UNAVAILABLE, "gone");
      },
    },
  });
  assert.equal(world.unary(world.client(), "/a.Echo/Big", "x").code, Code.INTERNAL);
});

test("grpc: unary requests of no message, two, or a part of one → INTERNAL", () => {
  const world = new World({ "/a.Echo/Say": echo });
  const client = world.client();
  const run = (...messages: (Buffer | string)[]): [number, string] => {
    const call = client.stream("/a.Echo/Say");
    let ending: [number, string] = [-1, ""];
    call.onEnd = (code, message) => (ending = [code, message]);
    for (const message of messages) call.send(Buffer.from(message));
    call.halfClose();
    world.settle();
    return ending;
  };
  assert.match(run()[1], /received no request message/);
  assert.match(run("a", "b")[1], /received multiple request messages/);
  assert.deepEqual(run("a"), [Code.OK, ""]);
  const peer = world.raw();
  const head = literalBlock(
    ...[":method", "POST", ":scheme", "http", ":path", "/a.Echo/Say"],
    ...["content-type", "application/grpc"],
  );
  peer.write(Buffer.concat([rawFrame(1, 4, 1, head), rawFrame(0, 1, 1, Buffer.alloc(3))]));
  peer.deliver();
  world.time.turn();
  const frames = readFrames((peer.other as PairedConnection).takeWritten());
  assert.equal(frames[0]?.type, 1);
  assert.equal(world.server.stats.methods.get("/a.Echo/Say")?.handled[Code.INTERNAL], 3);
});

test("grpc: a drain → calls under way end, new ones refused, then the server is idle", () => {
  const waiting = kept();
  const world = new World({ "/a.Echo/Say": waiting.method });
  const client = world.client();
  const idle: string[] = [];
  const endings = world.begin(client, "/a.Echo/Say", "x");
  world.settle();
  world.server.drain(() => idle.push("idle"));
  world.settle();
  assert.equal(client.isClosed, true);
  assert.equal(world.unary(client, "/a.Echo/Say", "y").code, Code.UNAVAILABLE);
  assert.deepEqual(idle, []);
  waiting.calls[0]?.respond(Buffer.from("answer"));
  world.settle();
  assert.equal(endings[0]?.text, "answer");
  assert.deepEqual(idle, ["idle"]);
});

test("grpc: the server closes → calls end with UNAVAILABLE, connections are gone", () => {
  const waiting = kept();
  const world = new World({ "/a.Echo/Say": waiting.method });
  const endings = world.begin(world.client(), "/a.Echo/Say", "x");
  world.settle();
  world.server.close();
  world.settle();
  assert.equal(waiting.cancelled.length, 1);
  assert.equal(endings[0]?.code, Code.UNAVAILABLE);
  assert.equal(world.server.connectionCount, 0);
});

test("grpc: a client that asks too often → GOAWAY ENHANCE_YOUR_CALM too_many_pings (FR-05)", () => {
  const world = new World({ "/a.Echo/Say": echo });
  const peer = world.raw();
  for (let count = 0; count < 4; count += 1) {
    peer.write(rawFrame(6, 0, 0, "12345678"));
    peer.deliver();
    world.time.advance(1_000);
  }
  const frames = readFrames((peer.other as PairedConnection).takeWritten());
  const goaway = frames.find((frame) => frame.type === 7);
  assert.equal(goaway?.payload.readUInt32BE(4), 11);
  assert.equal(goaway?.payload.subarray(8).toString(), "too_many_pings");
});

test("grpc: a silent client → asked after Time, dropped after Timeout (FR-06)", () => {
  const keepalive = { timeMs: 10_000, timeoutMs: 1_000 };
  const world = new World({ "/a.Echo/Say": echo }, { keepalive });
  const peer = world.raw();
  world.time.advance(9_000);
  const other = peer.other as PairedConnection;
  assert.equal(other.takeWritten().length, 0);
  world.time.advance(1_100);
  assert.deepEqual(
    readFrames(other.takeWritten()).map((frame) => [frame.type, frame.flags]),
    [[6, 0]],
  );
  world.time.advance(850);
  assert.equal(other.isClosed, false);
  world.time.advance(200);
  assert.equal(other.isClosed, true);
  assert.equal(world.server.connectionCount, 0);
});

test("grpc: a client's keepalive → asks only while calls are open, ends them when unanswered", () => {
  const waiting = kept();
  const world = new World({ "/a.Echo/Say": waiting.method });
  const client = world.client({
    keepalive: { timeMs: 10_000, timeoutMs: 1_000, permitWithoutStream: false },
  });
  world.time.advance(60_000);
  assert.equal(world.ends[0]?.takeWritten().length, 0);
  const endings = world.begin(client, "/a.Echo/Say", "x");
  world.settle();
  // After so long a silence it asks at once; the server answers.
  world.time.advance(100);
  world.settle();
  world.time.advance(10_500);
  assert.equal(endings.length, 0);
  world.time.advance(2_500);
  assert.equal(endings[0]?.code, Code.UNAVAILABLE);
});

test("grpc: plain HTTP on the same connection → given to the handler (FR-11)", async () => {
  const requests: string[] = [];
  const onHttpRequest: HttpHandler = async (request) => {
    requests.push(`${request.method} ${request.path} ${request.query.get("a")} ${request.body}`);
    if (request.path === "/throw") throw new Error("broken");
    return { status: 200, headers: { "Content-Type": "text/plain" }, body: `at ${request.path}` };
  };
  const world = new World(
    { "/a.Echo/Say": echo },
    { onHttpRequest, limits: { httpBodyBytesMax: 9 } },
  );
  const peer = world.raw();
  const ask = (id: number, path: string, body: string): void => {
    const head = literalBlock(":method", "POST", ":scheme", "http", ":path", path);
    peer.write(Buffer.concat([rawFrame(1, 4, id, head), rawFrame(0, 1, id, body)]));
    peer.deliver();
  };
  ask(1, "/health?a=b", "x");
  ask(3, "/throw", "");
  ask(5, "/large", "0123456789");
  await Promise.resolve();
  await Promise.resolve();
  world.time.turn();
  const frames = readFrames((peer.other as PairedConnection).takeWritten());
  const bodies = frames
    .filter((frame) => frame.type === 0)
    .map((frame) => [frame.streamId, String(frame.payload)]);
  assert.deepEqual(
    bodies.sort(([a], [b]) => Number(a) - Number(b)),
    [
      [1, "at /health"],
      [3, "500 internal error\n"],
      [5, "413 request body too large\n"],
    ],
  );
  assert.deepEqual(requests, ["POST /health b x", "POST /throw null "]);
});

test("grpc: plain HTTP without a handler → 415", () => {
  const world = new World({ "/a.Echo/Say": echo });
  const peer = world.raw();
  const head = literalBlock(":method", "GET", ":scheme", "http", ":path", "/a.Echo/Say");
  peer.write(rawFrame(1, 5, 1, head));
  peer.deliver();
  world.time.turn();
  const [frame] = readFrames((peer.other as PairedConnection).takeWritten());
  // 0x08: a literal with the name of index 8, ":status"; then Huffman coded "415".
  assert.equal(frame?.payload[0], 0x08);
});

test("grpc: a slow reader → reading from it stops, and goes on when it has caught up", () => {
  const world = new World({ "/a.Echo/Say": echo }, { limits: { socketBytesPause: 100_000 } });
  const client = world.client();
  const [mine, theirs] = world.ends as [PairedConnection, PairedConnection];
  mine.isPaused = true;
  let ended = 0;
  for (let count = 0; count < 100; count += 1) {
    client.unary("/a.Echo/Say", Buffer.alloc(20_000), () => (ended += 1));
  }
  world.settle();
  assert.equal(theirs.isPaused, true);
  assert.ok(theirs.bufferedBytes < 1_000_000);
  mine.isPaused = false;
  world.settle();
  assert.equal(ended, 100);
  assert.equal(theirs.isPaused, false);
});

test("grpc: a peer that gives no window → what waits for it is bounded by closing", () => {
  const http2 = { ...GRPC_LIMITS_DEFAULT.http2, queuedBytesMax: 500_000 };
  const world = new World(
    { "/a.Echo/Big": { kind: "unary", handle: (call) => call.respond(Buffer.alloc(100_000)) } },
    { limits: { http2 } },
  );
  const peer = world.raw();
  peer.write(rawFrame(4, 0, 0, settings(4, 0)));
  const head = literalBlock(
    ...[":method", "POST", ":scheme", "http", ":path", "/a.Echo/Big"],
    ...["content-type", "application/grpc"],
  );
  for (let id = 1; id < 20; id += 2) {
    peer.write(Buffer.concat([rawFrame(1, 4, id, head), rawFrame(0, 1, id, Buffer.alloc(5))]));
  }
  peer.deliver();
  world.time.turn();
  const frames = readFrames((peer.other as PairedConnection).takeWritten());
  assert.equal(frames.at(-1)?.type, 7);
  assert.equal(frames.at(-1)?.payload.readUInt32BE(4), 11);
});
