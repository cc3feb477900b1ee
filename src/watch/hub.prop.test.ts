/**
 * The guarantees of a watch, against a model that knows the whole history: ordered, unique,
 * reliable, atomic, resumable and bookmarkable; with readers that are slow at random, streams that
 * come and go, compactions, and steps of any size.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { type Key, OPEN_END, Prng } from "../base/index.ts";
import { openStore, type RevisionChanges, type Store } from "../mvcc/index.ts";
import { ModelStore, type Recorded, type RecordedEvent, WatchRecorder } from "../testing/index.ts";
import { decodeKeyValue, type WatchCreateRequest } from "../wire/index.ts";
import { createWatchHub } from "./hub.ts";
import type { WatchHub, WatchStream } from "./types.ts";

const RUNS = Number(process.env["PROP_RUNS"] ?? 60);
const STEPS = 600;
const KEYS = ["a", "b", "ba", "bb", "c", "d"];

/** One change as the model remembers it. */
interface Past extends RecordedEvent {
  readonly revision: number;
}

interface Watching {
  readonly request: WatchCreateRequest;
  readonly start: number;
  /** Position in `Model.past` from which on nothing was looked at yet. */
  position: number;
  /** All events up to here were seen; the client would resume after it. */
  bookmark: number;
  /** Events of a response that is not complete. */
  isInFragments: boolean;
}

class Model {
  readonly past: Past[] = [];
  readonly #values = new Map<Key, string>();

  add({ revision, changes }: RevisionChanges): void {
    for (const { type, key, record } of changes) {
      const { value, createRevision, modRevision } = decodeKeyValue(record);
      assert.equal(modRevision, revision);
      const text = value.toString();
      const prevValue = this.#values.get(key);
      this.past.push({ type, key, value: text, modRevision, createRevision, prevValue, revision });
      if (type === "put") this.#values.set(key, text);
      else this.#values.delete(key);
    }
  }
}

function wants(request: WatchCreateRequest, change: Past): boolean {
  const end = request.rangeEnd === "\0" ? OPEN_END : request.rangeEnd;
  const isInside =
    end === "" ? change.key === request.key : change.key >= request.key && change.key < end;
  return isInside && !request.filters.includes(change.type === "put" ? 0 : 1);
}

/** A client that checks what it is sent as it comes. */
class Client {
  readonly recorder = new WatchRecorder();
  readonly stream: WatchStream;
  readonly watching = new Map<number, Watching>();
  readonly #store: Store;
  readonly #model: Model;
  #created: WatchCreateRequest | undefined;
  isFull = false;
  isClosed = false;
  /** Revision at the latest progress request that was not answered; 0 = all were. */
  asked = 0;
  #sentRevision = 0;

  constructor(hub: WatchHub, store: Store, model: Model, jitterMs: number) {
    this.#store = store;
    this.#model = model;
    this.recorder.onResponse = (response) => this.#check(response);
    this.stream = hub.openStream(this.recorder, jitterMs);
  }

  create(request: WatchCreateRequest): void {
    this.#created = request;
    this.stream.create(request);
    assert.equal(this.#created, undefined, "a create request is answered at once");
  }

  #check(response: Recorded): void {
    assert.equal(this.isClosed, false, "a closed stream gets nothing");
    switch (response.kind) {
      case "created":
        this.#checkCreated(response.watchId, response.revision);
        break;
      case "refused":
        this.#created = undefined;
        break;
      case "canceled":
        this.#checkCanceled(response.watchId, response.compactRevision);
        break;
      case "events":
        this.#checkEvents(response);
        break;
      case "progress":
        this.#checkProgress(response.watchId, response.revision);
        break;
    }
    this.isFull = this.recorder.room <= 0;
  }

  #checkCreated(watchId: number, revision: number): void {
    const request = this.#created as WatchCreateRequest;
    this.#created = undefined;
    assert.equal(revision, this.#store.currentRevision);
    assert.equal(this.watching.has(watchId), false, "ids are unique in a stream");
    const start = request.startRevision === 0 ? revision + 1 : request.startRevision;
    this.watching.set(watchId, {
      request,
      start,
      position: 0,
      bookmark: start - 1,
      isInFragments: false,
    });
  }

  #checkCanceled(watchId: number, compactRevision: number): void {
    const watching = this.watching.get(watchId);
    assert.ok(watching);
    if (compactRevision > 0) {
      assert.equal(compactRevision, this.#store.compactRevision);
      assert.ok(watching.bookmark + 1 < compactRevision, "what it needs was not compacted");
    }
    this.watching.delete(watchId);
  }

  #checkEvents(response: Extract<Recorded, { kind: "events" }>): void {
    const watching = this.watching.get(response.watchId);
    assert.ok(watching, "events of a watch that is none");
    assert.ok(!this.isFull || watching.isInFragments, "the sink said that it is full");
    assert.ok(response.events.length > 0);
    for (const event of response.events) this.#checkEvent(watching, event);
    watching.isInFragments = response.isFragment;
    if (response.isFragment) assert.equal(watching.request.fragment, true);
    else this.#checkBookmark(watching, response.revision);
    this.#sentRevision = Math.max(this.#sentRevision, response.revision);
  }

  /** Ordered, unique, reliable, resumable: it is the very next one that the watch wants. */
  #checkEvent(watching: Watching, event: RecordedEvent): void {
    const expected = this.#next(watching);
    assert.ok(expected, "an event that never was");
    const { revision, prevValue, ...wanted } = expected;
    const { prevValue: gotPrev, ...got } = event;
    assert.deepEqual(got, wanted);
    if (gotPrev !== undefined) {
      assert.ok(watching.request.prevKv);
      assert.equal(gotPrev, prevValue);
    } else if (watching.request.prevKv && prevValue !== undefined) {
      assert.ok(revision - 1 < this.#store.compactRevision, "prev_kv was there to be read");
    }
    watching.position += 1;
  }

  /** Moves on to the next change that the watch wants. */
  #next(watching: Watching): Past | undefined {
    const { past } = this.#model;
    while (watching.position < past.length) {
      const change = past[watching.position] as Past;
      if (change.revision >= watching.start && wants(watching.request, change)) return change;
      watching.position += 1;
    }
    return undefined;
  }

  /** Atomic and bookmarkable: nothing is left at or below the revision that the header names. */
  #checkBookmark(watching: Watching, revision: number): void {
    assert.ok(revision <= this.#store.currentRevision);
    const next = this.#next(watching);
    assert.ok(next === undefined || next.revision > revision, "an event was left behind");
    watching.bookmark = Math.max(watching.bookmark, revision);
  }

  #checkProgress(watchId: number, revision: number): void {
    assert.equal(this.isFull, false, "the sink said that it is full");
    assert.ok(revision >= this.#sentRevision, "progress goes back");
    this.#sentRevision = revision;
    if (watchId === -1) {
      assert.ok(this.asked > 0 && revision >= this.asked, "progress that nobody asked for");
      this.asked = 0;
      for (const watching of this.watching.values()) this.#checkBookmark(watching, revision);
      return;
    }
    const watching = this.watching.get(watchId);
    assert.ok(watching?.request.progressNotify);
    this.#checkBookmark(watching, revision);
  }

  /** With everything delivered: nothing that any watch wants is missing. */
  checkComplete(): void {
    assert.equal(this.asked, 0, "a progress request was never answered");
    for (const watching of this.watching.values()) {
      assert.equal(this.#next(watching), undefined, "an event was never sent");
      assert.equal(watching.isInFragments, false);
    }
  }
}

class Run {
  readonly prng: Prng;
  readonly store: Store;
  readonly hub: WatchHub;
  readonly model = new Model();
  readonly clients: Client[] = [];
  #nowMs = 0;

  constructor(seed: number, store: Store) {
    this.prng = new Prng(seed);
    this.store = store;
    this.hub = createWatchHub(store, { progressIntervalMs: 50, fragmentBytesMax: 400 });
  }

  play(): void {
    for (let step = 0; step < STEPS; step += 1) this.#act(this.prng.below(100));
    for (let guard = 0; ; guard += 1) {
      assert.ok(guard < 10_000, "it never comes to rest");
      for (const client of this.clients) this.#drain(client, Number.POSITIVE_INFINITY);
      const isMore = this.hub.step(1 + this.prng.below(40));
      if (!isMore && this.clients.every((client) => client.isClosed || !client.isFull)) break;
    }
    for (const client of this.clients) if (!client.isClosed) client.checkComplete();
    assert.equal(this.hub.stats.slowWatchers, 0);
    assert.equal(this.hub.stats.pendingChanges, 0);
  }

  #act(choice: number): void {
    const { prng } = this;
    if (choice < 30) this.#write();
    else if (choice < 60) this.hub.step(1 + prng.below(prng.chance(0.3) ? 1_000 : 8));
    else if (choice < 64) this.#open();
    else if (choice < 65 && this.store.currentRevision > 1) this.#compact();
    else if (choice < 70) this.hub.tick((this.#nowMs += prng.below(40)));
    else if (this.clients.length > 0) this.#actAs(prng.pick(this.clients), prng.below(100));
  }

  #actAs(client: Client, choice: number): void {
    const { prng } = this;
    if (client.isClosed) return;
    if (choice < 35) client.create(this.#request());
    else if (choice < 45) client.stream.cancel(prng.below(12));
    else if (choice < 60) {
      client.asked = this.store.currentRevision;
      client.stream.requestProgress();
    } else if (choice < 75) client.recorder.room = prng.below(3);
    else if (choice < 98) this.#drain(client, 1 + prng.below(20));
    else {
      client.isClosed = true;
      client.stream.close();
    }
  }

  #drain(client: Client, room: number): void {
    if (client.isClosed) return;
    client.recorder.room = room;
    client.isFull = false;
    client.stream.ready();
  }

  #open(): void {
    if (this.clients.length >= 12) return;
    this.clients.push(new Client(this.hub, this.store, this.model, this.prng.below(5)));
  }

  #compact(): void {
    const { currentRevision, compactRevision } = this.store;
    const revision = Math.max(1, currentRevision - this.prng.below(30));
    if (revision > compactRevision) this.store.compact(revision);
    this.store.compactStep(this.prng.below(50));
  }

  #write(): void {
    const { prng, store } = this;
    const tx = store.begin();
    const free = new Set(KEYS);
    const count = prng.chance(0.8) ? 1 : 1 + prng.below(5);
    for (let at = 0; at < count; at += 1) {
      const key = prng.pick(KEYS);
      // As a client's transaction may: no key twice.
      if (!free.delete(key)) continue;
      if (prng.chance(0.25)) tx.deleteRange(key, "");
      else tx.put(key, Buffer.from("v".repeat(prng.below(200)) + prng.below(1_000)), 0n);
    }
    const changes = tx.end();
    if (changes === undefined) return;
    this.model.add(changes);
    this.hub.notify(changes);
  }

  #request(): WatchCreateRequest {
    const { prng } = this;
    const current = this.store.currentRevision;
    const starts = [0, 0, current, current + prng.below(5), prng.below(current + 1), -1];
    return {
      key: prng.pick(KEYS),
      rangeEnd: prng.chance(0.4) ? "" : prng.pick(["\0", "c", "e", "bb"]),
      startRevision: prng.pick(starts),
      progressNotify: prng.chance(0.3),
      filters: prng.chance(0.8) ? [] : [prng.below(2)],
      prevKv: prng.chance(0.4),
      watchId: prng.chance(0.7) ? 0 : prng.below(12),
      fragment: prng.chance(0.3),
    };
  }
}

test("watch: ordered, unique, reliable, atomic, resumable, bookmarkable on a model store (WA-01, WA-05, WA-09, WA-10, WA-13)", () => {
  for (let run = 0; run < RUNS; run += 1) {
    const seed = 4_000 + run;
    try {
      new Run(seed, new ModelStore() as unknown as Store).play();
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});

test("watch: the same on the real store, whose compactions scrub (WA-06, WA-10, WA-11)", async () => {
  for (let run = 0; run < RUNS; run += 1) {
    const seed = 9_000 + run;
    const store = await openStore(new MemoryBackend(), { yieldToLoop: () => Promise.resolve() });
    try {
      new Run(seed, store).play();
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});
