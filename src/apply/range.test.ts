import assert from "node:assert/strict";
import { test } from "node:test";
import { EtcdError } from "../errors/index.ts";
import { decodeKeyValue, type RangeRequest, SortOrder, SortTarget } from "../wire/index.ts";
import { type Fixture, openFixture, pairs, rangeRequest } from "./fixture.test.ts";
import { executeRange, hasKnownSort } from "./range.ts";

const { NONE, ASCEND, DESCEND } = SortOrder;
const { KEY, VERSION, CREATE, MOD, VALUE } = SortTarget;
const ALL = { rangeEnd: "\0" };

function range(fixture: Fixture, key: string, more: Partial<RangeRequest>) {
  const { store } = fixture;
  const answer = executeRange(store, rangeRequest(key, more), store.currentRevision);
  if (answer instanceof EtcdError) throw answer;
  return answer;
}

/** a: created 2, modified 5, version 2, value 9. b: 3, 3, 1, "5". c: 4, 6, 2, "7". */
async function sample(): Promise<Fixture> {
  const fixture = await openFixture();
  for (const [key, value] of ["a1", "b5", "c3", "a9", "c7"])
    fixture.put(key as string, value as string);
  return fixture;
}

test("range: limit takes one more to say whether there are more (KV-02)", async () => {
  const fixture = await sample();
  const keys = (more: Partial<RangeRequest>) => {
    const answer = range(fixture, "a", { ...ALL, ...more });
    return [pairs(answer.kvs).join(), answer.more, answer.count];
  };
  assert.deepEqual(keys({ limit: 2 }), ["a=9,b=5", true, 3]);
  assert.deepEqual(keys({ limit: 3 }), ["a=9,b=5,c=7", false, 3]);
  assert.deepEqual(keys({ limit: 9 }), ["a=9,b=5,c=7", false, 3]);
  assert.deepEqual(keys({ limit: -1 }), ["a=9,b=5,c=7", false, 3]);
});

test("range: the limit comes after sorting and filtering (KV-02, KV-04, KV-08)", async () => {
  const fixture = await sample();
  const keys = (more: Partial<RangeRequest>) => {
    const answer = range(fixture, "a", { ...ALL, ...more });
    return [pairs(answer.kvs).join(), answer.more, answer.count];
  };
  assert.deepEqual(keys({ limit: 1, sortOrder: DESCEND }), ["c=7", true, 3]);
  assert.deepEqual(keys({ limit: 1, sortOrder: ASCEND, sortTarget: MOD }), ["b=5", true, 3]);
  assert.deepEqual(keys({ limit: 1, minModRevision: 4 }), ["a=9", true, 3]);
  assert.deepEqual(keys({ limit: 2, minModRevision: 4 }), ["a=9,c=7", false, 3]);
  assert.deepEqual(
    keys({ limit: 2, sortOrder: NONE, sortTarget: VALUE }),
    ["b=5,c=7", true, 3].map((each) => each),
  );
});

test("range: every target sorts both ways, ties in key order (KV-04)", async () => {
  const fixture = await sample();
  const keys = (sortTarget: number, sortOrder: number) =>
    pairs(range(fixture, "a", { ...ALL, sortTarget, sortOrder }).kvs)
      .map((pair) => pair[0])
      .join("");
  assert.equal(keys(KEY, NONE), "abc");
  assert.equal(keys(KEY, ASCEND), "abc");
  assert.equal(keys(KEY, DESCEND), "cba");
  assert.equal(keys(VERSION, ASCEND), "bac");
  assert.equal(keys(VERSION, DESCEND), "acb");
  assert.equal(keys(CREATE, ASCEND), "abc");
  assert.equal(keys(CREATE, DESCEND), "cba");
  assert.equal(keys(MOD, ASCEND), "bac");
  assert.equal(keys(MOD, DESCEND), "cab");
  assert.equal(keys(VALUE, ASCEND), "bca");
  assert.equal(keys(VALUE, DESCEND), "acb");
  assert.equal(keys(VALUE, NONE), "bca", "NONE behaves as ASCEND for another target than the key");
});

test("range: values sort as bytes, shorter first (KV-04)", async () => {
  const fixture = await openFixture();
  for (const [key, value] of [
    ["a", "\u00ff"],
    ["b", "z"],
    ["c", ""],
    ["d", "za"],
  ]) {
    fixture.put(key as string, value as string);
  }
  const answer = range(fixture, "a", { ...ALL, sortTarget: VALUE });
  assert.deepEqual(
    answer.kvs.map((kv) => decodeKeyValue(kv).key),
    ["c", "b", "d", "a"],
  );
});

test("range: only sort options that exist are known (KV-04)", () => {
  assert.equal(hasKnownSort(rangeRequest("a", { sortOrder: DESCEND, sortTarget: VALUE })), true);
  for (const bad of [{ sortOrder: 3 }, { sortOrder: -1 }, { sortTarget: 5 }, { sortTarget: -1 }]) {
    assert.equal(hasKnownSort(rangeRequest("a", bad)), false);
  }
});

test("range: revision filters are inclusive, and leave the count alone (KV-08)", async () => {
  const fixture = await sample();
  const keys = (more: Partial<RangeRequest>) => {
    const answer = range(fixture, "a", { ...ALL, ...more });
    assert.equal(answer.count, 3);
    assert.equal(answer.more, false);
    return pairs(answer.kvs)
      .map((pair) => pair[0])
      .join("");
  };
  assert.equal(keys({ minModRevision: 5 }), "ac");
  assert.equal(keys({ maxModRevision: 5 }), "ab");
  assert.equal(keys({ minModRevision: 5, maxModRevision: 5 }), "a");
  assert.equal(keys({ minCreateRevision: 3 }), "bc");
  assert.equal(keys({ maxCreateRevision: 3 }), "ab");
  assert.equal(keys({ minCreateRevision: 3, maxModRevision: 3 }), "b");
});

test("range: keys only, count only, and keys only sorted by value (KV-06, KV-07)", async () => {
  const fixture = await sample();
  fixture.grant(7n);
  fixture.put("a", "9", { lease: 7n });
  const keysOnly = range(fixture, "a", { ...ALL, keysOnly: true });
  assert.deepEqual(pairs(keysOnly.kvs), ["a=", "b=", "c="]);
  const byValue = range(fixture, "a", { ...ALL, keysOnly: true, sortTarget: VALUE });
  assert.deepEqual(pairs(byValue.kvs), ["b=", "c=", "a="]);
  assert.equal(decodeKeyValue(byValue.kvs[2] as Buffer).lease, 7n);
  assert.equal(decodeKeyValue(byValue.kvs[2] as Buffer).modRevision, 7);
  const counted = range(fixture, "a", { ...ALL, countOnly: true, limit: 1 });
  assert.deepEqual([counted.kvs.length, counted.count, counted.more], [0, 3, false]);
});

test("range: keys only holds the lease if that is asked for, as versions up to 3.6 do (KV-06, DV-05)", async () => {
  const fixture = await sample();
  fixture.grant(7n);
  fixture.put("a", "9", { lease: 7n });
  const leaseOf = (keysOnlyWithLease: boolean) => {
    const request = rangeRequest("a", { keysOnly: true });
    const answer = executeRange(fixture.store, request, 7, keysOnlyWithLease);
    assert.ok(!(answer instanceof EtcdError));
    return decodeKeyValue(answer.kvs[0] as Buffer).lease;
  };
  assert.deepEqual([leaseOf(false), leaseOf(true)], [0n, 7n]);
});

test("range: revisions below zero mean now, compacted and future ones are refused (KV-03)", async () => {
  const fixture = await sample();
  fixture.done("compaction", { kind: "compaction", compaction: { revision: 4, physical: false } });
  const at = (revision: number) => {
    const answer = executeRange(fixture.store, rangeRequest("a", { revision }), 6);
    return answer instanceof EtcdError ? answer.id : pairs(answer.kvs).join();
  };
  assert.equal(at(-5), "a=9");
  assert.equal(at(4), "a=1");
  assert.equal(at(3), "Compacted");
  assert.equal(at(7), "FutureRev");
});
