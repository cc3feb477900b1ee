import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { marshal } from "./marshal.ts";
import { MessageType } from "./messages.ts";
import { decodePeerNote, encodePeerNote, type PeerNote } from "./peer-note.ts";
import { decodeRaftMessage, emptyRaftMessage, encodeRaftMessage } from "./raft.ts";

const NOTE: PeerNote = {
  life: { epoch: 7, nonce: 0xffff_ffff, base: 3 },
  floors: [
    {
      id: 2n ** 64n - 1n,
      epoch: 6,
      nonce: 5,
      base: 0,
      term: 9,
      votedTerm: 8,
      ackTerm: 7,
      match: Number.MAX_SAFE_INTEGER,
      stable: 12,
    },
  ],
  epochs: [{ id: 3n, epoch: 4 }],
};

test("note between members: written and read → the same", () => {
  assert.deepEqual(decodePeerNote(encodePeerNote(NOTE)), NOTE);
});

test("note between members: in a message → comes with it, and other fields are as before", () => {
  const note = encodePeerNote(NOTE);
  const message = { ...emptyRaftMessage(), type: MessageType.APP_RESP, index: 5, note };
  assert.deepEqual(decodeRaftMessage(marshal(encodeRaftMessage, message)), message);
});

test("note between members: cut or changed bytes → a note or nothing, never a throw", () => {
  const prng = new Prng(1);
  for (let round = 0; round < 2_000; round += 1) {
    const bytes = encodePeerNote(NOTE);
    for (let flips = prng.below(3); flips >= 0; flips -= 1) {
      bytes[prng.below(bytes.length)] = prng.below(256);
    }
    const note = decodePeerNote(bytes.subarray(0, prng.below(bytes.length + 1)));
    for (const { match } of note?.floors ?? []) assert.ok(Number.isSafeInteger(match));
  }
});
