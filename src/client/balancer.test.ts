import assert from "node:assert/strict";
import { test } from "node:test";
import { errors } from "../errors/index.ts";
import { World } from "./fixture.test.ts";

test("balance: reads go to all connected endpoints in turn", async () => {
  const world = new World(3);
  await world.connectAll();
  for (let count = 0; count < 9; count += 1) await world.end(world.client.kv.get("k"));
  assert.deepEqual(
    world.servers.map(({ asked }) => asked.length),
    [3, 3, 3],
  );
  world.client.close();
});

test("balance: an endpoint that could not serve is left alone while others can", async () => {
  const world = new World(3);
  await world.connectAll();
  world.server(1).fate = () => errors.NoLeader;
  for (let count = 0; count < 12; count += 1) await world.end(world.client.kv.get("k"));
  assert.equal(world.server(1).asked.length, 1);
  await world.pass(4_000);
  for (let count = 0; count < 3; count += 1) await world.end(world.client.kv.get("k"));
  assert.equal(world.server(1).asked.length, 2);
  world.client.close();
});

test("failover: a killed endpoint's share goes to the others, and back when it is there", async () => {
  const world = new World(2);
  await world.connectAll();
  world.server(0).kill();
  for (let count = 0; count < 6; count += 1) await world.end(world.client.kv.get("k"));
  assert.equal(world.server(1).asked.length, 6);
  world.server(0).isDown = false;
  await world.pass(3_000);
  for (let count = 0; count < 4; count += 1) await world.end(world.client.kv.get("k"));
  assert.equal(world.server(0).asked.length, 2);
  world.client.close();
});

test("failover: rests between attempts to connect grow to a bound", async () => {
  const world = new World(1);
  world.server(0).isDown = true;
  const call = world.client.kv.get("k", { timeoutMs: 60_000 });
  await world.pass(30_000);
  const { opened } = world.server(0);
  assert.ok(opened >= 16 && opened <= 26, `${opened} attempts in 30 s`);
  world.server(0).isDown = false;
  await world.end(call);
  world.client.close();
});

test("failover: a host that takes connections and says nothing has failed in time", async () => {
  const world = new World(1, { connectTimeoutMs: 500 });
  world.server(0).isMute = true;
  const call = world.client.kv.get("k", { failFast: true });
  await assert.rejects(world.end(call), /no answer within 500 ms/);
  await world.settle();
  assert.equal(world.server(0).connections, 0);
  world.client.close();
});

test("failover: a server that went silent is dropped by keepalive, its read asked anew", async () => {
  const world = new World(2, { timeoutMs: 60_000 });
  await world.connectAll();
  const silent = world.server(0);
  for (const server of world.servers) server.fate = () => "silence";
  const call = world.client.kv.get("k");
  await world.untilTrue(() => world.asked.length === 1);
  const asked = silent.asked.length === 1 ? silent : world.server(1);
  const other = asked === silent ? world.server(1) : silent;
  other.fate = () => Buffer.alloc(0);
  asked.isStopped = true;
  const beganMs = world.time.monotonicMs();
  await world.end(call);
  const tookMs = world.time.monotonicMs() - beganMs;
  assert.ok(tookMs > 8_000 && tookMs < 10_000, `${tookMs} ms`);
  assert.equal(other.asked.length, 1);
  world.client.close();
});

test("failover: a server that stopped answering gets no more than a second's calls", async () => {
  const world = new World(2);
  await world.connectAll();
  const [stopped, other] = [world.server(0), world.server(1)];
  stopped.fate = () => "silence";
  const ends: Promise<unknown>[] = [];
  for (let count = 0; count < 40; count += 1) {
    ends.push(world.client.kv.get("k"));
    await world.pass(200);
  }
  assert.ok(stopped.asked.length <= 4, `${stopped.asked.length} calls`);
  assert.ok(other.asked.length >= 36);
  world.client.close();
  await world.end(Promise.allSettled(ends));
});

test("failover: a server that goes away finishes its calls, new ones go elsewhere", async () => {
  const world = new World(2);
  await world.connectAll();
  const [leaving, staying] = [world.server(0), world.server(1)];
  leaving.fate = () => "silence";
  let isEnded = false;
  const held = world.client.kv.get("k", { endpoint: "s0:1" }).finally(() => {
    isEnded = true;
  });
  await world.untilTrue(() => leaving.asked.length === 1);
  leaving.drain();
  await world.settle();
  for (let count = 0; count < 4; count += 1) await world.end(world.client.kv.put("k", "v"));
  assert.equal(leaving.asked.length, 1);
  assert.equal(staying.asked.length, 4);
  assert.equal(isEnded, false);
  await world.pass(200);
  assert.ok(leaving.opened > 1, "no new connection is tried while the old one has calls");
  leaving.answerHeld();
  await world.end(held);
  world.client.close();
});

test("endpoints: replaced ones are closed, kept ones keep their connection", async () => {
  const world = new World(3);
  await world.connectAll();
  world.client.setEndpoints(["http://s0:1/", "s2:1"]);
  await world.settle();
  assert.deepEqual(world.client.endpoints, ["http://s0:1", "http://s2:1"]);
  for (let count = 0; count < 4; count += 1) await world.end(world.client.kv.get("k"));
  assert.deepEqual(
    world.servers.map(({ asked }) => asked.length),
    [2, 0, 2],
  );
  assert.deepEqual(
    world.servers.map(({ opened, connections }) => [opened, connections]),
    [
      [1, 1],
      [1, 0],
      [1, 1],
    ],
  );
  assert.throws(() => world.client.setEndpoints([]), /at least one/);
  world.client.close();
});

test("endpoints: one that is named is asked alone, also when it is not the client's", async () => {
  const world = new World(2);
  world.client.setEndpoints(["http://s0:1"]);
  await world.end(world.client.kv.get("k", { endpoint: "s1:1" }));
  assert.deepEqual(
    world.servers.map(({ asked }) => asked.length),
    [0, 1],
  );
  assert.equal(world.server(0).opened, 0);
  world.client.close();
  await world.settle();
  assert.equal(world.server(1).connections, 0);
});

test("login: one token for all calls, a new one when it is refused (FR-34)", async () => {
  const world = new World(1, { user: { name: "root", password: "secret" } });
  const server = world.server(0);
  let token = 0;
  let isValid = true;
  server.fate = (path) => {
    if (path.endsWith("Authenticate")) {
      token += 1;
      isValid = true;
      return Buffer.concat([Buffer.from([0x12, 2]), Buffer.from(`t${token}`)]);
    }
    return isValid ? Buffer.alloc(0) : errors.InvalidAuthToken;
  };
  await world.end(Promise.all([world.client.kv.get("a"), world.client.kv.get("b")]));
  isValid = false;
  await world.end(world.client.kv.put("k", "v"));
  assert.deepEqual(server.asked, ["Authenticate", "Range", "Range", "Put", "Authenticate", "Put"]);
  assert.deepEqual(server.metadata, [undefined, "t1", "t1", "t1", undefined, "t2"]);
  server.fate = (path) => {
    return path.endsWith("Authenticate") ? errors.AuthFailed : errors.InvalidAuthToken;
  };
  await assert.rejects(world.end(world.client.kv.get("k")), /authentication failed/);
  world.client.close();
});

test("login: where users are not enforced yet, calls go without a token", async () => {
  const world = new World(1, { user: { name: "root", password: "secret" } });
  const server = world.server(0);
  server.fate = (path) => {
    return path.endsWith("Authenticate") ? errors.AuthNotEnabled : Buffer.alloc(0);
  };
  await world.end(world.client.kv.get("a"));
  await world.end(world.client.kv.get("a"));
  assert.deepEqual(server.metadata, [undefined, undefined, undefined]);
  world.client.close();
});
