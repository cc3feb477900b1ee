import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberRecord } from "../apply/index.ts";
import { verdictText } from "./report.ts";
import type { Survivor } from "./survivor.ts";
import { judge, type Missing, type Verdict } from "./verdict.ts";

interface Given {
  readonly id: bigint;
  readonly term?: number;
  readonly index?: number;
  readonly commit?: number;
  readonly members?: number;
  readonly learners?: readonly bigint[];
  readonly faults?: readonly string[];
  readonly clusterId?: bigint;
  readonly committed?: number;
}

function survivor(given: Given): Survivor {
  const { id, term = 3, index = 100, commit = index, members = 3 } = given;
  const rows = Array.from({ length: members }, (_, at): MemberRecord => {
    const own = BigInt(at + 1);
    const isLearner = given.learners?.includes(own) ?? false;
    return { id: own, name: `m${own}`, peerUrls: [`http://h${own}:1`], clientUrls: [], isLearner };
  });
  return {
    directory: `/data/m${id}`,
    walDirectory: undefined,
    faults: given.faults ?? [],
    isLocked: false,
    isUnfinished: false,
    care: { committed: given.committed ?? 0, quarantine: undefined, isRejoining: false },
    members: rows,
    storeDirectory: `/data/m${id}/member/store`,
    log: {
      memberId: id,
      clusterId: given.clusterId ?? 9n,
      term,
      lastIndex: index,
      lastTerm: term,
      commit,
      lastWriteMs: 1_000,
      sizeBytes: 1,
      torn: undefined,
    },
    store: {
      applied: { index: commit, term },
      revision: 50,
      compactRevision: -1,
      keys: 7,
      hash: 1,
      sizeBytes: 1,
      incarnation: undefined,
      isCorruptAlarmed: false,
      mark: undefined,
    },
  };
}

function missingOf(...given: Given[]): Missing {
  const { missing } = judge(given.map(survivor), undefined);
  assert.ok(missing !== undefined);
  return missing;
}

function directoryOf({ chosen }: Verdict): string | undefined {
  return chosen?.directory;
}

test("verdict: the last term decides, then the last index, then what is known as committed (BT-c5)", () => {
  const five = { members: 5 };
  const of = (...given: Given[]) => directoryOf(judge(given.map(survivor), undefined));
  assert.equal(
    of({ id: 1n, term: 3, index: 900, ...five }, { id: 2n, term: 4, index: 100, ...five }),
    "/data/m2",
  );
  assert.equal(
    of({ id: 1n, index: 101, commit: 50, ...five }, { id: 2n, index: 100, ...five }),
    "/data/m1",
  );
  assert.equal(
    of({ id: 1n, index: 100, commit: 50, ...five }, { id: 2n, index: 100, ...five }),
    "/data/m2",
  );
});

test("verdict: what may be missing at most, by how many voters are lost of how many (BT-c5)", () => {
  const one = missingOf({ id: 2n, index: 100, commit: 96 });
  assert.deepEqual(one, {
    voters: 3,
    present: 1,
    lost: ["m1", "m3"],
    mayBeMissing: true,
    known: 0,
    unconfirmed: 4,
  });
  // A majority of four is three: one of the two survivors has every acknowledged write.
  const two = missingOf({ id: 1n, members: 4 }, { id: 2n, members: 4 });
  assert.equal(two.mayBeMissing, false);
  assert.equal(missingOf({ id: 1n, members: 4 }).mayBeMissing, true);
  assert.equal(missingOf({ id: 1n, members: 5 }, { id: 2n, members: 5 }).mayBeMissing, true);
  // A learner does not count.
  const learner = missingOf(
    { id: 1n, members: 4, learners: [4n] },
    { id: 4n, members: 4, learners: [4n], index: 90 },
  );
  assert.deepEqual([learner.voters, learner.present, learner.mayBeMissing], [3, 1, true]);
});

test("verdict: a survivor knows of committed entries that none has → so many are missing at least (BT-c5, E3)", () => {
  const [first, second] = [
    { id: 1n, members: 4 },
    { id: 2n, members: 4, index: 90, committed: 130 },
  ];
  const missing = missingOf(first, second);
  assert.deepEqual([missing.mayBeMissing, missing.known], [true, 30]);
  const text = verdictText(judge([survivor(first), survivor(second)], undefined));
  assert.match(text, /At least 30 entries are missing: index 130 is known to have been/);
});

test("verdict: survivors that are a majority, or a cluster of one → no recovery is needed", () => {
  const both = judge([survivor({ id: 1n }), survivor({ id: 2n })], undefined);
  assert.match(both.refusals.join(), /2 of 3 voting members, a majority: no recovery is needed/);
  const alone = judge([survivor({ id: 1n, members: 1 })], undefined);
  assert.match(alone.refusals.join(), /a cluster of one member already/);
  assert.deepEqual(judge([survivor({ id: 1n })], undefined).refusals, []);
});

test("verdict: another cluster's directory, the same member twice, different data → refused", () => {
  const strangers = [
    survivor({ id: 1n, members: 5 }),
    survivor({ id: 2n, members: 5, clusterId: 8n }),
  ];
  assert.match(judge(strangers, undefined).refusals.join(), /of different clusters/);
  const twins = [survivor({ id: 1n, members: 5 }), survivor({ id: 1n, members: 5 })];
  assert.match(judge(twins, undefined).refusals.join(), /of the same member/);
  const others = [survivor({ id: 1n, members: 5 }), survivor({ id: 2n, members: 5 })];
  const hashes = new Map(others.map((other, at) => [other, at]));
  const refusals = judge(others, { revision: 40, hashes }).refusals.join();
  assert.match(refusals, /at revision 40 the data is not the same everywhere/);
});

test("verdict: a damaged survivor that is further is left behind, and that is said", () => {
  const damaged = { id: 2n, index: 140, faults: ["corrupt record"], members: 5 };
  const verdict = judge([survivor({ id: 1n, members: 5 }), survivor(damaged)], undefined);
  assert.equal(directoryOf(verdict), "/data/m1");
  assert.match(verdict.warnings.join(), /m2 is further .* 40 entries of its log are left behind/);
  const none = judge([survivor(damaged)], undefined);
  assert.equal(none.chosen, undefined);
  assert.match(none.refusals.join(), /none of the directories can be used/);
});

test("verdict: shown with index, names of the lost and time (BT-c5)", () => {
  const text = verdictText(judge([survivor({ id: 2n, commit: 97 })], undefined));
  assert.match(text, /Most advanced: \/data\/m2 \(last term 3, index 100\)/);
  assert.match(text, /every acknowledged write after index 100: 2 of 3 .* are lost \(m1, m3\)/);
  assert.match(text, /the last entry came at 1970-01-01T00:00:01Z/);
  assert.match(text, /not known whether they were acknowledged: the last 3 entries/);
});
