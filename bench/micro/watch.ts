/**
 * What one event costs to hand to one more watcher, without the socket: the hub's part of the
 * fan-out, and with the prefix that an edge writes in front of the shared bytes.
 *
 * Run: node bench/micro/watch.ts
 */
import { ByteWriter } from "../../src/base/index.ts";
import { MemoryBackend } from "../../src/backend/index.ts";
import { openStore } from "../../src/mvcc/index.ts";
import { ModelStore } from "../../src/testing/index.ts";
import { createWatchHub, type WatchSink } from "../../src/watch/index.ts";
import {
  encodeHeaderField,
  encodeWatchResponseHead,
  marshal,
  type WatchCreateRequest,
} from "../../src/wire/index.ts";

const STREAMS = 100;
const EVENTS = 300;
const OPTIONS = { progressIntervalMs: 600_000, fragmentBytesMax: 2_097_152 };

class CountingSink implements WatchSink {
  events_ = 0;
  bytes = 0;

  created(): boolean {
    return true;
  }

  refused(): boolean {
    return true;
  }

  canceled(): boolean {
    return true;
  }

  events(_watchId: number, _revision: number, encoded: Buffer): boolean {
    this.events_ += 1;
    this.bytes += encoded.length;
    return true;
  }

  progress(): boolean {
    return true;
  }
}

/** Writes what an edge writes: the head of the response, and the shared bytes behind it. */
class EncodingSink extends CountingSink {
  readonly #writer = new ByteWriter(64 * 1024);
  #revision = -1;
  #headerField = Buffer.alloc(0) as Buffer;

  override events(watchId: number, revision: number, encoded: Buffer): boolean {
    if (revision !== this.#revision) {
      this.#revision = revision;
      const header = { clusterId: 7n, memberId: 9n, revision, raftTerm: 2 };
      this.#headerField = marshal(encodeHeaderField, header);
    }
    if (this.#writer.length > 60_000) this.#writer.reset();
    encodeWatchResponseHead(this.#writer, this.#headerField, watchId, false);
    this.#writer.raw(encoded);
    return super.events(watchId, revision, encoded);
  }
}

interface Case {
  readonly name: string;
  readonly watchers: number;
  readonly sink: () => CountingSink;
  readonly keyOf: (watcher: number) => { key: string; rangeEnd: string };
}

const CASES: readonly Case[] = [
  {
    name: "10 000 watchers of one key",
    watchers: 10_000,
    sink: () => new CountingSink(),
    keyOf: () => ({ key: "key", rangeEnd: "" }),
  },
  {
    name: "10 000 watchers of one prefix, with the edge's prefix and copy",
    watchers: 10_000,
    sink: () => new EncodingSink(),
    keyOf: () => ({ key: "k", rangeEnd: "l" }),
  },
  {
    name: "10 000 watchers, each of a range of its own around the key",
    watchers: 10_000,
    sink: () => new CountingSink(),
    keyOf: (watcher) => ({ key: `a${watcher}`, rangeEnd: `z${watcher}` }),
  },
  {
    name: "100 000 watchers of keys that do not change, 100 of one that does",
    watchers: 100_100,
    sink: () => new CountingSink(),
    keyOf: (watcher) => ({ key: watcher < 100_000 ? `idle${watcher}` : "key", rangeEnd: "" }),
  },
];

function watchOf(key: string, rangeEnd: string, startRevision: number): WatchCreateRequest {
  return {
    key,
    rangeEnd,
    startRevision,
    progressNotify: false,
    filters: [],
    prevKv: false,
    watchId: 0,
    fragment: false,
  };
}

function run(bench: Case): void {
  const store = new ModelStore();
  const hub = createWatchHub(store, OPTIONS);
  const sinks: CountingSink[] = [];
  const streams = Array.from({ length: STREAMS }, () => {
    const sink = bench.sink();
    sinks.push(sink);
    return hub.openStream(sink, 0);
  });
  const createdFrom = performance.now();
  for (let watcher = 0; watcher < bench.watchers; watcher += 1) {
    const { key, rangeEnd } = bench.keyOf(watcher);
    streams[watcher % STREAMS]?.create(watchOf(key, rangeEnd, 0));
  }
  const createMs = performance.now() - createdFrom;
  const value = "v".repeat(256);
  let spentMs = 0;
  for (let event = 0; event < EVENTS; event += 1) {
    const changes = store.put("key", value);
    const from = performance.now();
    hub.notify(changes);
    while (hub.step(1_000_000));
    spentMs += performance.now() - from;
  }
  const sent = sinks.reduce((sum, sink) => sum + sink.events_, 0);
  const perEvent = ((spentMs * 1_000) / sent).toFixed(3);
  const perCreate = ((createMs * 1_000) / bench.watchers).toFixed(2);
  console.log(`${bench.name}: ${perEvent} us per event and watcher, create ${perCreate} us`);
}

/** Clients that come back after an outage: each starts from the same old revision. */
async function catchUp(watchers: number, revisions: number): Promise<void> {
  const yieldToLoop = () => Promise.resolve();
  const store = await openStore(new MemoryBackend(), { yieldToLoop });
  const value = Buffer.alloc(256, 120);
  for (let at = 0; at < revisions; at += 1) {
    const tx = store.begin();
    tx.put(`key${at % 100}`, value, 0n);
    tx.end();
  }
  const hub = createWatchHub(store, OPTIONS);
  const sink = new CountingSink();
  for (let at = 0; at < watchers; at += 1) {
    hub.openStream(sink, 0).create(watchOf("k", "l", 2));
  }
  let steps = 0;
  let longestMs = 0;
  const from = performance.now();
  for (let isMore = true; isMore; steps += 1) {
    const stepFrom = performance.now();
    isMore = hub.step(2_000);
    longestMs = Math.max(longestMs, performance.now() - stepFrom);
  }
  const spentMs = performance.now() - from;
  const perEvent = ((spentMs * 1_000) / (watchers * revisions)).toFixed(4);
  console.log(
    `${watchers} watchers catch up on ${revisions} revisions: ${perEvent} us per event and ` +
      `watcher, ${spentMs.toFixed(0)} ms in ${steps} steps, the longest ${longestMs.toFixed(1)} ms`,
  );
}

for (const bench of CASES) {
  run(bench);
  run(bench);
}
await catchUp(1_000, 10_000);
await catchUp(1_000, 10_000);
