import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "../../src/errors/index.ts";
import {
  decodeKeyValue,
  decodeWatchResponse,
  encodeCompactionRequest,
  encodeWatchRequest,
  marshal,
  type WatchCreateRequest,
  type WatchRequest,
  type WatchResponse,
} from "../../src/wire/index.ts";
import { Service, type StreamRecord } from "./harness.ts";

const PATH = "/etcdserverpb.Watch/Watch";
const EMPTY: WatchCreateRequest = {
  key: "",
  rangeEnd: "",
  startRevision: 0,
  progressNotify: false,
  filters: [],
  prevKv: false,
  watchId: 0,
  fragment: false,
};

const ask = (stream: StreamRecord, request: WatchRequest) =>
  stream.send(marshal(encodeWatchRequest, request));
const create = (stream: StreamRecord, request: Partial<WatchCreateRequest>) =>
  ask(stream, { kind: "create", create: { ...EMPTY, ...request } });
const next = async (stream: StreamRecord): Promise<WatchResponse> =>
  decodeWatchResponse(await stream.next());

/** Events as "+key@revision" and "-key@revision". */
const eventsOf = (response: WatchResponse) =>
  response.events.map(({ type, kv }) => {
    const { key, modRevision } = decodeKeyValue(kv);
    return `${type === "put" ? "+" : "-"}${key}@${modRevision}`;
  });

test("watch service: created first, then each change as it happens (WA-01, WA-05, WA-10)", async () => {
  const service = await Service.open();
  const stream = service.stream(PATH);
  create(stream, { key: "k", rangeEnd: "l" });
  const created = await next(stream);
  assert.deepEqual(
    [created.created, created.canceled, created.watchId, created.header.revision],
    [true, false, 0, 1],
  );
  assert.equal(created.header.memberId, service.member.id);
  await service.put({ key: "k1" });
  await service.put({ key: "other" });
  await service.deleteRange({ key: "k1" });
  assert.deepEqual(eventsOf(await next(stream)), ["+k1@2"]);
  const deleted = await next(stream);
  assert.deepEqual(eventsOf(deleted), ["-k1@4"]);
  assert.equal(deleted.header.revision, 4);
});

test("watch service: history from a start revision, then live, with no gap (WA-05)", async () => {
  const service = await Service.open();
  for (let at = 0; at < 50; at += 1) await service.put({ key: `k${at}` });
  const stream = service.stream(PATH);
  create(stream, { key: "k", rangeEnd: "l", startRevision: 2 });
  await service.put({ key: "klast" });
  const seen: string[] = [];
  assert.equal((await next(stream)).created, true);
  while (seen.length < 51) seen.push(...eventsOf(await next(stream)));
  assert.equal(seen.length, 51);
  assert.equal(seen[0], "+k0@2");
  assert.equal(seen.at(-1), "+klast@52");
});

test("watch service: ids, cancels and refusals (WA-03, WA-04, WA-08)", async () => {
  const service = await Service.open();
  const stream = service.stream(PATH);
  create(stream, { key: "a" });
  create(stream, { key: "a", watchId: 7 });
  create(stream, { key: "a", watchId: 7 });
  create(stream, { key: "b", rangeEnd: "a" });
  ask(stream, { kind: "cancel", watchId: 99 });
  ask(stream, { kind: "cancel", watchId: 7 });
  const answers = [];
  for (let count = 0; count < 5; count += 1) {
    const { created, canceled, watchId, cancelReason } = await next(stream);
    answers.push([created, canceled, watchId, cancelReason]);
  }
  assert.deepEqual(answers, [
    [true, false, 0, ""],
    [true, false, 7, ""],
    [true, true, -1, "mvcc: duplicate watch ID provided on the WatchStream"],
    [true, true, -1, "mvcc: watcher range is empty"],
    [false, true, 7, ""],
  ]);
});

test("watch service: a compacted start is created, then canceled with the revision (WA-06)", async () => {
  const service = await Service.open();
  for (let at = 0; at < 5; at += 1) await service.put({ key: `k${at}` });
  const compaction = marshal(encodeCompactionRequest, { revision: 4, physical: false });
  await service.ok("/etcdserverpb.KV/Compact", compaction);
  const stream = service.stream(PATH);
  create(stream, { key: "k0", startRevision: 2 });
  assert.equal((await next(stream)).created, true);
  const { canceled, compactRevision, cancelReason } = await next(stream);
  assert.deepEqual([canceled, compactRevision, cancelReason], [true, 4, ""]);
});

test("watch service: prev_kv and filters (WA-09, WA-11)", async () => {
  const service = await Service.open();
  await service.put({ key: "k", value: Buffer.from("old") });
  const stream = service.stream(PATH);
  create(stream, { key: "k", prevKv: true, filters: [0] });
  await next(stream);
  await service.put({ key: "k", value: Buffer.from("new") });
  await service.deleteRange({ key: "k" });
  const { events } = await next(stream);
  assert.equal(events.length, 1);
  const previous = events[0]?.prevKv;
  assert.ok(previous !== undefined);
  assert.equal(decodeKeyValue(previous).value.toString(), "new");
  const { key, value, version } = decodeKeyValue(events[0]?.kv as Buffer);
  assert.deepEqual([key, value.length, version], ["k", 0, 0]);
});

test("watch service: progress asked for is answered with id -1 (WA-13, DV-07)", async () => {
  const service = await Service.open();
  const stream = service.stream(PATH);
  create(stream, { key: "k" });
  await next(stream);
  await service.put({ key: "x" });
  ask(stream, { kind: "progress" });
  const { watchId, header, events } = await next(stream);
  assert.deepEqual([watchId, header.revision, events.length], [-1, 2, 0]);
});

test("watch service: progress notifications come when nothing else does (WA-12)", async () => {
  const service = await Service.open();
  const stream = service.stream(PATH);
  create(stream, { key: "k", progressNotify: true });
  await next(stream);
  await service.put({ key: "other" });
  for (let minute = 0; minute < 12 && stream.messages.length < 2; minute += 1) {
    service.time.advance(60_000);
    for (let round = 0; round < 5; round += 1) await service.round();
  }
  const { watchId, header, events } = await next(stream);
  assert.deepEqual([watchId, header.revision, events.length], [0, 2, 0]);
});

test("watch service: a message that is none of the three is passed over (WA-18)", async () => {
  const service = await Service.open();
  const stream = service.stream(PATH);
  stream.send(Buffer.alloc(0));
  create(stream, { key: "k" });
  assert.equal((await next(stream)).created, true);
});

test("watch service: a stop of the member ends the stream with Canceled (WA-15)", async () => {
  const service = await Service.open();
  const stream = service.stream(PATH);
  create(stream, { key: "k" });
  await next(stream);
  service.rpc.drain();
  assert.deepEqual(await stream.ended(), {
    code: Code.CANCELLED,
    message: "etcdserver: watch canceled",
  });
});

test("watch service: a reader that stops costs no memory and loses nothing", async () => {
  const service = await Service.open();
  const stream = service.stream(PATH);
  create(stream, { key: "k", rangeEnd: "l" });
  await next(stream);
  stream.call.pauseMessages();
  const value = Buffer.alloc(100_000);
  for (let at = 0; at < 100; at += 1) {
    await service.put({ key: `k${at}`, value });
    await service.round();
  }
  assert.equal(service.member.measures.watch.slowWatchers, 1);
  stream.call.resumeMessages();
  const seen: string[] = [];
  while (seen.length < 100) seen.push(...eventsOf(await next(stream)));
  assert.deepEqual(
    seen,
    Array.from({ length: 100 }, (_, at) => `+k${at}@${at + 2}`),
  );
});
