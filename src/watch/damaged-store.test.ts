/**
 * A watch with prev_kv met a damaged record while a batch was made ready. The watches beside it had
 * been marked as having their share of that batch, and were never given anything again, not even
 * after the store had been replaced: clients missed events and were told of progress beyond them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ModelStore, WatchRecorder } from "../testing/index.ts";
import { createWatchHub } from "./hub.ts";
import type { WatchedStore } from "./types.ts";

const WORK = 1_000_000;

/** A store whose records cannot be read while it is damaged. */
class FragileStore implements WatchedStore {
  store = new ModelStore();
  isDamaged = false;

  get currentRevision(): number {
    return this.store.currentRevision;
  }

  get compactRevision(): number {
    return this.store.compactRevision;
  }

  get(...args: Parameters<WatchedStore["get"]>) {
    if (this.isDamaged) throw new Error("damaged");
    return this.store.get(...args);
  }

  changesFrom(...args: Parameters<WatchedStore["changesFrom"]>) {
    if (this.isDamaged) throw new Error("damaged");
    return this.store.changesFrom(...args);
  }
}

function setUp() {
  const fragile = new FragileStore();
  const hub = createWatchHub(fragile, { progressIntervalMs: 1_000, fragmentBytesMax: 1_000_000 });
  const watch = (startRevision: number, prevKv: boolean) => {
    const sink = new WatchRecorder();
    const stream = hub.openStream(sink, 0);
    stream.create({
      key: "a",
      rangeEnd: "z",
      startRevision,
      progressNotify: false,
      filters: [],
      prevKv,
      watchId: 0,
      fragment: false,
    });
    return sink;
  };
  const put = (key: string) => hub.notify(fragile.store.put(key, "v"));
  const settle = () => {
    while (hub.step(WORK));
  };
  return { fragile, hub, watch, put, settle };
}

/** Revisions of the events that were sent. */
function revisionsOf(sink: WatchRecorder): number[] {
  return sink
    .take()
    .flatMap((response) => (response.kind === "events" ? response.events : []))
    .map(({ modRevision }) => modRevision);
}

test("watch: a damaged record while a batch is made → all is sent once the store is replaced", () => {
  const { fragile, hub, watch, put, settle } = setUp();
  put("k");
  const sinks = [watch(0, true), watch(0, false)];
  settle();
  fragile.isDamaged = true;
  put("k");
  assert.throws(() => hub.step(WORK), /damaged/);
  put("k");
  fragile.isDamaged = false;
  hub.storeReplaced();
  settle();
  put("k");
  settle();
  for (const sink of sinks) assert.deepEqual(revisionsOf(sink), [3, 4, 5]);
});

test("watch: damaged history under a watch that is behind → sent once the store is replaced", () => {
  const { fragile, hub, watch, put, settle } = setUp();
  for (const key of ["k", "l"]) put(key);
  settle();
  const sink = watch(2, false);
  fragile.isDamaged = true;
  assert.throws(() => hub.step(WORK), /damaged/);
  fragile.isDamaged = false;
  hub.storeReplaced();
  settle();
  assert.deepEqual(revisionsOf(sink), [2, 3]);
});

test("watch: the store is replaced while history is sent → the rest is of the new one", () => {
  const { fragile, hub, watch, put, settle } = setUp();
  put("wrong");
  const sinks = [watch(2, false), watch(2, false)];
  // One of the two is served from the slice that was read.
  hub.step(3);
  const right = new ModelStore();
  right.put("right", "v");
  fragile.store = right;
  hub.storeReplaced();
  settle();
  const keys = sinks.map((sink) =>
    sink.take().flatMap((response) => {
      return response.kind === "events" ? response.events.map(({ key }) => key) : [];
    }),
  );
  assert.ok(
    keys.some((seen) => seen.join() === "right"),
    JSON.stringify(keys),
  );
});
