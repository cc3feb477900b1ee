import assert from "node:assert/strict";
import { test } from "node:test";
import {
  encodeWatchResponse,
  marshal,
  marshalKeyValue,
  type WatchResponse,
} from "../../src/wire/index.ts";
import { readWatchResponse } from "./watch-response.ts";

function response(part: Partial<WatchResponse>): Buffer {
  const header = { clusterId: 2n ** 63n, memberId: 5n, revision: 2 ** 40, raftTerm: 3 };
  return marshal(encodeWatchResponse, {
    header,
    watchId: 99,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: "",
    fragment: false,
    events: [],
    ...part,
  });
}

function read(bytes: Uint8Array, lo = 0, hi = bytes.length) {
  const summary = { created: true, canceled: true, events: 7 };
  readWatchResponse(bytes, lo, hi, summary);
  return summary;
}

test("watch response: events of any size, in the middle of a buffer → counted", () => {
  const kv = marshalKeyValue({
    key: "k",
    createRevision: 1,
    modRevision: 2,
    version: 1,
    value: Buffer.alloc(300, 0x5a),
    lease: 0n,
  });
  const events = Array.from({ length: 3 }, () => ({ type: "put" as const, kv, prevKv: undefined }));
  const bytes = Buffer.concat([Buffer.from("ab"), response({ events }), Buffer.from("c")]);
  const counted = { created: false, canceled: false, events: 3 };
  assert.deepEqual(read(bytes, 2, bytes.length - 1), counted);
});

test("watch response: created and canceled → told, without events", () => {
  assert.deepEqual(read(response({ created: true })), {
    created: true,
    canceled: false,
    events: 0,
  });
  const canceled = response({ canceled: true, compactRevision: 9, cancelReason: "compacted" });
  assert.deepEqual(read(canceled), { created: false, canceled: true, events: 0 });
});

test("watch response: cut off anywhere inside a field → an error, never a wrong count", () => {
  const bytes = response({ created: true, compactRevision: 300, cancelReason: "why" });
  let refused = 0;
  for (let length = 0; length < bytes.length; length += 1) {
    try {
      read(bytes.subarray(0, length));
    } catch (error) {
      assert.ok(error instanceof RangeError);
      refused += 1;
    }
  }
  // Cuts between two fields are whole messages.
  assert.ok(refused >= bytes.length - 8, `${refused} of ${bytes.length}`);
});
