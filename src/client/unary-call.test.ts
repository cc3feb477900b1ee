import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, errors } from "../errors/index.ts";
import { GRPC_LIMITS_DEFAULT } from "../grpc/index.ts";
import { ClientError } from "./error.ts";
import { type Fate, headerAnswer, rangeAnswer, World } from "./fixture.test.ts";

const CHANGED: Fate = errors.LeaderChanged;

function failure(promise: Promise<unknown>): Promise<ClientError> {
  return promise.then(
    () => assert.fail("it succeeded"),
    (error: unknown) => {
      assert.ok(error instanceof ClientError, String(error));
      return error;
    },
  );
}

test("retry: a read refused with UNAVAILABLE is asked of others at once (FR-34)", async () => {
  const world = new World(3);
  await world.connectAll();
  let refusals = 2;
  for (const server of world.servers) {
    server.fate = () => {
      refusals -= 1;
      return refusals >= 0 ? CHANGED : rangeAnswer("at last");
    };
  }
  const beganMs = world.time.monotonicMs();
  const { kvs } = await world.end(world.client.kv.get("k"));
  assert.equal(kvs[0]?.value.toString(), "at last");
  assert.equal(world.time.monotonicMs(), beganMs);
  assert.deepEqual(
    world.servers.map(({ asked }) => asked.length),
    [1, 1, 1],
  );
  world.client.close();
});

test("retry: a read goes on through rounds of refusals, within its deadline (FR-34)", async () => {
  const world = new World(2, { timeoutMs: 4_000 });
  for (const server of world.servers) server.fate = () => CHANGED;
  const error = await world.end(failure(world.client.kv.get("k")));
  assert.equal(error.code, Code.DEADLINE_EXCEEDED);
  assert.equal(error.message, "context deadline exceeded");
  assert.equal(error.detail, "etcdserver: leader changed");
  const [one, two] = world.servers.map(({ asked }) => asked.length) as [number, number];
  assert.ok(one + two > 6 && one + two < 40 && Math.abs(one - two) <= 1, `${one} and ${two}`);
  world.client.close();
});

for (const refusal of [errors.LeaderChanged, errors.Timeout, errors.NoLeader]) {
  test(`retry: a write refused with "${refusal.message}" is not repeated (FR-34)`, async () => {
    const world = new World(3);
    for (const server of world.servers) server.fate = () => refusal;
    const error = await world.end(failure(world.client.kv.put("k", "v")));
    assert.equal(error.message, refusal.message);
    assert.equal(error.code, Code.UNAVAILABLE);
    assert.equal(world.asked.length, 1);
    world.client.close();
  });
}

test("retry: a write whose connection breaks under way is not repeated (FR-34)", async () => {
  const world = new World(2);
  for (const server of world.servers) server.fate = () => "silence";
  const ended = failure(world.client.kv.put("k", "v"));
  await world.untilTrue(() => world.asked.length === 1);
  for (const server of world.servers) if (server.asked.length === 1) server.kill();
  const error = await world.end(ended);
  assert.equal(error.code, Code.UNAVAILABLE);
  assert.equal(error.isUnprocessed, false);
  await world.pass(2_000);
  assert.equal(world.asked.length, 1);
  world.client.close();
});

test("retry: a write that a server refused unread is sent elsewhere (FR-34)", async () => {
  const world = new World(2);
  const http2 = { ...GRPC_LIMITS_DEFAULT.http2, queuedBytesRefuse: -1 };
  for (const server of world.servers) server.fate = () => headerAnswer();
  world.server(0).restart({ limits: { http2 } });
  for (let count = 0; count < 4; count += 1) await world.end(world.client.kv.put("k", "v"));
  assert.equal(world.server(0).asked.length, 0);
  assert.equal(world.server(1).asked.length, 4);
  world.client.close();
});

test("retry: texts of balancers that went nowhere let a write be repeated (FR-34)", async () => {
  const world = new World(1);
  const fates: Fate[] = [
    { code: Code.UNAVAILABLE, message: "there is no connection available" },
    { code: Code.UNAVAILABLE, message: "there is no address available" },
    headerAnswer(),
  ];
  world.server(0).fate = () => fates.shift() ?? "silence";
  await world.end(world.client.kv.put("k", "v"));
  assert.deepEqual(world.asked, ["Put", "Put", "Put"]);
  world.client.close();
});

test("retry: what a learner does not serve is asked of another member (FR-25, FR-34)", async () => {
  const world = new World(2);
  world.server(0).fate = () => errors.NotSupportedForLearner;
  world.server(1).fate = () => headerAnswer();
  for (let count = 0; count < 4; count += 1) await world.end(world.client.kv.put("k", "v"));
  assert.equal(world.server(1).asked.length, 4);
  assert.ok(world.server(0).asked.length <= 1);
  world.client.close();
});

test("retry: a write that says it is repeatable is retried like a read", async () => {
  const world = new World(1);
  const fates: Fate[] = [CHANGED, headerAnswer()];
  world.server(0).fate = () => fates.shift() ?? "silence";
  await world.end(world.client.kv.put("k", "v", { isRepeatable: true }));
  assert.deepEqual(world.asked, ["Put", "Put"]);
  world.client.close();
});

test("retry: other refusals end reads and writes at once", async () => {
  const world = new World(2);
  for (const server of world.servers) server.fate = () => errors.Compacted;
  const error = await world.end(failure(world.client.kv.get("k", { revision: 1 })));
  assert.equal(error.id, "Compacted");
  assert.equal(world.asked.length, 1);
  world.client.close();
});

test("deadline: a server that does not answer → DEADLINE_EXCEEDED in time (FR-33)", async () => {
  const world = new World(1);
  world.server(0).fate = () => "silence";
  await world.connectAll();
  const beganMs = world.time.monotonicMs();
  const error = await world.end(failure(world.client.kv.get("k", { timeoutMs: 1_000 })));
  assert.equal(error.code, Code.DEADLINE_EXCEEDED);
  const tookMs = world.time.monotonicMs() - beganMs;
  assert.ok(tookMs >= 1_000 && tookMs <= 1_200, `${tookMs} ms`);
  world.client.close();
});

test("deadline: nobody to connect to → DEADLINE_EXCEEDED that says why", async () => {
  const world = new World(2);
  for (const server of world.servers) server.isDown = true;
  const error = await world.end(failure(world.client.kv.put("k", "v", { timeoutMs: 1_000 })));
  assert.equal(error.code, Code.DEADLINE_EXCEEDED);
  assert.match(error.detail ?? "", /ECONNREFUSED; .*ECONNREFUSED/);
  world.client.close();
});

test("deadline: with failFast nobody to connect to → UNAVAILABLE at once", async () => {
  const world = new World(2);
  for (const server of world.servers) server.isDown = true;
  const beganMs = world.time.monotonicMs();
  const error = await world.end(failure(world.client.kv.put("k", "v", { failFast: true })));
  assert.equal(error.code, Code.UNAVAILABLE);
  assert.equal(error.isUnprocessed, true);
  assert.equal(world.time.monotonicMs(), beganMs);
  world.client.close();
});

test("abort: before, while waiting and under way → context canceled, server told", async () => {
  const world = new World(1);
  const control = new AbortController();
  world.server(0).isDown = true;
  const waiting = failure(world.client.kv.get("k", { signal: control.signal }));
  await world.settle();
  control.abort();
  assert.equal((await world.end(waiting)).message, "context canceled");
  const before = await failure(world.client.kv.get("k", { signal: control.signal }));
  assert.equal(before.code, Code.CANCELLED);
  world.server(0).isDown = false;
  world.server(0).fate = () => "silence";
  const second = new AbortController();
  const underWay = failure(world.client.kv.get("k", { signal: second.signal }));
  await world.untilTrue(() => world.asked.length === 1);
  second.abort();
  assert.equal((await world.end(underWay)).message, "context canceled");
  await world.settle();
  assert.equal(world.server(0).cancelled, 1);
  world.client.close();
});

test("limits: a request above sendBytesMax is not sent", async () => {
  const world = new World(1, { sendBytesMax: 100 });
  const error = await failure(world.client.kv.put("k", Buffer.alloc(200)));
  assert.equal(error.code, Code.RESOURCE_EXHAUSTED);
  assert.match(error.message, /^trying to send message larger than max \(\d+ vs. 100\)$/);
  assert.equal(world.server(0).opened, 0);
  world.client.close();
});

test("limits: an answer above receiveBytesMax is refused before it is kept (FR-01)", async () => {
  const world = new World(1, { receiveBytesMax: 100 });
  world.server(0).fate = () => rangeAnswer("x".repeat(200));
  const error = await world.end(failure(world.client.kv.get("k")));
  assert.equal(error.code, Code.RESOURCE_EXHAUSTED);
  assert.match(error.message, /larger than max/);
  world.client.close();
});

test("answer: bytes that are no message → INTERNAL, nothing breaks", async () => {
  const world = new World(1);
  world.server(0).fate = () => Buffer.from([0xff, 0xff, 0xff]);
  const error = await world.end(failure(world.client.kv.get("k")));
  assert.equal(error.code, Code.INTERNAL);
  world.server(0).fate = () => rangeAnswer("v");
  await world.end(world.client.kv.get("k"));
  world.client.close();
});

test("close: a call that rests between attempts is told at once", async () => {
  const world = new World(1);
  world.server(0).fate = () => CHANGED;
  const resting = failure(world.client.kv.get("k"));
  await world.untilTrue(() => world.asked.length === 5);
  await world.settle();
  world.client.close();
  assert.equal((await resting).message, "grpc: the client connection is closing");
});

test("close: what waits and what is under way is told, nothing is left", async () => {
  const world = new World(2);
  world.server(0).fate = () => "silence";
  world.server(1).isDown = true;
  const underWay = failure(world.client.kv.get("k"));
  const pinned = failure(world.client.at("http://s1:1").status());
  await world.untilTrue(() => world.asked.length === 1);
  world.client.close();
  assert.equal((await world.end(pinned)).message, "grpc: the client connection is closing");
  assert.ok((await world.end(underWay)) instanceof ClientError);
  await world.settle();
  assert.equal(world.server(0).connections, 0);
  assert.equal((await failure(world.client.kv.get("k"))).code, Code.CANCELLED);
});
