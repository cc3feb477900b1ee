/** Watches of a running member: progress, fragments, slow readers, odd requests. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { METHODS, TestClient } from "../harness/client.ts";
import type * as m from "../harness/messages.ts";
import { type Server, start } from "../harness/process.ts";

function bytes(text: string): Buffer {
  return Buffer.from(text);
}

function prefix(text: string): { key: Buffer; rangeEnd: Buffer } {
  return { key: bytes(`${text}/`), rangeEnd: bytes(`${text}0`) };
}

function events(received: readonly m.WatchResponse[]): m.Event[] {
  return received.flatMap((response) => response.events);
}

describe("watch", () => {
  let server: Server;
  let client: TestClient;
  before(async () => {
    server = await start("holdfast", { flags: ["--watch-progress-notify-interval", "100ms"] });
    client = new TestClient(server.address);
  });
  after(async () => {
    client.close();
    await server.dispose();
  });

  async function put(key: string, value = ""): Promise<bigint> {
    const response = await client.must(METHODS.put, { key: bytes(key), value: bytes(value) });
    return response.header?.revision ?? 0n;
  }

  test("watch: progress_notify → an empty response at the current revision while nothing happens (WA-12)", async () => {
    const watch = client.watch();
    watch.send({ create: { ...prefix("quiet"), progressNotify: true } });
    await watch.until((received) => received.length > 0);
    const revision = await put("elsewhere");
    await watch.until((received) =>
      received.some((r) => r.events.length === 0 && !r.created && r.header?.revision === revision),
    );
    watch.cancel();
  });

  test("watch: a progress request → one answer with id -1, not before events up to its revision (WA-13 DV-07)", async () => {
    const watch = client.watch();
    const revision = await put("progress/0");
    for (let i = 1; i < 200; i++) await put(`progress/${i}`);
    watch.send({ create: { ...prefix("progress"), startRevision: revision } });
    watch.send({ progress: {} });
    await watch.until((received) => received.some((r) => r.watchId === -1n));
    const at = watch.received.findIndex((r) => r.watchId === -1n);
    const told = watch.received[at]?.header?.revision ?? 0n;
    const before = events(watch.received.slice(0, at));
    const due = told - revision + 1n;
    assert.equal(BigInt(before.length), due < 200n ? due : 200n);
    watch.cancel();
  });

  test("watch: fragment → large history in pieces below the limit, nothing lost (WA-14)", async () => {
    const first = await put("piece/0");
    const value = "v".repeat(700_000);
    for (let i = 1; i < 8; i++) await put(`piece/${i}`, value);
    const watch = client.watch();
    watch.send({
      create: { ...prefix("piece"), startRevision: first, fragment: true, prevKv: true },
    });
    await watch.until((received) => events(received).length === 8);
    const keys = events(watch.received).map((event) => event.kv?.key.toString());
    assert.deepEqual(
      keys,
      Array.from({ length: 8 }, (_, i) => `piece/${i}`),
    );
    for (const response of watch.received) {
      const size = response.events.reduce((sum, event) => sum + (event.kv?.value.length ?? 0), 0);
      assert.ok(size <= 2 * 1024 * 1024 + 700_000, `a piece of ${size} bytes`);
    }
    assert.equal(watch.received.at(-1)?.fragment, false);
    watch.cancel();
  });

  test("watch: a reader that stops reading → others are served, and it gets everything in the end (WA-16)", async () => {
    const slow = client.watch();
    const quick = client.watch();
    for (const watch of [slow, quick]) watch.send({ create: prefix("slow") });
    await slow.until((received) => received.length > 0);
    await quick.until((received) => received.length > 0);
    slow.pause();
    const value = "v".repeat(10_000);
    for (let i = 0; i < 300; i++) await put(`slow/${i % 7}`, value);
    await quick.until((received) => events(received).length === 300);
    slow.resume();
    await slow.until((received) => events(received).length === 300);
    const revisions = events(slow.received).map((event) => event.kv?.modRevision ?? 0n);
    assert.deepEqual(
      revisions,
      events(quick.received).map((event) => event.kv?.modRevision ?? 0n),
    );
    slow.cancel();
    quick.cancel();
  });

  test("watch: empty requests and unknown ids → ignored, the stream goes on (WA-08 WA-18)", async () => {
    const watch = client.watch();
    watch.send({});
    watch.send({ cancel: { watchId: 77n } });
    watch.send({ create: prefix("odd") });
    await put("odd/1");
    await watch.until((received) => received.length > 0);
    assert.equal(watch.received[0]?.created, true);
    watch.cancel();
  });

  test("watch: many on one stream, all events of a transaction in one response (WA-01 WA-10)", async () => {
    const watch = client.watch();
    for (let i = 0; i < 100; i++) watch.send({ create: prefix("many") });
    await watch.until((received) => received.filter((r) => r.created).length === 100);
    const success = ["many/a", "many/b", "many/c"].map((key) => ({ put: { key: bytes(key) } }));
    await client.must(METHODS.txn, { success });
    await watch.until((received) => events(received).length === 300);
    for (const response of watch.received.filter((r) => r.events.length > 0)) {
      const keys = response.events.map((event) => event.kv?.key.toString());
      assert.deepEqual(keys, ["many/a", "many/b", "many/c"]);
    }
    watch.cancel();
  });
});

test("watch: the server stops → the stream ends with a status, not in silence (WA-15 FR-13)", async () => {
  const server = await start("holdfast");
  const client = new TestClient(server.address);
  try {
    const watch = client.watch();
    watch.send({ create: { key: bytes("k") } });
    await watch.until((received) => received.length > 0);
    const started = performance.now();
    const exit = await server.stop();
    assert.deepEqual(exit, { code: 0, signal: null });
    assert.ok(performance.now() - started < 5_000);
    const status = await watch.untilEnd();
    assert.notEqual(status.code, 0);
  } finally {
    client.close();
    await server.dispose();
  }
});
