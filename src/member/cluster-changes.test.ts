import assert from "node:assert/strict";
import { test } from "node:test";
import { createMachine, type Machine } from "../apply/index.ts";
import { openAlarms } from "../alarm/index.ts";
import { MemoryBackend } from "../backend/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import { systemDigests } from "../host/index.ts";
import { openLessor } from "../lease/index.ts";
import { openStore } from "../mvcc/index.ts";
import type { PeerNetwork } from "../seam/index.ts";
import { ManualTime } from "../testing/index.ts";
import {
  type ConfChange,
  ConfChangeType,
  type ConfState,
  emptyConfState,
  encodeConfChange,
  type Entry,
  EntryType,
  marshal,
} from "../wire/index.ts";
import { ClusterChanges } from "./cluster-changes.ts";
import type { Driver } from "./driver.ts";
import type { Leadership } from "./leadership.ts";
import { CHANGES_WAITING_MAX } from "./limits.ts";
import type { MembershipChange } from "./types.ts";

const LEARNER = 3n;

async function newMachine(): Promise<Machine> {
  const backend = new MemoryBackend();
  const lessor = openLessor(backend);
  const store = await openStore(backend, { yieldToLoop: () => Promise.resolve() });
  const alarms = openAlarms(backend);
  const machine = createMachine({ backend, store, lessor, alarms, keysOnlyWithLease: false });
  for (const id of [1n, 2n, LEARNER]) {
    const peerUrls = [`http://m${id}:2380`];
    machine.putMember({ id, peerUrls, isLearner: id === LEARNER, name: `m${id}`, clientUrls: [] });
  }
  return machine;
}

/** Member 1 leads the voters 1 and 2 and a learner. A test says when a proposal is applied. */
async function setUp(options: { isStrict?: boolean } = {}) {
  const time = new ManualTime();
  const machine = await newMachine();
  const proposed: ConfChange[] = [];
  const answers: string[] = [];
  const effects: string[] = [];
  /** What the consensus was told to do. */
  const reconfigured: bigint[] = [];
  const progress = [1n, 2n, LEARNER].map((id) => [id, { match: 100 }] as const);
  const world = { connectedSinceMs: 0 as number | undefined, index: 0, learnerMatch: 100 };
  const driver = {
    node: {
      status: () => ({
        progress: progress.map(([id, { match }]) => {
          return [id, { match: id === LEARNER ? world.learnerMatch : match }] as const;
        }),
      }),
      applyConfChange: (change: ConfChange): { confState: ConfState } => {
        reconfigured.push(change.nodeId);
        return { confState: { ...emptyConfState(), voters: [BigInt(reconfigured.length)] } };
      },
    },
    proposeConfChange: (change: ConfChange) => void proposed.push(change),
    dropConfChange: (change: ConfChange) => void proposed.splice(proposed.indexOf(change), 1),
  } as unknown as Driver;
  let requests = 0n;
  const changes = new ClusterChanges({
    id: 1n,
    machine: () => machine,
    driver,
    network: { connectedSinceMs: () => world.connectedSinceMs } as unknown as PeerNetwork,
    leadership: { timeoutError: () => errors.Timeout } as unknown as Leadership,
    clock: time,
    digests: systemDigests,
    isStrict: options.isStrict ?? true,
    learnersMax: 2,
    confState: { ...emptyConfState(), voters: [1n, 2n], learners: [LEARNER] },
    newRequestId: () => {
      requests += 1n;
      return requests;
    },
    onEffect: ({ kind }) => void effects.push(kind),
  });
  const waiterOf = (name: string) => ({
    done: ({ member, members }: MembershipChange) =>
      void answers.push(`${name}: ${member?.peerUrls ?? "none"} of ${members.length}`),
    refused: (error: EtcdError) => void answers.push(`${name}: ${error.id}`),
  });
  const entryOf = (data: Buffer, type: number = EntryType.CONF_CHANGE): Entry => {
    world.index += 1;
    return { type, term: 1, index: world.index, data };
  };
  const applyNext = () => {
    const change = proposed.shift() as ConfChange;
    changes.apply(entryOf(marshal(encodeConfChange, change)));
  };
  const setup = { time, machine, proposed, answers, effects, reconfigured, world, changes };
  return { ...setup, waiterOf, entryOf, applyNext };
}

test("changes: added, updated, removed → table, consensus and waiter, when it is applied (CL-01, CL-05, CL-06)", async () => {
  const { changes, answers, effects, machine, reconfigured, waiterOf, applyNext } = await setUp({
    isStrict: false,
  });
  changes.add(["http://m4:2380"], false, waiterOf("add"));
  assert.deepEqual(answers, [], "not before it is committed");
  assert.equal(machine.members().length, 3);
  applyNext();
  assert.deepEqual(answers, ["add: http://m4:2380 of 4"]);
  changes.update(2n, ["http://b:2380"], waiterOf("update"));
  applyNext();
  changes.remove(2n, waiterOf("remove"));
  applyNext();
  assert.deepEqual(answers.slice(1), ["update: http://b:2380 of 4", "remove: none of 3"]);
  assert.deepEqual(effects, ["added", "updated", "removed"]);
  assert.equal(reconfigured.length, 3);
  assert.equal(machine.isRemovedMember(2n), true);
});

test("changes: one that cannot be when it is applied → no change, the mapped error (CL-12)", async () => {
  const { changes, answers, effects, reconfigured, time, waiterOf, applyNext } = await setUp();
  changes.add(["http://m4:2380"], false, waiterOf("first"));
  // The id is another one in another second.
  time.advance(1_000);
  changes.add(["http://m4:2380"], false, waiterOf("second"));
  applyNext();
  applyNext();
  assert.deepEqual(answers, ["first: http://m4:2380 of 4", "second: PeerURLExist"]);
  assert.equal(reconfigured[1], 0n, "the consensus is told of a change that changes nothing");
  assert.deepEqual(effects, ["added"]);
});

test("changes: an entry with anything in it → applied as nothing, never thrown (CL-12)", async () => {
  const { changes, machine, reconfigured, effects, entryOf } = await setUp();
  changes.apply(entryOf(Buffer.from("\xff\xff\xff", "latin1")));
  changes.apply(entryOf(Buffer.from("\xff\xff\xff", "latin1"), EntryType.CONF_CHANGE_V2));
  changes.apply(entryOf(Buffer.alloc(0), EntryType.CONF_CHANGE_V2));
  const change = { id: 1n, type: ConfChangeType.ADD_NODE, nodeId: 0n, context: Buffer.from("{") };
  changes.apply(entryOf(marshal(encodeConfChange, change)));
  assert.equal(machine.members().length, 3);
  assert.deepEqual(effects, []);
  assert.ok(reconfigured.every((id) => id === 0n || id === undefined));
});

test("changes: never committed → the waiter has its timeout, and it is proposed no more (CL-10)", async () => {
  const { changes, answers, proposed, time, waiterOf } = await setUp();
  changes.remove(LEARNER, waiterOf("a"));
  time.advance(100);
  changes.remove(LEARNER, waiterOf("b"));
  changes.expire(time.monotonicMs() - 100);
  assert.deepEqual(answers, ["a: Timeout"]);
  assert.equal(proposed.length, 1);
  changes.expire(time.monotonicMs());
  assert.deepEqual(answers, ["a: Timeout", "b: Timeout"]);
  assert.equal(proposed.length, 0);
});

test("changes: strict, and too few members are well → refused before it is proposed (CL-02, CL-05)", async () => {
  const strict = await setUp();
  strict.world.connectedSinceMs = undefined;
  strict.changes.add(["http://m4:2380"], false, strict.waiterOf("add"));
  assert.deepEqual(strict.answers, ["add: Unhealthy"]);
  assert.equal(strict.proposed.length, 0);
  const lax = await setUp({ isStrict: false });
  lax.world.connectedSinceMs = undefined;
  lax.changes.add(["http://m4:2380"], false, lax.waiterOf("add"));
  assert.equal(lax.proposed.length, 1);
});

test("changes: promoted → unknown, no learner, not in sync: refused and counted; in sync: done (CL-08)", async () => {
  const { changes, answers, world, machine, waiterOf, applyNext } = await setUp();
  changes.promote(9n, waiterOf("unknown"));
  changes.promote(2n, waiterOf("voter"));
  world.learnerMatch = 89;
  changes.promote(LEARNER, waiterOf("behind"));
  assert.deepEqual(answers, [
    "unknown: MemberNotFound",
    "voter: MemberNotLearner",
    "behind: MemberLearnerNotReady",
  ]);
  assert.equal(
    [...changes.promotionFailures.values()].reduce((a, b) => a + b),
    3,
  );
  world.learnerMatch = 90;
  changes.promote(LEARNER, waiterOf("ready"));
  applyNext();
  assert.equal(answers.at(-1), "ready: http://m3:2380 of 3");
  assert.equal(
    machine.members().some(({ isLearner }) => isLearner),
    false,
  );
  assert.equal(changes.promotions, 1);
});

// A change that was asked for while the member stopped was noted after those that wait had been
// answered, and with the clocks stopped nothing answered it any more.
test("changes: the member stops → those that wait are answered, and all that come", async () => {
  const { changes, answers, proposed, waiterOf } = await setUp();
  changes.remove(LEARNER, waiterOf("before"));
  changes.stop(errors.Stopped);
  changes.remove(LEARNER, waiterOf("after"));
  assert.deepEqual(answers, ["before: Stopped", "after: Stopped"]);
  assert.equal(proposed.length, 1);
});

test("changes: too many that wait → too many requests (FR-10)", async () => {
  const { changes, answers, proposed, waiterOf } = await setUp();
  for (let count = 0; count <= CHANGES_WAITING_MAX; count += 1)
    changes.remove(LEARNER, waiterOf("x"));
  assert.deepEqual(answers, ["x: TooManyRequests"]);
  assert.equal(proposed.length, CHANGES_WAITING_MAX);
});

test("changes: the configuration at an index → that of then, as far as it is remembered", async () => {
  const { changes, waiterOf, applyNext, world } = await setUp({ isStrict: false });
  world.index = 10;
  const founded = changes.confState;
  for (const name of ["a", "b"]) {
    changes.update(2n, [`http://${name}:2380`], waiterOf(name));
    applyNext();
  }
  assert.equal(changes.confStateAt(10), founded);
  assert.deepEqual(changes.confStateAt(11).voters, [1n]);
  assert.deepEqual(changes.confStateAt(12).voters, [2n]);
  assert.equal(changes.confState, changes.confStateAt(99));
  const restored = { ...emptyConfState(), voters: [7n] };
  changes.restore(restored);
  assert.equal(changes.confStateAt(5), restored);
});
