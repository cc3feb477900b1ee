import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeRaftRequest, marshalRaftRequest } from "./internal-raft.ts";
import type { RaftOperation } from "./messages.ts";

const header = { memberPrefix: 1, sequence: 2, username: "", authRevision: 0 };

function roundTrip(operation: RaftOperation): RaftOperation {
  return decodeRaftRequest(marshalRaftRequest({ header, operation })).operation;
}

test("raft request: an incarnation beside the cluster version → read as it was written (BT-g6)", () => {
  const plain = { kind: "clusterVersionSet", version: "3.7.0" } as const;
  assert.deepEqual(roundTrip(plain), plain);
  const withOne = { ...plain, incarnation: "00112233445566aa" };
  assert.deepEqual(roundTrip(withOne), withOne);
});
