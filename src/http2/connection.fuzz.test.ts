/** Hostile bytes: whatever comes, the connection answers or closes, and its counts stay true. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import {
  Http2Recorder,
  literalBlock,
  rawFrame,
  readFrames,
  settings,
  uint32,
} from "../testing/index.ts";
import { Http2Connection } from "./connection.ts";
import { ConnectionError, ErrorCode } from "./error-code.ts";
import { PREFACE } from "./frame.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { PreparedHeaders } from "./hpack-encoder.ts";
import { HTTP2_LIMITS_DEFAULT } from "./limits.ts";
import type { Stream } from "./stream.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2_000);
const GET = literalBlock(":method", "GET", ":scheme", "http", ":path", "/a");
const INDEXED = Buffer.from("828684418cf1e3c2e5f23a6ba0ab90f4ff", "hex");
const LIMITS = {
  ...HTTP2_LIMITS_DEFAULT,
  streamWindowBytes: 50_000,
  connectionWindowBytes: 200_000,
  concurrentStreamsMax: 8,
  headerListBytesMax: 2_000,
  queuedBytesMax: 300_000,
};

/** Mostly valid frames on few streams, so that states behind the first error are reached. */
function anyFrame(prng: Prng): Buffer {
  const id = prng.chance(0.9) ? prng.below(12) * 2 + 1 : prng.below(4);
  const flags = prng.chance(0.8) ? prng.pick([0, 1, 4, 5]) : prng.below(256);
  switch (prng.below(12)) {
    case 0:
    case 1:
    case 2:
      return rawFrame(1, flags | (prng.chance(0.9) ? 4 : 0), id, prng.pick([GET, INDEXED]));
    case 3:
    case 4:
      return rawFrame(0, flags, id, prng.bytes(prng.below(prng.chance(0.9) ? 200 : 16_384)));
    case 5:
      return rawFrame(3, 0, id, uint32(prng.below(16)));
    case 6:
      return rawFrame(4, 0, 0, settings(prng.below(8), prng.pick([0, 1, 100, 65_535, 20_000])));
    case 7:
      return rawFrame(6, prng.below(2), 0, prng.bytes(8));
    case 8:
      return rawFrame(8, 0, prng.chance(0.5) ? 0 : id, uint32(prng.below(100_000)));
    case 9:
      return rawFrame(9, 4, id, GET);
    case 10:
      return rawFrame(2, 0, id, prng.bytes(5));
    default:
      return rawFrame(prng.below(256), prng.below(256), id, prng.bytes(prng.below(40)));
  }
}

function mutate(bytes: Buffer, prng: Prng): Buffer {
  const out = Buffer.from(bytes);
  for (let count = prng.below(4); count > 0; count -= 1) {
    out[prng.below(out.length)] = prng.below(256);
  }
  return out.subarray(0, prng.chance(0.1) ? prng.below(out.length) : out.length);
}

/** Answers requests as a handler might: at once, later, in parts, or with an abort. */
function answer(http2: Http2Connection<string>, stream: Stream<string>, prng: Prng): void {
  if (stream.isClosed || stream.endPending) return;
  switch (prng.below(5)) {
    case 0:
      http2.resetStream(stream, ErrorCode.CANCEL);
      break;
    case 1:
      http2.pauseStream(stream);
      break;
    case 2:
      http2.resumeStream(stream);
      break;
    case 3:
      if (!stream.headersSent) http2.sendHeaders(stream, [":status", "200"], false);
      http2.sendData(stream, Buffer.alloc(prng.below(70_000)), prng.chance(0.3), true);
      break;
    default:
      http2.sendHeaders(stream, [":status", "200", "x", "y"], true);
  }
}

function checkCounts(http2: Http2Connection<string>): void {
  let queued = 0;
  for (const stream of http2.streams()) {
    assert.equal(stream.isClosed, false);
    queued += stream.queuedBytes;
  }
  assert.equal(http2.queuedBytes, http2.isClosed ? 0 : queued);
}

function run(role: "server" | "client", seed: number): void {
  const prng = new Prng(seed);
  const recorder = new Http2Recorder<Stream<string>>();
  const http2 = new Http2Connection<string>({ role, limits: LIMITS, events: recorder });
  http2.start(0);
  http2.takeOutput();
  const isServer = role === "server";
  const parts = [isServer ? PREFACE : Buffer.alloc(0), rawFrame(4, 0, 0)];
  for (let count = prng.below(30); count > 0; count -= 1) parts.push(anyFrame(prng));
  const bytes = mutate(Buffer.concat(parts), prng);
  if (!isServer) {
    http2.receive(rawFrame(4, 0, 0), 0);
    const fields = new PreparedHeaders([":method", "GET", ":scheme", "http", ":path", "/"]);
    for (let count = prng.below(6); count > 0; count -= 1)
      http2.openStream(fields, undefined, true);
  } else {
    recorder.onRequest = (stream) => answer(http2, stream, prng);
  }
  for (let at = 0; at < bytes.length; ) {
    const next = Math.min(bytes.length, at + 1 + prng.below(prng.chance(0.5) ? 40 : 20_000));
    http2.receive(Buffer.from(bytes.subarray(at, next)), at);
    at = next;
    if (isServer && prng.chance(0.3)) {
      for (const stream of [...http2.streams()]) answer(http2, stream, prng);
    }
    checkCounts(http2);
    readFrames(Buffer.concat(http2.takeOutput()));
    if (prng.chance(0.05)) http2.setOutputBlocked(prng.chance(0.5));
  }
  http2.connectionLost();
  assert.equal(recorder.lines.filter((line) => line.startsWith("close")).length, 1);
  assert.equal(http2.queuedBytes, 0);
}

for (const role of ["server", "client"] as const) {
  test(`http2 fuzz: hostile frames at a ${role} → no throw, whole frames out, counts true`, () => {
    for (let seed = 1; seed <= RUNS / 2; seed += 1) {
      try {
        run(role, seed);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  });
}

test("hpack fuzz: hostile blocks → decoded or COMPRESSION_ERROR, table within its limit", () => {
  const corpus = [
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
    "3fe101be",
    "0401610162",
  ].map((hex) => Buffer.from(hex, "hex"));
  const prng = new Prng(7);
  let decoder = new HpackDecoder(2_000);
  let decodedCount = 0;
  for (let count = 0; count < RUNS; count += 1) {
    const bytes = prng.chance(0.2) ? prng.bytes(prng.below(60)) : mutate(prng.pick(corpus), prng);
    try {
      const block = decoder.decode(bytes, 0, bytes.length);
      assert.ok(block.fields.every((field) => typeof field.value === "string"));
      decodedCount += 1;
    } catch (error) {
      assert.ok(error instanceof ConnectionError, String(error));
      assert.equal(error.code, ErrorCode.COMPRESSION_ERROR);
      decoder = new HpackDecoder(2_000);
    }
    assert.ok(decoder.tableBytes >= 0 && decoder.tableBytes <= 4_096);
  }
  assert.ok(decodedCount > RUNS / 20);
});
