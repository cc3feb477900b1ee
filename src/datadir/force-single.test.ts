import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ConfChangeType,
  decodeConfChange,
  emptyConfState,
  encodeConfChange,
  type Entry,
  EntryType,
  marshal,
} from "../wire/index.ts";
import { forceSingle, type ForceSingleOptions } from "./force-single.ts";

const THREE = { ...emptyConfState(), voters: [1n, 2n, 3n] };

function options(given: Partial<ForceSingleOptions>): ForceSingleOptions {
  return {
    id: 2n,
    peerUrls: ["http://127.0.0.1:2380"],
    applied: { index: 10, term: 4 },
    confState: THREE,
    memberIds: [1n, 2n, 3n],
    hardState: { term: 5, vote: 3n, commit: 10 },
    entries: [],
    ...given,
  };
}

function normal(index: number, term = 5): Entry {
  return { type: EntryType.NORMAL, term, index, data: Buffer.from("x") };
}

function confChange(index: number, type: number, nodeId: bigint): Entry {
  const data = marshal(encodeConfChange, { id: 9n, type, nodeId, context: Buffer.alloc(0) });
  return { type: EntryType.CONF_CHANGE, term: 5, index, data };
}

function shown(entries: readonly Entry[]): string[] {
  return entries.map(({ type, term, index, data }) => {
    if (type === EntryType.CONF_CHANGE_V2) return `${index}/${term} leave ${data.length}`;
    const { type: kind, nodeId, context } = decodeConfChange(data);
    return `${index}/${term} ${kind} ${nodeId} ${context.toString()}`.trim();
  });
}

test("force new cluster: the others are removed by entries committed by decree", () => {
  const forced = forceSingle(options({}));
  assert.deepEqual(shown(forced.appended), ["11/5 1 1", "12/5 1 3"]);
  assert.deepEqual(forced.hardState, { term: 5, vote: 3n, commit: 12 });
});

// One member of three was forced to go on alone. It held a write that was acknowledged, but the
// word that it was committed had not reached its disk: it dropped the write.
test("force new cluster: the end of unknown fate is kept, but for changes of the members", () => {
  const entries = [normal(11), normal(12), normal(13), confChange(14, 1, 2n), normal(15)];
  const forced = forceSingle(
    options({ entries, hardState: { term: 5, vote: 0n, commit: 12 }, confState: THREE }),
  );
  assert.deepEqual(forced.kept, entries.slice(0, 3));
  assert.deepEqual(shown(forced.appended), ["14/5 1 1", "15/5 1 3"]);
});

test("force new cluster: changes that are committed and not yet applied count", () => {
  const entries = [
    confChange(11, ConfChangeType.REMOVE_NODE, 1n),
    confChange(12, ConfChangeType.ADD_LEARNER, 8n),
    confChange(13, ConfChangeType.ADD_NODE, 9n),
  ];
  const forced = forceSingle(options({ entries, hardState: { term: 5, vote: 0n, commit: 12 } }));
  assert.deepEqual(shown(forced.appended), ["13/5 1 3", "14/5 1 8"]);
});

test("force new cluster: a learner is promoted first, so that there is always a vote", () => {
  const confState = { ...emptyConfState(), voters: [1n], learners: [2n] };
  const forced = forceSingle(options({ confState, memberIds: [1n, 2n] }));
  assert.deepEqual(shown(forced.appended), [
    '11/5 0 2 {"id":2,"peerURLs":null,"isPromote":true}',
    "12/5 1 1",
  ]);
});

test("force new cluster: a member that the cluster does not know adds itself", () => {
  const confState = { ...emptyConfState(), voters: [1n] };
  const forced = forceSingle(options({ confState, memberIds: [1n] }));
  assert.deepEqual(shown(forced.appended), [
    '11/5 0 2 {"id":2,"peerURLs":["http://127.0.0.1:2380"]}',
    "12/5 1 1",
  ]);
});

test("force new cluster: a joint configuration is left first", () => {
  const confState = { ...emptyConfState(), voters: [2n, 3n], votersOutgoing: [1n, 2n] };
  const forced = forceSingle(options({ confState, memberIds: [] }));
  assert.deepEqual(shown(forced.appended), ["11/5 leave 0", "12/5 1 1", "13/5 1 3"]);
});

test("force new cluster: alone already → nothing is appended", () => {
  const confState = { ...emptyConfState(), voters: [2n] };
  const forced = forceSingle(options({ confState, memberIds: [2n] }));
  assert.deepEqual(forced.appended, []);
  assert.deepEqual(forced.hardState, { term: 5, vote: 3n, commit: 10 });
});
