import assert from "node:assert/strict";
import { test } from "node:test";
import { errors } from "../errors/index.ts";
import { World } from "./fixture.test.ts";
import { STREAMS } from "./methods.ts";

test("stream: a reader that does not read holds the server back, and misses nothing", async () => {
  const world = new World(1);
  const stream = await world.end(world.client.stream(STREAMS.watch));
  const [server] = world.server(0).watches;
  assert.ok(server !== undefined);
  for (let id = 1; id <= 200; id += 1) {
    server.events(id, [id], { fragment: false });
    await world.settle();
  }
  assert.ok(server.call.queuedBytes > 8 * 1024 * 1024, `${server.call.queuedBytes}`);
  const ids: number[] = [];
  while (ids.length < 200) {
    const { value } = await world.end(stream.next());
    ids.push(value?.watchId ?? 0);
  }
  assert.deepEqual(
    ids,
    Array.from({ length: 200 }, (_, index) => index + 1),
  );
  world.client.close();
});

test("stream: sends both ways, half-closes, ends plainly or with the server's refusal", async () => {
  const world = new World(1);
  const stream = await world.end(world.client.stream(STREAMS.watch));
  await stream.send({ kind: "progress" });
  const [server] = world.server(0).watches;
  await world.untilTrue(() => server?.progressRequests === 1);
  let isHalfClosed = false;
  if (server !== undefined) {
    server.call.onHalfClose = () => {
      isHalfClosed = true;
      server.call.end();
    };
  }
  stream.halfClose();
  assert.equal((await world.end(stream.next())).done, true);
  assert.equal(isHalfClosed, true);
  await assert.rejects(stream.send({ kind: "progress" }), /over/);

  const second = await world.end(world.client.stream(STREAMS.watch));
  const { code, message } = errors.NoLeader;
  world.server(0).watches[1]?.call.fail(code, message);
  await assert.rejects(world.end(second.next()), /etcdserver: no leader/);
  await assert.rejects(second.next(), /etcdserver: no leader/);
  world.client.close();
});

test("stream: aborted while waiting for a connection, and when open", async () => {
  const world = new World(1);
  const control = new AbortController();
  world.server(0).isDown = true;
  const waiting = world.client.stream(STREAMS.watch, { signal: control.signal });
  await world.settle();
  control.abort();
  await assert.rejects(waiting, /context canceled/);
  const late = world.client.stream(STREAMS.watch, { timeoutMs: 300 });
  await assert.rejects(world.end(late), /context deadline exceeded/);
  world.server(0).isDown = false;
  const second = new AbortController();
  const stream = await world.end(world.client.stream(STREAMS.watch, { signal: second.signal }));
  await world.settle();
  second.abort();
  await assert.rejects(stream.next(), /context canceled/);
  await world.settle();
  assert.equal(world.server(0).watches[0]?.call.cancelled, true);
  world.client.close();
});
