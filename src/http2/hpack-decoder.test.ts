import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionError, ErrorCode } from "./error-code.ts";
import { HpackDecoder } from "./hpack-decoder.ts";

const LIST_BYTES_MAX = 64 * 1024;

function decode(decoder: HpackDecoder, hex: string): string[] {
  const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
  const block = decoder.decode(bytes, 0, bytes.length);
  return block.fields.map((field) => `${field.name}: ${field.value}`);
}

const REQUESTS = [
  [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"],
  [
    ...[":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"],
    "cache-control: no-cache",
  ],
  [
    ...[":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com"],
    "custom-key: custom-value",
  ],
];

const RESPONSES = [
  [
    ":status: 302",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:21 GMT",
    "location: https://www.example.com",
  ],
  [
    ":status: 307",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:21 GMT",
    "location: https://www.example.com",
  ],
  [
    ":status: 200",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:22 GMT",
    "location: https://www.example.com",
    "content-encoding: gzip",
    "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
  ],
];

test("hpack: the single fields of RFC 7541 C.2 → decoded, indexed only when asked", () => {
  const cases: [string, string, number][] = [
    ["400a637573746f6d2d6b65790d637573746f6d2d686561646572", "custom-key: custom-header", 55],
    ["040c2f73616d706c652f70617468", ":path: /sample/path", 0],
    ["100870617373776f726406736563726574", "password: secret", 0],
    ["82", ":method: GET", 0],
  ];
  for (const [hex, expected, tableBytes] of cases) {
    const decoder = new HpackDecoder(LIST_BYTES_MAX);
    assert.deepEqual(decode(decoder, hex), [expected]);
    assert.equal(decoder.tableBytes, tableBytes);
  }
});

test("hpack: the requests of RFC 7541 C.3 and C.4 → the same fields, plain and Huffman coded", () => {
  const plain = [
    "828684410f7777772e6578616d706c652e636f6d",
    "828684be58086e6f2d6361636865",
    "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
  ];
  const coded = [
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
  ];
  for (const blocks of [plain, coded]) {
    const decoder = new HpackDecoder(LIST_BYTES_MAX);
    for (const [position, hex] of blocks.entries()) {
      assert.deepEqual(decode(decoder, hex), REQUESTS[position]);
      assert.equal(decoder.tableBytes, [57, 110, 164][position]);
    }
  }
});

test("hpack: the responses of RFC 7541 C.5 and C.6 with a table of 256 → evicted as there", () => {
  const plain = [
    "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54" +
      "6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
    "4803333037c1c0bf",
    "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f" +
      "3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b20" +
      "76657273696f6e3d31",
  ];
  const coded = [
    "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f" +
      "0b97c8e9ae82ae43d3",
    "4883640effc1c0bf",
    "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335df" +
      "dfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
  ];
  for (const blocks of [plain, coded]) {
    const decoder = new HpackDecoder(LIST_BYTES_MAX);
    decode(decoder, "3fe101");
    for (const [position, hex] of blocks.entries()) {
      assert.deepEqual(decode(decoder, hex), RESPONSES[position]);
      assert.equal(decoder.tableBytes, [222, 222, 215][position]);
    }
  }
});

test("hpack: a block of known bytes, from its second time → the same object, until the table changes", () => {
  const decoder = new HpackDecoder(LIST_BYTES_MAX);
  const insert = Buffer.from("400a637573746f6d2d6b65790d637573746f6d2d686561646572", "hex");
  const indexed = Buffer.of(0x82, 0xbe);
  decoder.decode(insert, 0, insert.length);
  assert.notEqual(decoder.decode(indexed, 0, 2), undefined);
  const first = decoder.decode(indexed, 0, 2);
  assert.equal(decoder.decode(Buffer.of(0, 0x82, 0xbe), 1, 3), first);
  const other = Buffer.from("4001780179", "hex");
  decoder.decode(other, 0, other.length);
  const later = decoder.decode(indexed, 0, 2);
  assert.notEqual(later, first);
  assert.equal(later.fields[1]?.name, "x");
});

test("hpack: malformed blocks → COMPRESSION_ERROR", () => {
  const cases: [string, string][] = [
    ["80", "index 0"],
    ["be", "index beyond an empty dynamic table"],
    ["ff", "ends inside an index"],
    ["ffffffffffff7f", "index too large"],
    ["400161", "ends before a value"],
    ["40056162", "ends inside a name"],
    ["8220", "size update after a field"],
    ["3fe21f", "size update above the setting"],
    ["408100ff", "Huffman padding not of ones"],
    ["4084ffffffff00", "Huffman EOS"],
    ["4082ffff00", "Huffman padding of more than 7 bits"],
  ];
  for (const [hex, why] of cases) {
    assert.throws(
      () => decode(new HpackDecoder(LIST_BYTES_MAX), hex),
      (error) => error instanceof ConnectionError && error.code === ErrorCode.COMPRESSION_ERROR,
      why,
    );
  }
});

test("hpack: a bomb of indexes to one large field → cut at the limit, the table still follows", () => {
  const decoder = new HpackDecoder(8 * 1024);
  const value = "v".repeat(3000);
  const insert = Buffer.concat([
    Buffer.from("4001617f", "hex"),
    Buffer.of(0xb9, 0x16),
    Buffer.from(value),
  ]);
  decoder.decode(insert, 0, insert.length);
  const bomb = Buffer.concat([Buffer.alloc(50_000, 0xbe), Buffer.from("4001780179", "hex")]);
  const block = decoder.decode(bomb, 0, bomb.length);
  assert.equal(block.isTooLarge, true);
  assert.ok(block.fields.length <= 3);
  assert.deepEqual(decode(decoder, "be"), ["x: y"]);
});
