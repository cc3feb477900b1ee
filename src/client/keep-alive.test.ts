import assert from "node:assert/strict";
import { test } from "node:test";
import { ClientError, isRefusal } from "./error.ts";
import { renewal, World } from "./fixture.test.ts";

const LEASE = 0x77n;

test("lease: renewed each third of its time to live, all on one stream (LE-04)", async () => {
  const world = new World(1);
  const server = world.server(0);
  const renewed: number[] = [];
  world.client.lease.keepAlive(LEASE, { onRenewed: ({ ttlSeconds }) => renewed.push(ttlSeconds) });
  world.client.lease.keepAlive(0x78n);
  await world.untilTrue(() => server.asked.length === 2);
  assert.equal(server.renewals.length, 1);
  const [stream] = server.renewals;
  stream?.send(renewal(LEASE, 9));
  stream?.send(renewal(0x78n, 90));
  await world.settle();
  assert.deepEqual(renewed, [9]);
  await world.pass(2_700);
  assert.equal(server.asked.length, 2);
  await world.pass(800);
  assert.equal(server.asked.length, 3);
  world.client.close();
});

test("lease: unknown to the server → lost, with LeaseNotFound as its reason (LE-04)", async () => {
  const world = new World(1);
  const server = world.server(0);
  const keeper = world.client.lease.keepAlive(LEASE);
  await world.untilTrue(() => server.asked.length === 1);
  server.renewals[0]?.send(renewal(LEASE, 0));
  await world.untilTrue(() => keeper.lost.aborted);
  assert.ok(isRefusal(keeper.lost.reason, "LeaseNotFound"));
  await world.untilTrue(() => server.renewals[0]?.cancelled === true);
  world.client.close();
});

test("lease: no server for its time to live → lost, not before", async () => {
  const world = new World(1);
  const server = world.server(0);
  const keeper = world.client.lease.keepAlive(LEASE);
  await world.untilTrue(() => server.asked.length === 1);
  server.renewals[0]?.send(renewal(LEASE, 5));
  await world.settle();
  server.kill();
  await world.pass(4_500);
  assert.equal(keeper.lost.aborted, false);
  await world.pass(800);
  assert.equal(keeper.lost.aborted, true);
  assert.ok(keeper.lost.reason instanceof ClientError);
  world.client.close();
});

test("lease: renewed at another endpoint when the one in use is lost", async () => {
  const world = new World(2);
  await world.connectAll();
  const keeper = world.client.lease.keepAlive(LEASE);
  await world.untilTrue(() => world.asked.length === 1);
  const used = world.servers.find(({ renewals }) => renewals.length === 1);
  const other = world.servers.find((server) => server !== used);
  used?.renewals[0]?.send(renewal(LEASE, 6));
  await world.settle();
  used?.kill();
  await world.untilTrue(() => other?.renewals.length === 1);
  await world.untilTrue(() => other?.asked.length === 1);
  other?.renewals[0]?.send(renewal(LEASE, 6));
  await world.settle();
  await world.pass(3_000);
  assert.equal(keeper.lost.aborted, false);
  keeper.stop();
  assert.equal(keeper.lost.aborted, false);
  world.client.close();
});

test("lease: closing the client loses what it kept", async () => {
  const world = new World(1);
  const keeper = world.client.lease.keepAlive(LEASE);
  await world.settle();
  world.client.close();
  assert.equal(keeper.lost.aborted, true);
  assert.equal(world.client.lease.keepAlive(LEASE).lost.aborted, true);
});
