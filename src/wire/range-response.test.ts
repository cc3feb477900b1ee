import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter, Prng } from "../base/index.ts";
import { decodeHeaderOf, sizeHeaderField } from "./header.ts";
import { marshalKeyValue } from "./key-value.ts";
import {
  decodeRangeResponse,
  decodeRangeStreamResponse,
  encodePairFrame,
  encodeRangeHead,
  encodeRangeResponse,
  encodeRangeStreamResponse,
  encodeRangeTail,
  sizeFramedPair,
  sizeFramedPairs,
  sizeRangeResponse,
} from "./range-response.ts";

const header = { clusterId: 2n ** 64n - 1n, memberId: 5n, revision: 9, raftTerm: 2 };

function pairs(count: number, valueBytes: number): Buffer[] {
  const prng = new Prng(3);
  return Array.from({ length: count }, (_, at) =>
    marshalKeyValue({
      key: `key${at}`,
      createRevision: 2,
      modRevision: at,
      version: 1,
      value: prng.bytes(prng.below(valueBytes)),
      lease: 0n,
    }),
  );
}

test("range response: in pieces → the bytes of the whole one, in the size foretold (KV-09)", () => {
  for (const [count, valueBytes] of [
    [0, 1],
    [1, 10],
    [200, 400],
  ] as const) {
    const kvs = pairs(count, valueBytes);
    const whole = new ByteWriter();
    encodeRangeResponse(whole, header, { revision: 9, kvs, more: true, count: 1000 });
    const pieces = new ByteWriter();
    encodeRangeHead(pieces, header);
    let framed = 0;
    for (const kv of kvs) {
      encodePairFrame(pieces, kv.length);
      pieces.raw(kv);
      framed += sizeFramedPair(kv.length);
    }
    encodeRangeTail(pieces, true, 1000);
    assert.equal(pieces.view().equals(whole.view()), true);
    assert.equal(sizeFramedPairs(kvs), framed);
    assert.equal(sizeRangeResponse(header, framed, true, 1000), whole.length);
    assert.equal(sizeHeaderField(header), whole.length - framed - 2 - 3);
  }
});

test("range response: decoded → the header's revision and views of the pairs", () => {
  const kvs = pairs(3, 20);
  const writer = new ByteWriter();
  encodeRangeResponse(writer, header, { revision: 0, kvs, more: false, count: 3 });
  const bytes = writer.take();
  assert.deepEqual(decodeRangeResponse(bytes), { revision: 9, kvs, more: false, count: 3 });
  assert.deepEqual(decodeHeaderOf(bytes), header);
});

test("range stream: chunks merged → the unary answer, header and count in the last alone (RS-04)", () => {
  const kvs = pairs(5, 300);
  const writer = new ByteWriter();
  const chunks = [kvs.slice(0, 2), kvs.slice(2, 4), kvs.slice(4)].map((some, at) => {
    const isLast = at === 2;
    encodeRangeStreamResponse(writer, isLast ? header : undefined, {
      revision: 0,
      kvs: some,
      more: isLast,
      count: isLast ? 17 : 0,
    });
    return writer.take();
  });
  assert.equal(decodeRangeStreamResponse(chunks[0] as Buffer).revision, 0);
  assert.deepEqual(decodeRangeStreamResponse(Buffer.concat(chunks)), {
    revision: 9,
    kvs,
    more: true,
    count: 17,
  });
});
