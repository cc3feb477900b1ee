import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { Doubts, type Journal } from "../care/index.ts";
import type { Disk, Logger, Timers } from "../seam/index.ts";
import type { AlarmRaiser } from "./alarm-raiser.ts";
import type { AppliedLog } from "./applied-log.ts";
import type { ClusterService } from "./cluster-service.ts";
import type { Driver } from "./driver.ts";
import type { LocalStore } from "./local-store.ts";
import { StateCare } from "./state-care.ts";

const ID = 2n;

/** A follower, `scoped`: who has the alarm for itself alone. */
function setUp() {
  const state = { scoped: [] as bigint[], done: [] as string[] };
  const local = {
    alarmSet: state,
    backend: { applied: { index: 7, term: 1 } },
    doubts: new Doubts(new MemoryBackend(), () => undefined),
    isCure: false,
  };
  const driver = { isLeader: false, applied: 7, storeCaughtUp: () => undefined };
  const alarms = {
    healed: () => void state.done.push("healed"),
    repeat: () => void state.done.push("repeat"),
  };
  const journal = {
    note: ({ kind }: { kind: string }) => void state.done.push(`note ${kind}`),
    recent: () => 0,
  };
  const care = new StateCare({
    id: ID,
    local: () => local as unknown as LocalStore,
    driver: () => driver as unknown as Driver,
    cluster: () =>
      ({ changes: { confState: { voters: [], learners: [] } } }) as unknown as ClusterService,
    alarms: () => alarms as unknown as AlarmRaiser,
    isInstalling: () => false,
    resync: () => undefined,
    damage: undefined,
    timers: {} as Timers,
    journal: journal as unknown as Journal,
    disk: {} as Disk,
    directory: "/data",
    appliedLog: () => ({}) as AppliedLog,
    logger: {} as Logger,
  });
  return { care, state, local };
}

// It took back its alarm at once, again and again, served what was wrong between, and would have no
// store: for good, or until its next start.
test("state care: a member that was far behind once, and sent a store, is found wrong later → it wants a store, and takes its alarm back with that alone (BT-f1)", () => {
  const { care, state } = setUp();
  care.tick(0);
  care.storeReplaced();
  care.tick(50);
  state.scoped.push(ID);
  care.tick(100);
  assert.equal(care.isQuarantined, true);
  assert.equal(care.isApplyHeld, true);
  assert.equal(care.wantsStore, true);
  assert.deepEqual(state.done, ["note quarantined"]);
  care.storeReplaced();
  care.tick(150);
  assert.equal(care.isApplyHeld, false);
  assert.deepEqual(state.done, ["note quarantined", "note replaced", "healed"]);
});

test("state care: the alarm that led to a store is met when the store is there → it is taken back, without another (BT-f1)", () => {
  const { care, state } = setUp();
  care.tick(0);
  care.storeReplaced();
  state.scoped.push(ID);
  care.tick(50);
  assert.equal(care.wantsStore, false);
  assert.deepEqual(state.done, ["note quarantined", "healed"]);
});

test("state care: it starts with a store that took the place of a wrong one → its alarm is taken back, once the alarm is gone the store is as any other (BT-f1)", () => {
  const { care, state, local } = setUp();
  local.isCure = true;
  state.scoped.push(ID);
  assert.equal(care.isApplyHeld, false);
  care.tick(0);
  assert.deepEqual(state.done, ["note quarantined", "healed"]);
  state.scoped.length = 0;
  care.tick(50);
  assert.equal(local.isCure, false);
});

test("state care: a record of such a store is damaged → it wants another one, also after a restart (BT-f3)", () => {
  const { care, local } = setUp();
  local.isCure = true;
  care.damaged(new Error("a record is gone"));
  assert.equal(care.wantsStore, true);
  assert.equal(local.isCure, false);
});
