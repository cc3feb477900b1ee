/**
 * Hostile gRPC over well-formed and broken HTTP/2: every call that began ends once, and nothing is
 * left.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import type { Code } from "../errors/index.ts";
import type { Logger } from "../seam/index.ts";
import {
  connectionPair,
  literalBlock,
  ManualTime,
  rawFrame,
  readFrames,
  settings,
  uint32,
} from "../testing/index.ts";
import { GRPC_LIMITS_DEFAULT } from "./limits.ts";
import { GrpcServer } from "./server.ts";
import type { Method, ServerStream } from "./types.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2_000) / 4;
const QUIET: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  isEnabled: () => false,
  child: () => QUIET,
};
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const LIMITS = {
  receiveMessageBytesMax: 20_000,
  bufferedBytesMax: 60_000,
  httpBodyBytesMax: 100,
  http2: { ...GRPC_LIMITS_DEFAULT.http2, streamWindowBytes: 70_000, queuedBytesMax: 200_000 },
};

function headers(prng: Prng): Buffer {
  const fields = [":method", prng.chance(0.95) ? "POST" : "GET", ":scheme", "http"];
  fields.push(":path", prng.pick(["/f.Fuzz/Unary", "/f.Fuzz/Stream", "/f.Fuzz/None", "/health"]));
  fields.push(
    "content-type",
    prng.pick(["application/grpc", "application/grpc+proto", "text/plain"]),
  );
  if (prng.chance(0.3))
    fields.push("grpc-timeout", prng.pick(["10m", "1S", "0n", "x", "99999999H"]));
  if (prng.chance(0.1)) fields.push("grpc-encoding", prng.pick(["gzip", "identity"]));
  return literalBlock(...fields);
}

function message(prng: Prng): Buffer {
  const body = prng.bytes(prng.below(prng.chance(0.1) ? 25_000 : 60));
  const prefix = Buffer.concat([
    Buffer.of(prng.chance(0.95) ? 0 : prng.below(3)),
    uint32(body.length),
  ]);
  if (prng.chance(0.05)) prefix[1 + prng.below(4)] = prng.below(256);
  return Buffer.concat([prefix, body]);
}

function frames(prng: Prng, nextId: { value: number }): Buffer {
  const id = prng.below(nextId.value) * 2 + 1;
  switch (prng.below(8)) {
    case 0:
    case 1: {
      const opened = nextId.value * 2 + 1;
      nextId.value += 1;
      const end = prng.chance(0.2) ? 1 : 0;
      const whole = message(prng);
      const data =
        end === 1 ? Buffer.alloc(0) : rawFrame(0, prng.below(2), opened, whole.subarray(0, 16_000));
      return Buffer.concat([rawFrame(1, 4 | end, opened, headers(prng)), data]);
    }
    case 2:
    case 3:
      return rawFrame(0, prng.chance(0.3) ? 1 : 0, id, message(prng).subarray(0, 16_384));
    case 4:
      return rawFrame(3, 0, id, uint32(8));
    case 5:
      return rawFrame(8, 0, prng.chance(0.5) ? 0 : id, uint32(1 + prng.below(50_000)));
    case 6:
      return rawFrame(4, 0, 0, settings(4, prng.below(100_000)));
    default:
      return rawFrame(prng.chance(0.9) ? 6 : prng.below(12), 0, 0, prng.bytes(8));
  }
}

/** Does something random with a call; also with one that has ended. */
function act(prng: Prng, call: ServerStream, isStream: boolean): void {
  switch (prng.below(8)) {
    case 0:
      call.fail(prng.below(17) as Code, "random");
      break;
    case 1:
      call.pauseMessages();
      break;
    case 2:
      call.resumeMessages();
      break;
    case 3:
      if (isStream) call.end();
      else call.respond(prng.bytes(prng.below(40_000)));
      break;
    case 4:
      call.beginMessage(9);
      call.sendPiece(prng.bytes(4));
      call.sendPiece(prng.bytes(5));
      break;
    default:
      if (isStream) call.send(prng.bytes(prng.below(prng.chance(0.1) ? 100_000 : 100)));
  }
}

function run(seed: number): void {
  const prng = new Prng(seed);
  const time = new ManualTime();
  const calls: [ServerStream, boolean][] = [];
  const open = new Map<ServerStream, number>();
  const methods = new Map<string, Method>([
    [
      "/f.Fuzz/Unary",
      {
        kind: "unary",
        handle: (call) => {
          calls.push([call, false]);
          call.onCancel = () => open.set(call, (open.get(call) ?? 0) + 1);
          if (prng.chance(0.5)) act(prng, call, false);
        },
      },
    ],
    [
      "/f.Fuzz/Stream",
      {
        kind: "stream",
        handle: (call) => {
          calls.push([call, true]);
          call.onCancel = () => open.set(call, (open.get(call) ?? 0) + 1);
          call.onMessage = () => act(prng, call, true);
          call.onHalfClose = () => act(prng, call, true);
          call.onDrain = () => act(prng, call, true);
        },
      },
    ],
  ]);
  const onHttpRequest = async () => ({ status: 200, headers: {}, body: "ok" });
  const options = { clock: time, timers: time, logger: QUIET, limits: LIMITS, onHttpRequest };
  const server = new GrpcServer({ methods, ...options });
  const [mine, theirs] = connectionPair();
  theirs.highBytes = 2_000;
  server.serve(theirs);
  const nextId = { value: 0 };
  const parts = [PREFACE, rawFrame(4, 0, 0)];
  for (let count = 5 + prng.below(40); count > 0; count -= 1) parts.push(frames(prng, nextId));
  const bytes = Buffer.concat(parts);
  if (prng.chance(0.2)) bytes[60 + prng.below(bytes.length - 60)] = prng.below(256);
  for (let at = 0; at < bytes.length && !theirs.isClosed; ) {
    const next = Math.min(bytes.length, at + 1 + prng.below(prng.chance(0.5) ? 60 : 30_000));
    mine.write(bytes.subarray(at, next));
    mine.deliver();
    at = next;
    if (calls.length > 0 && prng.chance(0.5)) act(prng, ...prng.pick(calls));
    if (prng.chance(0.3)) time.advance(prng.below(40));
    if (prng.chance(0.5)) {
      time.turn();
      if (!theirs.isClosed) readFrames(theirs.takeWritten());
      if (!theirs.isClosed) theirs.events.onDrain();
    }
  }
  theirs.destroy();
  for (const stats of server.stats.methods.values()) {
    const handled = stats.handled.reduce((sum, count) => sum + count, 0);
    assert.equal(stats.started, handled, `${stats.method}: begun and ended calls`);
  }
  for (const count of open.values()) assert.equal(count, 1);
  for (const [call, isStream] of calls) act(prng, call, isStream);
  assert.equal(server.connectionCount, 0);
}

test("grpc fuzz: hostile calls and handlers → each call ends once, none is left", () => {
  for (let seed = 1; seed <= RUNS; seed += 1) {
    try {
      run(seed);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});
