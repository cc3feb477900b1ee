import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HpackDecoder } from "./hpack-decoder.ts";
import { type HeaderList, HpackEncoder, PreparedHeaders } from "./hpack-encoder.ts";
import { huffmanDecode, huffmanEncode, huffmanLength } from "./huffman.ts";
import { staticFieldIndex } from "./hpack-static.ts";

const latin1 = fc
  .uint8Array({ maxLength: 80 })
  .map((bytes) => Buffer.from(bytes).toString("latin1"));

test("huffman: any text of one-byte characters → the same after coding and decoding", () => {
  fc.assert(
    fc.property(latin1, (text) => {
      const coded = Buffer.alloc(huffmanLength(text));
      assert.equal(huffmanEncode(text, coded, 0), coded.length);
      assert.equal(huffmanDecode(coded, 0, coded.length), text);
    }),
    { numRuns: 500 },
  );
});

const name = fc.constantFrom(":path", ":status", "content-type", "te", "x-a", "x-b", "token-bin");
const value = fc.oneof(fc.constantFrom("/a", "200", "application/grpc", "trailers", ""), latin1);
const list: fc.Arbitrary<HeaderList> = fc
  .array(fc.tuple(name, value), { maxLength: 6 })
  .map((pairs) => pairs.flat());
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("prepared"), pick: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("once"), list }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("both"), pick: fc.nat(3), list }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("table"), bytes: fc.nat(6000) }) },
);

test("hpack: any run of prepared and single lists, with the table resized → decoded as sent", () => {
  fc.assert(
    fc.property(
      fc.array(list, { minLength: 4, maxLength: 4 }),
      fc.array(step, { maxLength: 40 }),
      (lists, steps) => {
        const prepared = lists.map((fields) => new PreparedHeaders(fields));
        const encoder = new HpackEncoder();
        const decoder = new HpackDecoder(1 << 20);
        for (const action of steps) {
          let sent: HeaderList;
          let bytes: Uint8Array;
          if ("bytes" in action) {
            encoder.setTableBytesMax(action.bytes);
            continue;
          } else if (!("pick" in action)) {
            sent = action.list;
            bytes = encoder.encode(sent);
          } else {
            const headers = prepared[action.pick] as PreparedHeaders;
            const rest = "list" in action ? action.list : [];
            sent = [...headers.list, ...rest];
            bytes =
              rest.length > 0 ? encoder.encodeWith(headers, rest) : encoder.encodePrepared(headers);
          }
          const { fields } = decoder.decode(Buffer.from(bytes), 0, bytes.length);
          assert.deepEqual(
            fields.flatMap((field) => [field.name, field.value]),
            [...sent],
          );
          assert.ok(decoder.tableBytes <= 4096);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("hpack: a prepared list sent again → one byte a field", () => {
  const encoder = new HpackEncoder();
  const headers = new PreparedHeaders([":status", "200", "content-type", "application/grpc"]);
  encoder.encodePrepared(headers);
  assert.equal(encoder.encodePrepared(headers).length, 2);
  assert.equal(encoder.encodePrepared(headers), encoder.encodePrepared(headers));
});

test("hpack: the peer allows no table → nothing is indexed, after a size update of 0", () => {
  const encoder = new HpackEncoder();
  const headers = new PreparedHeaders(["content-type", "application/grpc"]);
  encoder.setTableBytesMax(0);
  assert.deepEqual([...encoder.encodePrepared(headers).subarray(0, 2)], [0x20, 0x20]);
  const again = encoder.encodePrepared(headers);
  assert.equal((again[0] as number) & 0xf0, 0x00);
});

test("hpack: the static table has the field by its index", () => {
  assert.equal(staticFieldIndex(":method", "POST"), 3);
  assert.equal(staticFieldIndex("www-authenticate", ""), 61);
});
