import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeMemberRecord } from "../apply/index.ts";
import { MemoryBackend, MemoryMedium } from "../backend/index.ts";
import {
  ConfChangeType,
  emptyPutRequest,
  encodeConfChange,
  type Entry,
  EntryType,
  marshal,
  marshalRaftRequest,
  type RaftOperation,
} from "../wire/index.ts";
import { Replay } from "./replay.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function normal(index: number, operation: RaftOperation): Entry {
  const data = marshalRaftRequest({
    header: { memberPrefix: 0, sequence: 0, username: "", authRevision: 0 },
    operation,
  });
  return { type: EntryType.NORMAL, term: 2, index, data };
}

function put(index: number, key: string): Entry {
  const value = Buffer.from(`value ${index}`);
  return normal(index, { kind: "put", put: { ...emptyPutRequest(), key, value } });
}

function confChange(index: number, type: number, nodeId: bigint, more: object = {}): Entry {
  const record = { id: nodeId, peerUrls: [`http://h:${nodeId}`], isLearner: false, name: "" };
  const text = encodeMemberRecord({ ...record, clientUrls: [], ...more });
  const change = { id: 0n, type, nodeId, context: Buffer.from(text) };
  return {
    type: EntryType.CONF_CHANGE,
    term: 2,
    index,
    data: marshal(encodeConfChange, change),
  };
}

const LOG: readonly Entry[] = [
  confChange(1, ConfChangeType.ADD_NODE, 5n),
  confChange(2, ConfChangeType.ADD_LEARNER, 6n),
  put(3, "a"),
  put(4, "b"),
  { type: EntryType.NORMAL, term: 2, index: 5, data: Buffer.alloc(0) },
  { type: EntryType.NORMAL, term: 2, index: 6, data: Buffer.from("no request") },
  confChange(7, ConfChangeType.ADD_NODE, 6n),
  confChange(8, ConfChangeType.UPDATE_NODE, 5n, { peerUrls: ["http://new:5"] }),
  confChange(9, ConfChangeType.ADD_NODE, 7n),
  confChange(10, ConfChangeType.REMOVE_NODE, 7n),
  normal(11, {
    kind: "memberAttributesSet",
    memberId: 6n,
    attributes: { name: "six", clientUrls: ["http://c:6"] },
  }),
  put(12, "a"),
];

test("replay: a log of requests and changes of members → keys, revision, members, applied point", async () => {
  const backend = new MemoryBackend();
  const replay = await Replay.open(backend, turn);
  await replay.apply(LOG);
  assert.equal(replay.revision, 4);
  assert.deepEqual(backend.durable, { index: 12, term: 2 });
  assert.deepEqual(
    replay
      .members()
      .map(({ id, name, peerUrls, isLearner }) => ({ id, name, peerUrls, isLearner })),
    [
      { id: 5n, name: "", peerUrls: ["http://new:5"], isLearner: false },
      { id: 6n, name: "six", peerUrls: ["http://h:6"], isLearner: false },
    ],
  );
});

test("replay: interrupted and begun again with all entries → as if it had been done once", async () => {
  const medium = new MemoryMedium();
  const first = await Replay.open(new MemoryBackend({ medium }), turn);
  await first.apply(LOG.slice(0, 4));
  const backend = new MemoryBackend({ medium });
  const second = await Replay.open(backend, turn);
  assert.equal(second.revision, 3);
  await second.apply(LOG);
  assert.equal(second.revision, 4);
  assert.equal(second.store.keyCount, 2);
  assert.equal(second.store.get("a", 0) === undefined, false);
});
