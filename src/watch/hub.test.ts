import assert from "node:assert/strict";
import { test } from "node:test";
import { ModelStore, type Recorded, WatchRecorder } from "../testing/index.ts";
import type { WatchCreateRequest } from "../wire/index.ts";
import { createWatchHub } from "./hub.ts";
import type { WatchHub, WatchStream } from "./types.ts";

const WORK = 1_000_000;
const OPTIONS = { progressIntervalMs: 1_000, fragmentBytesMax: 1_000_000 };

interface Bench {
  readonly store: ModelStore;
  readonly hub: WatchHub;
  readonly sink: WatchRecorder;
  readonly stream: WatchStream;
  readonly put: (key: string, value: string) => number;
  readonly remove: (key: string, rangeEnd?: string) => void;
  /** Steps until nothing is left to do, and returns what the sink got since the last time. */
  readonly settle: () => Recorded[];
}

function bench(options = OPTIONS): Bench {
  const store = new ModelStore();
  const hub = createWatchHub(store, options);
  const sink = new WatchRecorder();
  const stream = hub.openStream(sink, 0);
  return {
    store,
    hub,
    sink,
    stream,
    put(key, value) {
      hub.notify(store.put(key, value));
      return store.currentRevision;
    },
    remove(key, rangeEnd = "") {
      const changes = store.delete(key, rangeEnd);
      if (changes !== undefined) hub.notify(changes);
    },
    settle() {
      while (hub.step(WORK));
      return sink.take();
    },
  };
}

function watchOf(overrides: Partial<WatchCreateRequest>): WatchCreateRequest {
  return {
    key: "a",
    rangeEnd: "",
    startRevision: 0,
    progressNotify: false,
    filters: [],
    prevKv: false,
    watchId: 0,
    fragment: false,
    ...overrides,
  };
}

/** "put a=1@2" */
function textOf(response: Recorded): string {
  switch (response.kind) {
    case "events": {
      const events = response.events.map((event) => {
        const prev = event.prevValue === undefined ? "" : `<${event.prevValue}`;
        return `${event.type} ${event.key}=${event.value}@${event.modRevision}${prev}`;
      });
      const more = response.isFragment ? " ..." : "";
      return `${response.watchId}:${response.revision} ${events.join(" ")}${more}`;
    }
    case "created":
      return `created ${response.watchId}:${response.revision}`;
    case "canceled":
      return `canceled ${response.watchId}:${response.revision} compact ${response.compactRevision}`;
    case "refused":
      return `refused ${response.revision} ${response.reason}`;
    case "progress":
      return `progress ${response.watchId}:${response.revision}`;
  }
}

function texts(responses: readonly Recorded[]): string[] {
  return responses.map(textOf);
}

test("watch: created says the current revision and comes before the events (WA-01)", () => {
  const { stream, put, settle } = bench();
  put("a", "old");
  settle();
  stream.create(watchOf({ startRevision: 2 }));
  stream.create(watchOf({ key: "b" }));
  put("b", "1");
  assert.deepEqual(texts(settle()), [
    "created 0:2",
    "created 1:2",
    "1:3 put b=1@3",
    "0:3 put a=old@2",
  ]);
});

test("watch: a change made before creation but not yet handed out is not sent (WA-05)", () => {
  const { stream, put, settle } = bench();
  stream.create(watchOf({ key: "other" }));
  put("a", "before");
  stream.create(watchOf({}));
  put("a", "after");
  assert.deepEqual(texts(settle()), ["created 0:1", "created 1:2", "1:3 put a=after@3"]);
});

test("watch: empty key and ends mean what etcd lets them mean (WA-02)", () => {
  const { stream, put, settle } = bench();
  stream.create(watchOf({ key: "", rangeEnd: "\0" }));
  stream.create(watchOf({ key: "b", rangeEnd: "\0" }));
  stream.create(watchOf({ key: "a", rangeEnd: "b" }));
  stream.create(watchOf({ key: "" }));
  settle();
  put("a", "1");
  put("b", "2");
  put("\0", "3");
  put("\xff\xff", "4");
  const byWatch = new Map<number, string[]>();
  for (const response of settle()) {
    if (response.kind !== "events") continue;
    byWatch.set(
      response.watchId,
      response.events.map((event) => event.value),
    );
  }
  assert.deepEqual(byWatch.get(0), ["1", "2", "3", "4"]);
  assert.deepEqual(byWatch.get(1), ["2", "4"]);
  assert.deepEqual(byWatch.get(2), ["1"]);
  assert.deepEqual(byWatch.get(3), ["3"]);
});

test("watch: a range that ends before it begins is refused with id -1 (WA-03)", () => {
  const { stream, settle } = bench();
  stream.create(watchOf({ key: "b", rangeEnd: "a" }));
  stream.create(watchOf({ key: "b", rangeEnd: "b" }));
  assert.deepEqual(texts(settle()), [
    "refused 1 mvcc: watcher range is empty",
    "refused 1 mvcc: watcher range is empty",
  ]);
  assert.equal(stream.watchCount, 0);
});

test("watch: ids count up from 0, skip those in use, and may be chosen once (WA-04)", () => {
  const { stream, settle } = bench();
  stream.create(watchOf({}));
  stream.create(watchOf({ watchId: 1 }));
  stream.create(watchOf({}));
  stream.create(watchOf({ watchId: 2 }));
  stream.create(watchOf({ watchId: 77 }));
  stream.cancel(77);
  stream.create(watchOf({ watchId: 77 }));
  assert.deepEqual(texts(settle()), [
    "created 0:1",
    "created 1:1",
    "created 2:1",
    "refused 1 mvcc: duplicate watch ID provided on the WatchStream",
    "created 77:1",
    "canceled 77:1 compact 0",
    "created 77:1",
  ]);
});

test("watch: a start in the future waits for it, in silence (WA-05)", () => {
  const { stream, put, settle } = bench();
  stream.create(watchOf({ startRevision: 4 }));
  put("a", "2");
  assert.deepEqual(texts(settle()), ["created 0:1"]);
  put("a", "3");
  put("a", "4");
  assert.deepEqual(texts(settle()), ["0:4 put a=4@4"]);
});

test("watch: a negative start is refused as compacted (WA-05)", () => {
  const { stream, settle } = bench();
  stream.create(watchOf({ startRevision: -1 }));
  assert.deepEqual(texts(settle()), [
    "refused 1 etcdserver: mvcc: required revision has been compacted",
  ]);
});

test("watch: a start before the compacted revision is created, then canceled (WA-06, DV-08)", () => {
  const { store, stream, put, settle } = bench();
  for (const value of ["2", "3", "4", "5"]) put("a", value);
  store.compact(4);
  stream.create(watchOf({ startRevision: 3 }));
  stream.create(watchOf({ startRevision: 4, watchId: 9 }));
  assert.deepEqual(texts(settle()), [
    "created 0:5",
    "canceled 0:5 compact 4",
    "created 9:5",
    "9:5 put a=4@4 put a=5@5",
  ]);
  assert.equal(stream.watchCount, 1);
});

test("watch: a slow watch that falls behind a compaction is canceled with it (WA-06)", () => {
  const { store, sink, stream, put, settle } = bench();
  stream.create(watchOf({}));
  settle();
  sink.room = 1;
  put("a", "2");
  assert.deepEqual(texts(settle()), ["0:2 put a=2@2"]);
  put("a", "3");
  put("a", "4");
  assert.deepEqual(settle(), []);
  store.compact(4);
  put("a", "5");
  sink.room = 100;
  stream.ready();
  assert.deepEqual(texts(settle()), ["canceled 0:5 compact 4"]);
});

test("watch: cancel is answered once, unknown ids are ignored (WA-08)", () => {
  const { stream, put, settle } = bench();
  stream.create(watchOf({}));
  stream.cancel(0);
  stream.cancel(0);
  stream.cancel(5);
  put("a", "1");
  assert.deepEqual(texts(settle()), ["created 0:1", "canceled 0:1 compact 0"]);
});

test("watch: filters drop types, and a response left empty is not sent (WA-09)", () => {
  const { stream, put, remove, settle } = bench();
  stream.create(watchOf({ filters: [0] }));
  stream.create(watchOf({ filters: [1] }));
  stream.create(watchOf({ filters: [0, 1] }));
  settle();
  put("a", "1");
  assert.deepEqual(texts(settle()), ["1:2 put a=1@2"]);
  remove("a");
  assert.deepEqual(texts(settle()), ["0:3 delete a=@3"]);
});

test("watch: revisions applied together come as one response, in order (WA-10)", () => {
  const { store, hub, stream, put, settle } = bench();
  stream.create(watchOf({ key: "a", rangeEnd: "c" }));
  settle();
  const tx = store.begin();
  tx.put("b", Buffer.from("1"), 0n);
  tx.put("a", Buffer.from("2"), 0n);
  tx.put("x", Buffer.from("3"), 0n);
  const changes = tx.end();
  assert.ok(changes);
  hub.notify(changes);
  put("a", "4");
  put("z", "5");
  assert.deepEqual(texts(settle()), ["0:4 put b=1@2 put a=2@2 put a=4@3"]);
});

test("watch: history comes in order and joins what is new without a gap (WA-05, WA-10)", () => {
  const { hub, sink, stream, put } = bench();
  for (let at = 0; at < 3_000; at += 1) put("a", String(at));
  stream.create(watchOf({ startRevision: 2 }));
  let next = 2;
  for (let at = 0; hub.step(100) || at < 50; at += 1) if (at < 50) put("a", "new");
  for (const response of sink.take()) {
    if (response.kind !== "events") continue;
    for (const event of response.events) {
      assert.equal(event.modRevision, next);
      next += 1;
    }
    assert.equal(response.revision, next - 1);
  }
  assert.equal(next, 3_000 + 50 + 2);
});

test("watch: a delete holds key and revision, prev_kv the pair before it (WA-11)", () => {
  const { stream, put, remove, settle } = bench();
  stream.create(watchOf({ prevKv: true }));
  settle();
  put("a", "1");
  put("a", "2");
  remove("a");
  put("a", "3");
  assert.deepEqual(texts(settle()), ["0:5 put a=1@2 put a=2@3<1 delete a=@4<2 put a=3@5"]);
});

test("watch: prev_kv is left out when it is compacted at the time of sending (WA-11)", () => {
  const { store, stream, put, settle } = bench();
  put("a", "1");
  put("a", "2");
  put("a", "3");
  store.compact(3);
  stream.create(watchOf({ prevKv: true, startRevision: 3 }));
  assert.deepEqual(texts(settle()), ["created 0:4", "0:4 put a=2@3 put a=3@4<2"]);
});

test("watch: progress is notified after an interval without events only (WA-12)", () => {
  const { hub, stream, put, settle } = bench();
  stream.create(watchOf({ progressNotify: true }));
  stream.create(watchOf({ key: "b", progressNotify: true }));
  stream.create(watchOf({ key: "c" }));
  settle();
  hub.tick(10_000);
  hub.tick(10_999);
  put("b", "1");
  assert.deepEqual(texts(settle()), ["1:2 put b=1@2"]);
  hub.tick(11_000);
  assert.deepEqual(texts(settle()), ["progress 0:2"]);
  hub.tick(11_500);
  assert.deepEqual(settle(), []);
  hub.tick(12_000);
  assert.deepEqual(texts(settle()), ["progress 0:2", "progress 1:2"]);
});

test("watch: a stream's jitter moves its progress notifications (WA-12)", () => {
  const { hub } = bench();
  const sink = new WatchRecorder();
  const stream = hub.openStream(sink, 100);
  stream.create(watchOf({ progressNotify: true }));
  sink.take();
  hub.tick(1);
  hub.tick(1_100);
  assert.deepEqual(sink.take(), []);
  hub.tick(1_101);
  assert.deepEqual(texts(sink.take()), ["progress 0:1"]);
});

test("watch: a progress notification that must wait is made up for (WA-12)", () => {
  const { hub, sink, stream, put, settle } = bench();
  stream.create(watchOf({ progressNotify: true, startRevision: 3 }));
  settle();
  hub.tick(1);
  hub.tick(2_000);
  assert.deepEqual(settle(), [], "the watch has not begun");
  put("b", "1");
  put("b", "2");
  settle();
  hub.tick(2_001);
  assert.deepEqual(texts(sink.take()), ["progress 0:3"]);
});

test("watch: progress on request carries id -1 and the current revision (WA-13)", () => {
  const { stream, put, settle } = bench();
  stream.create(watchOf({}));
  settle();
  put("b", "1");
  stream.requestProgress();
  assert.deepEqual(texts(settle()), ["progress -1:2"]);
  stream.requestProgress();
  assert.deepEqual(texts(settle()), ["progress -1:2"]);
});

test("watch: progress never overtakes events up to its revision (WA-13, DV-07)", () => {
  const { hub, sink, stream, put } = bench();
  for (let at = 0; at < 500; at += 1) put("a", String(at));
  stream.create(watchOf({ startRevision: 2 }));
  stream.requestProgress();
  stream.requestProgress();
  put("a", "last");
  assert.deepEqual(texts(sink.take()), ["created 0:501"]);
  while (hub.step(10));
  const log = sink.take();
  const last = log.pop();
  assert.deepEqual(last, { kind: "progress", watchId: -1, revision: 502 });
  const sent = log.flatMap((response) => (response.kind === "events" ? response.events : []));
  assert.equal(sent.length, 501);
});

test("watch: progress asked of a reader that is full comes when it is ready (WA-13, DV-07)", () => {
  const { sink, stream, put, settle } = bench();
  stream.create(watchOf({}));
  sink.room = 1;
  put("a", "1");
  settle();
  put("a", "2");
  stream.requestProgress();
  assert.deepEqual(settle(), []);
  sink.room = 100;
  stream.ready();
  assert.deepEqual(texts(settle()), ["0:3 put a=2@3", "progress -1:3"]);
});

test("watch: a large response is split at events if the client asks for it (WA-14)", () => {
  const { store, hub, stream, settle } = bench({ ...OPTIONS, fragmentBytesMax: 1_000 });
  stream.create(watchOf({ key: "a", rangeEnd: "b", fragment: true }));
  stream.create(watchOf({ key: "a", rangeEnd: "b" }));
  settle();
  const tx = store.begin();
  for (const name of ["a1", "a2", "a3", "a4", "a5"]) tx.put(name, Buffer.alloc(300, 120), 0n);
  tx.put("a6", Buffer.alloc(2_000, 120), 0n);
  tx.put("a7", Buffer.alloc(1), 0n);
  const changes = tx.end();
  assert.ok(changes);
  hub.notify(changes);
  const shapes = settle().map((response) => {
    assert.ok(response.kind === "events");
    assert.equal(response.revision, 2);
    return [
      response.watchId,
      response.events.map((event) => event.key).join(),
      response.isFragment,
    ];
  });
  assert.deepEqual(
    shapes.filter(([watchId]) => watchId === 0),
    [
      [0, "a1,a2", true],
      [0, "a3,a4", true],
      [0, "a5", true],
      [0, "a6", true],
      [0, "a7", false],
    ],
  );
  assert.deepEqual(
    shapes.filter(([watchId]) => watchId === 1),
    [[1, "a1,a2,a3,a4,a5,a6,a7", false]],
  );
});

test("watch: many revisions come in responses of about a megabyte, resumed where a reader was full (WA-10)", () => {
  const { sink, stream, put, settle } = bench();
  stream.create(watchOf({}));
  settle();
  const value = "v".repeat(100_000);
  for (let at = 0; at < 30; at += 1) put("a", value);
  sink.room = 1;
  const shapeOf = (response: Recorded) => {
    assert.ok(response.kind === "events");
    const { events, revision } = response;
    return [events[0]?.modRevision, events.at(-1)?.modRevision, revision];
  };
  assert.deepEqual(settle().map(shapeOf), [[2, 12, 12]]);
  sink.room = 100;
  stream.ready();
  assert.deepEqual(settle().map(shapeOf), [
    [13, 23, 23],
    [24, 31, 31],
  ]);
});

test("watch: a closed stream gets nothing more and leaves nothing behind (WA-15)", () => {
  const { hub, stream, put, settle } = bench();
  stream.create(watchOf({}));
  stream.create(watchOf({ key: "a", rangeEnd: "b", startRevision: 1 }));
  settle();
  put("a", "1");
  stream.requestProgress();
  stream.close();
  assert.deepEqual(settle(), []);
  stream.create(watchOf({}));
  stream.ready();
  stream.requestProgress();
  assert.deepEqual(settle(), []);
  assert.equal(hub.stats.watchers, 0);
  assert.equal(hub.stats.streams, 0);
});

test("watch: watchers of the same thing share the same bytes", () => {
  const { sink, stream, put, settle } = bench();
  stream.create(watchOf({}));
  stream.create(watchOf({}));
  stream.create(watchOf({ key: "a", rangeEnd: "b" }));
  settle();
  put("a", "1");
  put("a", "2");
  settle();
  put("a", "3");
  const responses = settle();
  assert.equal(responses.length, 3);
  const bytes = responses.map((response) => (response.kind === "events" ? response.bytes : null));
  assert.equal(bytes[0], bytes[1]);
  assert.equal(bytes[0], bytes[2]);
  assert.equal(sink.log.length, 0);
});

test("watch: a reader that is full holds up nobody else, and misses nothing", () => {
  const { hub, sink, stream, put, settle } = bench();
  const other = new WatchRecorder();
  hub.openStream(other, 0).create(watchOf({}));
  stream.create(watchOf({}));
  settle();
  other.take();
  sink.room = 1;
  for (let at = 0; at < 5; at += 1) {
    put("a", String(at));
    settle();
  }
  assert.equal(other.take().length, 5);
  assert.equal(hub.stats.slowWatchers, 1);
  sink.room = 100;
  stream.ready();
  assert.deepEqual(texts(settle()), ["0:6 put a=1@3 put a=2@4 put a=3@5 put a=4@6"]);
  assert.equal(hub.stats.slowWatchers, 0);
});

test("watch: one that is far behind keeps neither new changes nor other history waiting", () => {
  const { hub, sink, stream, put } = bench();
  for (let at = 0; at < 5_000; at += 1) put("a", String(at));
  const first = new WatchRecorder();
  const firstStream = hub.openStream(first, 0);
  firstStream.create(watchOf({ startRevision: 4_990 }));
  stream.create(watchOf({ startRevision: 2 }));
  const near = new WatchRecorder();
  hub.openStream(near, 0).create(watchOf({ startRevision: 5_000 }));
  const live = new WatchRecorder();
  hub.openStream(live, 0).create(watchOf({ key: "b" }));
  for (const recorder of [first, sink, near, live]) recorder.take();
  let steps = 0;
  for (; near.log.length === 0 || first.log.length === 0; steps += 1) hub.step(50);
  assert.ok(steps < 5, `${steps} steps for history of two revisions`);
  put("b", "new");
  hub.step(50);
  assert.deepEqual(texts(live.take()), ["0:5002 put b=new@5002"]);
  const done = sink.take().flatMap((each) => (each.kind === "events" ? each.events : []));
  assert.ok(done.length < 5_000, "the far one is still on its way");
  while (hub.step(50));
  const rest = sink.take().flatMap((each) => (each.kind === "events" ? each.events : []));
  assert.equal(done.length + rest.length, 5_000);
});

test("watch: a flood of new changes leaves a share of each step to history", () => {
  const { hub, sink, stream, put } = bench();
  for (let at = 0; at < 300; at += 1) put("a", String(at));
  const many = new WatchRecorder();
  const crowd = hub.openStream(many, 0);
  for (let at = 0; at < 200; at += 1) crowd.create(watchOf({ key: "b" }));
  stream.create(watchOf({ startRevision: 2 }));
  sink.take();
  let steps = 0;
  for (; hub.stats.slowWatchers > 0; steps += 1) {
    put("b", String(steps));
    hub.step(100);
    assert.ok(steps < 100, "history starves");
  }
  assert.ok(hub.stats.pendingChanges > 0 || steps < 5);
});

test("watch: more changes than may wait are taken from the store instead", () => {
  const { hub, stream, put, settle } = bench();
  stream.create(watchOf({}));
  stream.create(watchOf({ key: "b", startRevision: 15_000 }));
  settle();
  const count = 12_000;
  for (let at = 0; at < count; at += 1) put("a", String(at));
  assert.ok(hub.stats.pendingChanges <= 10_000);
  let next = 2;
  for (const response of settle()) {
    assert.ok(response.kind === "events" && response.watchId === 0);
    for (const event of response.events) {
      assert.equal(event.modRevision, next);
      next += 1;
    }
  }
  assert.equal(next, count + 2);
});

test("watch: a sink may cancel, create and close from inside its methods", () => {
  const { hub, sink, stream, put, settle } = bench();
  for (let at = 0; at < 20; at += 1) stream.create(watchOf({ watchId: at + 1 }));
  settle();
  let seen = 0;
  sink.onResponse = (response) => {
    if (response.kind !== "events") return;
    seen += 1;
    if (seen === 3) stream.cancel(response.watchId);
    if (seen === 5) stream.cancel(1);
    if (seen === 7) stream.create(watchOf({ watchId: 100 }));
    if (seen === 10) stream.close();
  };
  put("a", "1");
  settle();
  assert.equal(seen, 10);
  assert.equal(hub.stats.watchers, 0);
});

test("watch: onWork is called once until a step finds everything done", () => {
  const { hub, sink, stream, put } = bench();
  let calls = 0;
  hub.onWork = () => {
    calls += 1;
  };
  put("a", "0");
  assert.equal(calls, 0, "nobody watches");
  stream.create(watchOf({}));
  put("a", "1");
  put("a", "2");
  assert.equal(calls, 1);
  while (hub.step(WORK));
  sink.room = 1;
  put("a", "3");
  assert.equal(calls, 2);
  while (hub.step(WORK));
  put("a", "4");
  while (hub.step(WORK));
  sink.room = 1;
  calls = 0;
  stream.ready();
  assert.equal(calls, 1);
});

test("watch: a step does about as much as it was asked for", () => {
  const { hub, sink, stream, put } = bench();
  for (let at = 0; at < 1_000; at += 1) stream.create(watchOf({}));
  sink.take();
  put("a", "1");
  assert.equal(hub.step(100), true);
  const first = sink.take().length;
  assert.ok(first > 50 && first <= 100, String(first));
  put("a", "2");
  while (hub.step(100));
  const rest = sink.take();
  assert.equal(first + rest.length, 2_000);
});
