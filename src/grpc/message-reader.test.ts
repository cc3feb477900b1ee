import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { Code } from "../errors/index.ts";
import { BufferBudget, compact, MessageReader } from "./message-reader.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2_000);

function frame(message: Buffer, flag = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function readAll(reader: MessageReader, chunk: Buffer, lo = 0, hi = chunk.length): Buffer[] {
  const messages: Buffer[] = [];
  reader.feed(chunk, lo, hi);
  for (let message = reader.read(); message !== undefined; message = reader.read()) {
    messages.push(message);
  }
  return messages;
}

test("messages: whole in a chunk → views of it, copied nowhere", () => {
  const reader = new MessageReader(100, new BufferBudget(1000), "");
  const chunk = Buffer.concat([
    frame(Buffer.from("ab")),
    frame(Buffer.alloc(0)),
    frame(Buffer.from("c")),
  ]);
  const messages = readAll(reader, chunk);
  assert.deepEqual(messages.map(String), ["ab", "", "c"]);
  assert.equal(messages[0]?.buffer, chunk.buffer);
  assert.equal(reader.isInside, false);
});

test("messages: cut at any places → the same messages, and the budget is given back", () => {
  const prng = new Prng(3);
  for (let run = 0; run < Math.min(RUNS, 5_000); run += 1) {
    const sent = Array.from({ length: prng.below(5) }, () =>
      prng.bytes(prng.below(prng.chance(0.2) ? 200_000 : 300)),
    );
    const bytes = Buffer.concat(sent.map((message) => frame(message)));
    const budget = new BufferBudget(1 << 20);
    const reader = new MessageReader(1 << 20, budget, "");
    const received: Buffer[] = [];
    for (let lo = 0; lo < bytes.length; ) {
      const hi = Math.min(bytes.length, lo + 1 + prng.below(prng.chance(0.5) ? 8 : 50_000));
      received.push(...readAll(reader, bytes, lo, hi));
      lo = hi;
    }
    assert.deepEqual(received, sent);
    assert.equal(budget.bytes, 0);
    assert.equal(reader.isInside, false);
  }
});

test("messages: hostile bytes → a message or a fault, never more memory than came", () => {
  const prng = new Prng(11);
  for (let run = 0; run < RUNS; run += 1) {
    const budget = new BufferBudget(1 << 20);
    const reader = new MessageReader(1 << 19, budget, prng.pick(["", "identity", "gzip"]));
    let came = 0;
    for (let count = prng.below(6); count > 0; count -= 1) {
      const bytes = prng.chance(0.5)
        ? prng.bytes(1 + prng.below(40))
        : frame(prng.bytes(prng.below(40)));
      came += bytes.length;
      for (const message of readAll(reader, bytes)) assert.ok(message.length <= came);
      assert.ok(budget.bytes <= Math.max(64 * 1024, came * 2));
    }
    reader.close();
    assert.equal(budget.bytes, 0);
  }
});

test("messages: larger than allowed → ResourceExhausted in grpc-go's words, nothing kept (FR-01)", () => {
  const budget = new BufferBudget(1000);
  const reader = new MessageReader(100, budget, "");
  assert.deepEqual(readAll(reader, frame(Buffer.alloc(101)).subarray(0, 5)), []);
  assert.deepEqual(reader.fault, {
    code: Code.RESOURCE_EXHAUSTED,
    message: "grpc: received message larger than max (101 vs. 100)",
  });
  assert.equal(budget.bytes, 0);
});

test("messages: compressed → refused as grpc-go does", () => {
  const faults = [
    ["", 1, Code.INTERNAL, "grpc: compressed flag set with identity or empty encoding"],
    ["identity", 1, Code.INTERNAL, "grpc: compressed flag set with identity or empty encoding"],
    ["gzip", 1, Code.UNIMPLEMENTED, 'grpc: Decompressor is not installed for grpc-encoding "gzip"'],
    ["", 2, Code.INTERNAL, "grpc: received unexpected payload format 2"],
  ] as const;
  for (const [encoding, flag, code, message] of faults) {
    const reader = new MessageReader(100, new BufferBudget(100), encoding);
    assert.deepEqual(readAll(reader, frame(Buffer.from("x"), flag)), []);
    assert.deepEqual(reader.fault, { code, message });
  }
});

test("messages: parts on many streams beyond the connection's budget → ResourceExhausted", () => {
  const budget = new BufferBudget(100_000);
  const begin = (): MessageReader => {
    const reader = new MessageReader(1 << 20, budget, "");
    readAll(reader, frame(Buffer.alloc(90_000)).subarray(0, 50));
    return reader;
  };
  const first = begin();
  assert.equal(first.fault, undefined);
  assert.equal(begin().fault?.code, Code.RESOURCE_EXHAUSTED);
  first.close();
  assert.equal(begin().fault, undefined);
});

test("messages: a small one kept for long → does not hold its large chunk", () => {
  const chunk = Buffer.allocUnsafeSlow(10_000);
  assert.notEqual(compact(chunk.subarray(0, 10)).buffer, chunk.buffer);
  assert.equal(compact(chunk.subarray(0, 9_000)).buffer, chunk.buffer);
});
