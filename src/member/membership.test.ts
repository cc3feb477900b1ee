import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { MemberRecord } from "../apply/index.ts";
import { EtcdError, errors } from "../errors/index.ts";
import { systemDigests } from "../host/index.ts";
import { type ConfChange, ConfChangeType, encodeConfChange, marshal } from "../wire/index.ts";
import {
  applyConfChangeEntry,
  planAdd,
  planFounder,
  planPromote,
  planRemove,
  planUpdate,
  validateConfChange,
} from "./membership.ts";

/** Members 1 and 2, a learner 3, and 9 that was removed. */
class Table {
  readonly rows = new Map<bigint, MemberRecord>();
  readonly removed = new Set<bigint>([9n]);

  constructor(...extra: MemberRecord[]) {
    for (const row of [record(1n), record(2n), { ...record(3n), isLearner: true }, ...extra]) {
      this.rows.set(row.id, row);
    }
  }

  members(): MemberRecord[] {
    return [...this.rows.values()];
  }

  isRemovedMember(id: bigint): boolean {
    return this.removed.has(id);
  }

  putMember(member: MemberRecord): void {
    this.rows.set(member.id, member);
  }

  removeMember(id: bigint): void {
    this.rows.delete(id);
    this.removed.add(id);
  }

  apply(change: ConfChange) {
    return applyConfChangeEntry(marshal(encodeConfChange, change), this);
  }
}

function record(id: bigint): MemberRecord {
  const peerUrls = [`http://m${id}:2380`];
  return { id, peerUrls, isLearner: false, name: `m${id}`, clientUrls: [`http://m${id}:2379`] };
}

function add(peerUrls: readonly string[], isLearner = false, learnersMax = 1): ConfChange {
  const plan = { requestId: 77n, peerUrls, isLearner, unixSeconds: 1_700_000_000.9, learnersMax };
  return made(planAdd(plan, systemDigests));
}

function made(planned: ConfChange | EtcdError): ConfChange {
  if (planned instanceof EtcdError) assert.fail(planned.message);
  return planned;
}

test("add: the id comes from the sorted URLs and the seconds, no token (ID-01, CL-01)", () => {
  const change = add(["http://b:1", "http://a:1"]);
  const digest = createHash("sha1").update("http://a:1http://b:11700000000").digest();
  assert.equal(change.nodeId, digest.readBigUInt64BE(0));
  assert.equal(change.id, 77n);
  assert.equal(change.type, ConfChangeType.ADD_NODE);
});

test("contexts: JSON with bare ids, each kind its own (surface 16.2, DV-10)", () => {
  const voter = add(["http://b:1", "http://a:1"]);
  const id = voter.nodeId;
  const urls = '"peerURLs":["http://a:1","http://b:1"]';
  assert.equal(voter.context.toString(), `{"id":${id},${urls}}`);
  const learner = add(["http://b:1", "http://a:1"], true);
  assert.equal(learner.type, ConfChangeType.ADD_LEARNER);
  assert.equal(learner.context.toString(), `{"id":${id},${urls},"isLearner":true}`);
  const promote = planPromote(5n, 2n ** 64n - 1n);
  assert.equal(promote.type, ConfChangeType.ADD_NODE);
  assert.equal(
    promote.context.toString(),
    '{"id":18446744073709551615,"peerURLs":null,"isPromote":true}',
  );
  assert.deepEqual(planRemove(5n, 3n), {
    id: 5n,
    type: ConfChangeType.REMOVE_NODE,
    nodeId: 3n,
    context: Buffer.alloc(0),
  });
  const update = made(planUpdate(5n, 3n, ["http://z:1", "http://y:1"]));
  assert.equal(update.type, ConfChangeType.UPDATE_NODE);
  assert.equal(update.context.toString(), '{"id":3,"peerURLs":["http://z:1","http://y:1"]}');
});

test("add and update: URLs that lead nowhere are never proposed (CL-01, CL-06)", () => {
  const plan = { requestId: 1n, isLearner: false, unixSeconds: 1, learnersMax: 1 };
  assert.equal(planAdd({ ...plan, peerUrls: [] }, systemDigests), errors.MemberBadURLs);
  assert.equal(planAdd({ ...plan, peerUrls: ["bad"] }, systemDigests), errors.MemberBadURLs);
  assert.equal(planUpdate(1n, 1n, ["bad"]), errors.MemberBadURLs);
});

test("add: founders into an empty table, then they are there (RA-06)", () => {
  const table = new Table();
  table.rows.clear();
  for (const founder of [record(1n), record(2n)]) {
    assert.equal(table.apply(planFounder(founder)).kind, "applied");
  }
  assert.deepEqual(table.members(), [record(1n), record(2n)]);
});

test("add: a voter and a learner, unstarted → in the table (CL-01, CL-03)", () => {
  const table = new Table();
  const voter = add(["http://new:1"]);
  const outcome = table.apply(voter);
  const member = {
    id: voter.nodeId,
    peerUrls: ["http://new:1"],
    isLearner: false,
    name: "",
    clientUrls: [],
  };
  assert.deepEqual(outcome, { kind: "applied", change: voter, effect: { kind: "added", member } });
  assert.deepEqual(table.rows.get(voter.nodeId), member);
  table.rows.delete(3n);
  const learner = add(["http://learner:1"], true);
  table.apply(learner);
  assert.equal(table.rows.get(learner.nodeId)?.isLearner, true);
});

test("add: a known id, a URL in use, a removed id → refused (CL-04)", () => {
  const table = new Table();
  const known = { ...add(["http://new:1"]), nodeId: 1n };
  const context = Buffer.from('{"id":1,"peerURLs":["http://new:1"]}');
  assert.equal(validateConfChange({ ...known, context }, table), errors.MemberExist);
  const taken = add(["http://new:1", "http://m3:2380"]);
  assert.equal(validateConfChange(taken, table), errors.PeerURLExist);
  const gone = { ...known, nodeId: 9n, context: Buffer.from('{"id":9,"peerURLs":["http://x:1"]}') };
  assert.equal(validateConfChange(gone, table), errors.MemberNotFound);
});

test("add: an id that means nobody, or that the consensus keeps to itself → refused (ID-04)", () => {
  for (const id of [0n, 2n ** 64n - 1n, 2n ** 64n - 2n]) {
    const context = Buffer.from(`{"id":${id},"peerURLs":["http://new:1"]}`);
    const change = { id: 1n, type: ConfChangeType.ADD_NODE, nodeId: id, context };
    assert.equal(validateConfChange(change, new Table()), errors.MemberNotFound);
  }
});

test("add: a learner's id without the word promote → it exists (surface 16.2, CL-04)", () => {
  const context = Buffer.from('{"id":3,"peerURLs":["http://new:1"]}');
  const change = { id: 1n, type: ConfChangeType.ADD_NODE, nodeId: 3n, context };
  assert.equal(validateConfChange(change, new Table()), errors.MemberExist);
});

test("add: more learners than allowed → refused by the limit in the entry (CL-03)", () => {
  const table = new Table();
  assert.equal(validateConfChange(add(["http://l:1"], true), table), errors.TooManyLearners);
  const raised = add(["http://l:1"], true, 2);
  assert.match(raised.context.toString(), /,"isLearner":true,"maxLearners":2}$/);
  assert.equal(validateConfChange(raised, table), undefined);
  assert.equal(validateConfChange(add(["http://v:1"], false, 0), table), undefined);
});

test("promote: a learner becomes a voter and keeps all else (CL-08)", () => {
  const table = new Table();
  const outcome = table.apply(planPromote(1n, 3n));
  assert.equal(outcome.kind, "applied");
  assert.deepEqual(table.rows.get(3n), record(3n));
});

test("promote: a voter, an unknown, a removed member → refused (CL-08)", () => {
  const table = new Table();
  assert.equal(validateConfChange(planPromote(1n, 1n), table), errors.MemberNotLearner);
  assert.equal(validateConfChange(planPromote(1n, 4n), table), errors.MemberNotFound);
  assert.equal(validateConfChange(planPromote(1n, 9n), table), errors.MemberNotFound);
  const asLearner = { ...planPromote(1n, 3n), type: ConfChangeType.ADD_LEARNER };
  assert.equal(validateConfChange(asLearner, table), errors.MemberNotLearner);
});

test("update: the URLs change and nothing else does, of a learner too (CL-06)", () => {
  const table = new Table();
  for (const id of [1n, 3n]) {
    const before = table.rows.get(id);
    const outcome = table.apply(made(planUpdate(1n, id, [`http://moved${id}:1`])));
    assert.equal(outcome.kind === "applied" && outcome.effect.kind, "updated");
    assert.deepEqual(table.rows.get(id), { ...before, peerUrls: [`http://moved${id}:1`] });
  }
});

test("update: own URLs again → fine; another's → in use; unknown → not found (CL-06, CL-04)", () => {
  const table = new Table();
  const update = (id: bigint, url: string) =>
    validateConfChange(made(planUpdate(1n, id, [url])), table);
  assert.equal(update(1n, "http://m1:2380"), undefined);
  assert.equal(update(1n, "http://m2:2380"), errors.PeerURLExist);
  assert.equal(update(4n, "http://m4:2380"), errors.MemberNotFound);
});

test("remove: it leaves the table and its id is never used again (CL-05, CL-04)", () => {
  const table = new Table();
  const outcome = table.apply(planRemove(1n, 2n));
  assert.deepEqual(outcome.kind === "applied" && outcome.effect, { kind: "removed", id: 2n });
  assert.equal(table.rows.has(2n), false);
  const again = table.apply(planRemove(2n, 2n));
  assert.equal(again.kind === "refused" && again.error, errors.MemberNotFound);
  assert.equal(validateConfChange(planRemove(1n, 4n), table), errors.MemberNotFound);
});

test("remove: the only voter stays, whatever the checks of the proposer were (CL-05)", () => {
  const table = new Table();
  table.apply(planRemove(1n, 2n));
  assert.equal(validateConfChange(planRemove(1n, 1n), table), errors.MemberNotEnoughStarted);
  assert.equal(validateConfChange(planRemove(1n, 3n), table), undefined);
});

test("apply: a refused change → no effect, and nobody's for the consensus (CL-12)", () => {
  const table = new Table();
  const before = structuredClone(table.members());
  const outcome = table.apply(planPromote(42n, 1n));
  assert.deepEqual(outcome, {
    kind: "refused",
    change: {
      id: 42n,
      type: ConfChangeType.ADD_NODE,
      nodeId: 0n,
      context: Buffer.alloc(0),
    },
    error: errors.MemberNotLearner,
  });
  assert.deepEqual(table.members(), before);
});

test("apply: entries that no member writes → refused, never thrown (CL-12)", () => {
  const table = new Table();
  const before = structuredClone(table.members());
  const refused = (data: Buffer) => {
    const outcome = applyConfChangeEntry(data, table);
    assert.equal(outcome.kind, "refused");
    assert.equal(outcome.change.nodeId, 0n);
  };
  refused(Buffer.from([0xff, 0xff, 0xff]));
  const base = { id: 1n, type: ConfChangeType.ADD_NODE, nodeId: 50n };
  for (const text of ["", "{", '{"id":51,"peerURLs":[]}', '"id":50', "null", '[{"id":50}]x']) {
    refused(marshal(encodeConfChange, { ...base, context: Buffer.from(text) }));
  }
  refused(marshal(encodeConfChange, { ...base, type: 17, context: Buffer.from('{"id":50}') }));
  refused(
    marshal(encodeConfChange, {
      ...base,
      type: ConfChangeType.UPDATE_NODE,
      nodeId: 1n,
      context: Buffer.from("?"),
    }),
  );
  assert.deepEqual(table.members(), before);
});
