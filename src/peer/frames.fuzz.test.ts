/** Bytes that no encoder wrote: refused or read, never a crash, never more memory than they are. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter, MalformedError, Prng } from "../base/index.ts";
import { type Message, MessageType } from "../wire/index.ts";
import { entryOf, messageOf } from "./fixture.test.ts";
import { FrameDecoder } from "./frame-decoder.ts";
import { frameEncoder, type StreamKind } from "./frame-encoder.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2_000);

function randomMessages(prng: Prng): Message[] {
  let index = prng.below(100);
  let term = 1 + prng.below(3);
  return Array.from({ length: 1 + prng.below(5) }, () => {
    if (prng.chance(0.2)) term += 1;
    if (prng.chance(0.2)) index += prng.below(3);
    const entries = Array.from({ length: prng.below(4) }, (_, at) =>
      entryOf(index + 1 + at, term, "v".repeat(prng.below(80))),
    );
    const from = 1n;
    const to = 2n;
    const logTerm = prng.chance(0.8) ? term : term - 1;
    const message = messageOf({
      ...{ type: MessageType.APP, from, to, term, logTerm, index, entries, commit: index },
    });
    index += entries.length;
    return message;
  });
}

function encode(kind: StreamKind, messages: readonly Message[]): Buffer {
  const writer = new ByteWriter();
  const encoder = frameEncoder(kind);
  for (const message of messages) encoder.encode(writer, message);
  return writer.take();
}

function pushAll(prng: Prng, decoder: FrameDecoder, bytes: Buffer): void {
  let at = 0;
  while (at < bytes.length) {
    const end = Math.min(bytes.length, at + 1 + prng.below(prng.chance(0.5) ? 16 : 4096));
    decoder.push(Buffer.from(bytes.subarray(at, end)));
    at = end;
  }
}

function mutate(prng: Prng, bytes: Buffer): Buffer {
  const mutated = Buffer.from(bytes);
  for (let count = 1 + prng.below(4); count > 0; count -= 1) {
    mutated[prng.below(mutated.length)] = prng.below(256);
  }
  return prng.chance(0.3) ? mutated.subarray(0, prng.below(mutated.length + 1)) : mutated;
}

test(`frames: ${RUNS} random sequences, cut anywhere → what was sent (PE-31, PE-32, PE-33)`, () => {
  const prng = new Prng(7);
  for (let run = 0; run < RUNS; run += 1) {
    const kind = prng.chance(0.5) ? "msgapp" : "message";
    const messages = randomMessages(prng);
    const received: Message[] = [];
    const onMessage = (message: Message): void => void received.push(message);
    pushAll(prng, new FrameDecoder({ kind, from: 1n, to: 2n, onMessage }), encode(kind, messages));
    assert.deepEqual(received, messages, `run ${run}`);
  }
});

test(`frames: ${RUNS} damaged sequences → MalformedError or messages, bounded memory (PE-31)`, () => {
  const prng = new Prng(11);
  let refused = 0;
  for (let run = 0; run < RUNS; run += 1) {
    const kind = prng.chance(0.5) ? "msgapp" : "message";
    const bytes = mutate(prng, encode(kind, randomMessages(prng)));
    let entries = 0;
    const onMessage = (message: Message): void => {
      entries += message.entries.length;
    };
    try {
      pushAll(prng, new FrameDecoder({ kind, from: 1n, to: 2n, onMessage }), bytes);
    } catch (error) {
      assert.ok(error instanceof MalformedError, `run ${run}: ${error}`);
      refused += 1;
    }
    assert.ok(entries <= bytes.length, `run ${run}: ${entries} entries of ${bytes.length} bytes`);
  }
  assert.ok(refused > RUNS / 50);
});
