import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../base/index.ts";
import { marshalKeyValue } from "./key-value.ts";
import { marshal } from "./marshal.ts";
import type { WatchEvent } from "./messages.ts";
import {
  decodeWatchRequest,
  decodeWatchResponse,
  encodeEventField,
  encodeEvents,
  encodeWatchResponse,
  encodeWatchResponseHead,
  sizeEventField,
  sizeWatchResponseHead,
} from "./watch.ts";
import { encodeHeaderField } from "./header.ts";

const header = { clusterId: 7n, memberId: 2n ** 63n, revision: 12, raftTerm: 3 };
const kv = marshalKeyValue({
  key: "k",
  createRevision: 3,
  modRevision: 12,
  version: 4,
  value: Buffer.alloc(200, 1),
  lease: 0n,
});
const events: WatchEvent[] = [
  { type: "put", kv, prevKv: undefined },
  { type: "delete", kv: Buffer.from("0a016b180c", "hex"), prevKv: kv },
];

test("watch: shared events behind a head of its own → the bytes of the whole response (WA-10)", () => {
  const shared = marshal(encodeEvents, events);
  for (const watchId of [0, 1, 5_000]) {
    for (const fragment of [false, true]) {
      const whole = new ByteWriter();
      encodeWatchResponse(whole, {
        header,
        watchId,
        created: false,
        canceled: false,
        compactRevision: 0,
        cancelReason: "",
        fragment,
        events,
      });
      const split = new ByteWriter();
      encodeWatchResponseHead(split, marshal(encodeHeaderField, header), watchId, fragment);
      assert.equal(
        split.length,
        sizeWatchResponseHead(marshal(encodeHeaderField, header), watchId, fragment),
      );
      split.raw(shared);
      assert.equal(split.view().equals(whole.view()), true);
      assert.deepEqual(decodeWatchResponse(whole.view()).events, events);
    }
  }
});

test("watch: one event → its size with the frame, what fragments count (WA-14)", () => {
  for (const event of events) {
    assert.equal(marshal(encodeEventField, event).length, sizeEventField(event));
  }
});

test("watch request: filters packed, unpacked, repeated and unknown → each known one once (WA-09)", () => {
  const filters = (hex: string): number[] => {
    const body = hex.length / 2;
    const request = decodeWatchRequest(
      Buffer.from(`0a${body.toString(16).padStart(2, "0")}${hex}`, "hex"),
    );
    assert.ok(request.kind === "create");
    return request.create.filters;
  };
  assert.deepEqual(filters("2a020100"), [1, 0]);
  assert.deepEqual(filters("280128012800"), [1, 0]);
  assert.deepEqual(filters("2a0401010502"), [1]);
});

test("watch request: empty, and of an unknown kind → none (WA-18)", () => {
  assert.deepEqual(decodeWatchRequest(Buffer.alloc(0)), { kind: "none" });
  assert.deepEqual(decodeWatchRequest(Buffer.from("2200", "hex")), { kind: "none" });
  assert.deepEqual(decodeWatchRequest(Buffer.from("1a00", "hex")), { kind: "progress" });
});

test("watch response: an event of an unknown type → refused", () => {
  assert.throws(() => decodeWatchResponse(Buffer.from("5a020802", "hex")), /unknown type/);
});
