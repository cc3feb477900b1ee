import assert from "node:assert/strict";
import { test } from "node:test";
import type { CheckpointingStore } from "../mvcc/index.ts";
import type { Logger } from "../seam/index.ts";
import { ManualTime } from "../testing/index.ts";
import { IndexCheckpointer } from "./index-checkpointer.ts";
import { CHECKPOINT_CHECK_MS } from "./limits.ts";

function setUp() {
  const time = new ManualTime();
  const state = { isDue: false, written: 0, warnings: [] as string[] };
  let write = (): Promise<boolean> => {
    state.written += 1;
    state.isDue = false;
    return Promise.resolve(true);
  };
  const store = {
    isCheckpointDue() {
      return state.isDue;
    },
    checkpoint: () => write(),
  } as unknown as CheckpointingStore;
  const logger = { warn: (message: string) => state.warnings.push(message) } as unknown as Logger;
  const checkpointer = new IndexCheckpointer({ store, timers: time, logger });
  const setWrite = (next: () => Promise<boolean>) => {
    write = next;
  };
  return { time, state, checkpointer, setWrite };
}

test("index checkpointer: written when it is due, and only then (DB-01)", () => {
  const { time, state } = setUp();
  time.advance(3 * CHECKPOINT_CHECK_MS);
  assert.equal(state.written, 0);
  state.isDue = true;
  time.advance(CHECKPOINT_CHECK_MS);
  assert.equal(state.written, 1);
});

test("index checkpointer: one that is under way is not begun twice, and a stop waits for it", async () => {
  const { time, state, checkpointer, setWrite } = setUp();
  const running = Promise.withResolvers<boolean>();
  setWrite(() => {
    state.written += 1;
    return running.promise;
  });
  state.isDue = true;
  time.advance(3 * CHECKPOINT_CHECK_MS);
  assert.equal(state.written, 1);
  state.isDue = false;
  let isClosed = false;
  const closed = checkpointer.close().then(() => {
    isClosed = true;
  });
  await Promise.resolve();
  assert.equal(isClosed, false);
  running.resolve(true);
  await closed;
});

test("index checkpointer: a disk that refuses is told, and the member goes on", async () => {
  const { time, state, checkpointer, setWrite } = setUp();
  setWrite(() => Promise.reject(new Error("ENOSPC")));
  state.isDue = true;
  time.advance(CHECKPOINT_CHECK_MS);
  state.isDue = false;
  await checkpointer.close();
  assert.deepEqual(state.warnings, ["the key index could not be written to its file"]);
});
