import assert from "node:assert/strict";
import { test } from "node:test";
import { errors } from "../errors/index.ts";
import { ClientError } from "./error.ts";
import { type WatchEnd, World } from "./fixture.test.ts";
import { CompactedError, type Watch, type WatchBatch } from "./watch.ts";

/** Reads on and on; what came, and how it ended. */
function read(watch: Watch): { batches: WatchBatch[]; end: Promise<unknown> } {
  const batches: WatchBatch[] = [];
  const end = (async () => {
    for await (const batch of watch) batches.push(batch);
  })().catch((error: unknown) => error);
  return { batches, end };
}

function revisions(batches: readonly WatchBatch[]): number[] {
  return batches.flatMap(({ events }) => events.map(({ kv }) => kv.modRevision));
}

/** The newest stream that any server has, once it has this many watches. */
async function streamOf(world: World, streams: number, creates = 1): Promise<WatchEnd> {
  const all = (): WatchEnd[] => world.servers.flatMap(({ watches }) => watches);
  await world.untilTrue(() => all().length === streams);
  const stream = world.servers
    .flatMap(({ watches }) => watches)
    .find(({ call }) => !call.cancelled && call.deadlineMs > 0) as WatchEnd;
  await world.untilTrue(() => stream.creates.length >= creates);
  return stream;
}

test("watch: goes on at the next revision on another endpoint, repeats are dropped", async () => {
  const world = new World(2);
  const { batches } = read(world.client.watch("k"));
  const first = await streamOf(world, 1);
  assert.equal(first.creates[0]?.startRevision, 0);
  first.created(1, 20);
  first.events(1, [21, 22]);
  await world.untilTrue(() => batches.length === 1);
  const used = world.servers.find(({ watches }) => watches.length > 0);
  used?.kill();
  const second = await streamOf(world, 2);
  assert.equal(second.creates[0]?.startRevision, 23);
  const { watchId } = second.creates[0] ?? { watchId: 0 };
  second.created(watchId, 30);
  second.events(watchId, [21, 22, 23, 24]);
  await world.untilTrue(() => batches.length === 2);
  assert.deepEqual(revisions(batches), [21, 22, 23, 24]);
  world.client.close();
});

test("watch: lost before any event → goes on after the revision it was created at", async () => {
  const world = new World(1);
  const watch = world.client.watch("k");
  read(watch);
  const first = await streamOf(world, 1);
  first.created(1, 20);
  assert.equal((await world.end(watch.created)).revision, 20);
  world.server(0).kill();
  world.server(0).isDown = false;
  const second = await streamOf(world, 2);
  assert.equal(second.creates[0]?.startRevision, 21);
  world.client.close();
});

test("watch: progress moves the revision to go on from, told only when asked for", async () => {
  const world = new World(1);
  const quiet = world.client.watch("k");
  const told = world.client.watch("k", { progressNotify: true });
  const [one, two] = [read(quiet), read(told)];
  const stream = await streamOf(world, 1, 2);
  assert.deepEqual(
    stream.creates.map(({ progressNotify }) => progressNotify),
    [true, true],
  );
  stream.created(1, 20);
  stream.created(2, 20);
  await world.settle();
  world.client.requestProgress();
  await world.untilTrue(() => stream.progressRequests === 1);
  stream.send({ watchId: -1, header: { clusterId: 1n, memberId: 1n, revision: 90, raftTerm: 1 } });
  await world.untilTrue(() => two.batches.length === 1);
  assert.deepEqual([two.batches[0]?.kind, two.batches[0]?.header.revision], ["progress", 90]);
  assert.deepEqual([one.batches.length, quiet.nextRevision, told.nextRevision], [0, 91, 91]);
  stream.send({ watchId: 1, header: { clusterId: 1n, memberId: 1n, revision: 95, raftTerm: 1 } });
  await world.settle();
  assert.deepEqual([quiet.nextRevision, told.nextRevision], [96, 91]);
  world.client.close();
});

test("watch: fragments are put together; lost in the middle, all of them come anew", async () => {
  const world = new World(1);
  const { batches } = read(world.client.watch("k", { startRevision: 5 }));
  const first = await streamOf(world, 1);
  first.created(1);
  first.events(1, [5, 6], { fragment: true });
  first.events(1, [6], { fragment: true });
  first.events(1, [6, 7], { fragment: false });
  await world.untilTrue(() => batches.length === 1);
  assert.deepEqual(revisions(batches), [5, 6, 6, 6, 7]);
  first.events(1, [8, 9], { fragment: true });
  await world.settle();
  world.server(0).kill();
  world.server(0).isDown = false;
  const second = await streamOf(world, 2);
  assert.equal(second.creates[0]?.startRevision, 8);
  second.created(2);
  second.events(2, [8, 9]);
  await world.untilTrue(() => batches.length === 2);
  assert.deepEqual(revisions(batches), [5, 6, 6, 6, 7, 8, 9]);
  world.client.close();
});

test("watch: endless fragments do not pile up: whole revisions are handed out", async () => {
  const world = new World(1);
  const { batches } = read(world.client.watch("k", { startRevision: 1 }));
  const stream = await streamOf(world, 1);
  stream.created(1);
  for (let revision = 1; revision <= 200; revision += 1) {
    stream.events(1, [revision], { fragment: true });
    await world.settle();
  }
  const seen = revisions(batches);
  assert.ok(seen.length > 100 && seen.length < 200, `${seen.length}`);
  assert.deepEqual(
    seen,
    Array.from({ length: seen.length }, (_, index) => index + 1),
  );
  world.client.close();
});

test("watch: a reader that does not read leaves the stream and comes back, no gap", async () => {
  const world = new World(1);
  const slow = world.client.watch("k", { startRevision: 1 });
  const quick = read(world.client.watch("k", { startRevision: 1 }));
  const stream = await streamOf(world, 1, 2);
  stream.created(1);
  stream.created(2);
  for (let revision = 1; revision <= 300; revision += 1) {
    if (stream.cancels.length === 0) stream.events(1, [revision]);
    stream.events(2, [revision]);
    await world.settle();
  }
  assert.deepEqual(stream.cancels, [1]);
  assert.equal(quick.batches.length, 300);
  const taken: number[] = [];
  while (taken.length < 256) {
    const { value } = await slow.next();
    if (value !== undefined) taken.push(...revisions([value]));
  }
  await world.untilTrue(() => stream.creates.length === 3);
  const { watchId, startRevision } = stream.creates[2] ?? { watchId: 0, startRevision: 0 };
  assert.equal(startRevision, 257);
  stream.created(watchId);
  stream.events(watchId, [257]);
  const { value } = await world.end(slow.next());
  assert.equal(value?.events[0]?.kv.modRevision, 257);
  assert.deepEqual(
    taken,
    Array.from({ length: 256 }, (_, index) => index + 1),
  );
  world.client.close();
});

test("watch: the start was compacted → CompactedError says up to where (WA-06)", async () => {
  const world = new World(1);
  const { end } = read(world.client.watch("k", { startRevision: 3 }));
  const stream = await streamOf(world, 1);
  stream.created(1);
  stream.send({ watchId: 1, canceled: true, compactRevision: 9 });
  const error = await world.end(end);
  assert.ok(error instanceof CompactedError);
  assert.equal(error.compactRevision, 9);
  assert.equal(error.message, errors.Compacted.message);
  world.client.close();
});

test("watch: a refusal in the cancel reason is that error (WA-03, WA-07)", async () => {
  const world = new World(1);
  const [one, two, three] = ["a", "b", "c"].map((key) => read(world.client.watch(key)));
  const stream = await streamOf(world, 1, 3);
  const refuse = (cancelReason: string): void => {
    stream.send({ watchId: -1, created: true, canceled: true, cancelReason });
  };
  refuse("mvcc: watcher range is empty");
  refuse("rpc error: code = PermissionDenied desc = etcdserver: permission denied");
  stream.created(3);
  const ends = await world.end(Promise.all([one?.end, two?.end]));
  assert.deepEqual(
    ends.map((error) => error instanceof ClientError && [error.code, error.message]),
    [
      [2, "mvcc: watcher range is empty"],
      [7, "etcdserver: permission denied"],
    ],
  );
  stream.events(3, [11]);
  await world.untilTrue(() => three?.batches.length === 1);
  world.client.close();
});

test("watch: cancelled without a reason it is begun again", async () => {
  const world = new World(1);
  const { batches } = read(world.client.watch("k"));
  const stream = await streamOf(world, 1);
  stream.created(1, 20);
  stream.send({ watchId: 1, canceled: true });
  await world.untilTrue(() => stream.creates.length === 2);
  assert.equal(stream.creates[1]?.startRevision, 21);
  stream.created(2);
  stream.events(2, [21]);
  await world.untilTrue(() => batches.length === 1);
  world.client.close();
});

test("watch: a stream refused for good ends all its watches", async () => {
  const world = new World(1);
  const { end } = read(world.client.watch("k"));
  const stream = await streamOf(world, 1);
  stream.call.fail(errors.PermissionDenied.code, errors.PermissionDenied.message);
  assert.match(String(await world.end(end)), /permission denied/);
  world.client.close();
});

test("watch: leaving the loop cancels it, the last one ends the stream", async () => {
  const world = new World(1);
  const one = world.client.watch("k");
  const two = world.client.watch("k");
  const stream = await streamOf(world, 1, 2);
  stream.created(1);
  stream.created(2);
  stream.events(1, [11]);
  await world.end(
    (async () => {
      for await (const { events } of one) if (events.length > 0) break;
    })(),
  );
  await world.settle();
  assert.deepEqual(stream.cancels, [1]);
  const pending = two.next();
  two.cancel();
  assert.deepEqual(await pending, { value: undefined, done: true });
  await world.settle();
  assert.equal(stream.call.cancelled, true);
  world.client.close();
});

test("watch: ended before the server took it on → cancelled there when it does", async () => {
  const world = new World(1);
  const early = world.client.watch("k");
  const { batches } = read(world.client.watch("k"));
  const stream = await streamOf(world, 1, 2);
  early.cancel();
  stream.created(1);
  stream.events(1, [11]);
  stream.created(2);
  stream.events(2, [11]);
  await world.untilTrue(() => batches.length === 1);
  await world.settle();
  assert.deepEqual(stream.cancels, [1]);
  world.client.close();
});

test("watch: one whose reader is behind is not begun again on a new stream", async () => {
  const world = new World(1);
  const slow = world.client.watch("k", { startRevision: 1 });
  read(world.client.watch("other"));
  const first = await streamOf(world, 1, 2);
  first.created(1);
  first.created(2);
  for (let revision = 1; revision <= 256; revision += 1) {
    first.events(1, [revision]);
    await world.settle();
  }
  assert.deepEqual(first.cancels, [1]);
  world.server(0).kill();
  world.server(0).isDown = false;
  const second = await streamOf(world, 2);
  await world.settle();
  assert.equal(second.creates.length, 1);
  for (let taken = 0; taken < 256; taken += 1) await slow.next();
  await world.untilTrue(() => second.creates.length === 2);
  assert.equal(second.creates[1]?.startRevision, 257);
  world.client.close();
});

test("watch: its signal and the client's end are told to who reads", async () => {
  const world = new World(1);
  const control = new AbortController();
  const aborted = read(world.client.watch("k", { signal: control.signal }));
  const closed = read(world.client.watch("k"));
  const early = read(world.client.watch("k", { signal: AbortSignal.abort() }));
  await streamOf(world, 1, 2);
  control.abort();
  assert.match(String(await world.end(aborted.end)), /context canceled/);
  assert.match(String(await world.end(early.end)), /context canceled/);
  world.client.close();
  assert.match(String(await world.end(closed.end)), /closing/);
  assert.match(String(await world.end(read(world.client.watch("k")).end)), /closing/);
});

test("watch: wants a leader unless told not to (FR-21)", async () => {
  const world = new World(1);
  read(world.client.watch("k"));
  read(world.client.watch("k", { requireLeader: false }));
  await world.untilTrue(() => world.server(0).watches.length === 2);
  assert.deepEqual(new Set(world.server(0).metadata), new Set(["true", undefined]));
  world.client.close();
});

test("watch: events that cannot be read end the stream, and it is begun again", async () => {
  const world = new World(1);
  const { batches } = read(world.client.watch("k", { startRevision: 1 }));
  const first = await streamOf(world, 1);
  first.created(1);
  const broken = { type: "put" as const, kv: Buffer.from([0xff, 0xff]), prevKv: undefined };
  first.send({ watchId: 1, events: [broken] });
  await world.untilTrue(() => world.server(0).watches.length === 2);
  const second = world.server(0).watches[1];
  await world.untilTrue(() => second?.creates.length === 1);
  second?.created(2);
  second?.events(2, [1]);
  await world.untilTrue(() => batches.length === 1);
  world.client.close();
});
