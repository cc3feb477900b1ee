import assert from "node:assert/strict";
import { test } from "node:test";
import { marshal, encodeEntry } from "../wire/index.ts";
import { entry } from "./fixture.test.ts";
import {
  marshalHardState,
  marshalMetadata,
  marshalSnapshot,
  readEntry,
  readHardState,
  readMetadata,
  readSnapshot,
} from "./record.ts";

test("record: metadata, state and snapshot → are read back (WL-03, WL-05)", () => {
  const metadata = { nodeId: 2n ** 64n - 1n, clusterId: 1n };
  const state = { term: 3, vote: 2n ** 63n, commit: 2 ** 40 };
  const snapshot = {
    index: 2 ** 50,
    term: 9,
    confState: {
      voters: [1n, 2n ** 64n - 1n],
      learners: [3n],
      votersOutgoing: [4n],
      learnersNext: [5n],
      autoLeave: true,
    },
  };
  const bytes = [marshalMetadata(metadata), marshalHardState(state), marshalSnapshot(snapshot)];
  const [first, second, third] = bytes as [Buffer, Buffer, Buffer];
  assert.deepEqual(readMetadata(first, 0, first.length), metadata);
  assert.deepEqual(readHardState(second, 0, second.length), state);
  assert.deepEqual(readSnapshot(third, 0, third.length), snapshot);
});

test("record: zero scalars are written, as etcd's proto2 encoder does (WL-03)", () => {
  assert.equal(marshalHardState({ term: 0, vote: 0n, commit: 0 }).toString("hex"), "080010001800");
  assert.equal(marshalSnapshot({ index: 0, term: 0 }).toString("hex"), "08001000");
});

test("record: bytes of one type taken for another, cut, or beyond 2^53 → refused", () => {
  const bytes = marshal(encodeEntry, entry(5, "data"));
  assert.equal(readHardState(bytes, 0, bytes.length), undefined);
  assert.equal(readMetadata(bytes, 0, bytes.length), undefined);
  assert.equal(readSnapshot(bytes, 0, bytes.length), undefined);
  for (let hi = 1; hi < bytes.length; hi += 1) {
    if (hi !== 6) assert.equal(readEntry(bytes, 0, hi), undefined, `cut at ${hi}`);
  }
  const huge = Buffer.from("080010011880808080808080808001", "hex");
  assert.equal(readEntry(huge, 0, huge.length), undefined);
  const noType = Buffer.from("080310011801", "hex");
  assert.equal(readEntry(noType, 0, noType.length), undefined);
  const noIndex = Buffer.from("08001001", "hex");
  assert.equal(readEntry(noIndex, 0, noIndex.length), undefined);
});
