import assert from "node:assert/strict";
import { test } from "node:test";
import type { Caller } from "./channel.ts";
import { RequestRun, type RunOptions } from "./request-run.ts";

const GOOD = Buffer.from([1]);

/** Answers each request from the next turn of the event loop on. */
function respondSoon(_client: number, caller: Caller): void {
  setImmediate(() => {
    caller.onMessage(GOOD, 0, 1);
    caller.onEnd(0, "");
  });
}

function run(options: Partial<RunOptions>) {
  const full: RunOptions = {
    clients: 3,
    send: respondSoon,
    accepts: (_client, bytes) => bytes[0] === 1,
    isStream: false,
    warmupSeconds: 0.02,
    seconds: 0.1,
    rate: 0,
    serverPids: [process.pid],
    ...options,
  };
  return new RequestRun(full).start();
}

test("request run: closed loop → each client has one request under way, never two", async () => {
  const underWay = [0, 0, 0];
  let sent = 0;
  const figures = await run({
    send(client, caller) {
      sent += 1;
      underWay[client] = (underWay[client] ?? 0) + 1;
      assert.equal(underWay[client], 1);
      setImmediate(() => {
        underWay[client] = 0;
        caller.onMessage(GOOD, 0, 1);
        caller.onEnd(0, "");
      });
    },
  });
  assert.ok(sent > 10);
  assert.ok((figures.throughput ?? 0) > 100);
  assert.equal(figures.failed, 0);
  assert.deepEqual(underWay, [0, 0, 0]);
});

test("request run: a stream → its message ends a request, without a status", async () => {
  const figures = await run({
    isStream: true,
    send(_client, caller) {
      setImmediate(() => caller.onMessage(GOOD, 0, 1));
    },
  });
  assert.ok((figures.throughput ?? 0) > 100);
  assert.equal(figures.failed, 0);
});

test("request run: fixed rate → as many requests as the rate says, however fast the answers", async () => {
  let sent = 0;
  let lastMs = 0;
  let longestGapMs = 0;
  const startedMs = performance.now();
  await run({
    rate: 1_000,
    send(client, caller) {
      const atMs = performance.now() - startedMs;
      assert.ok(atMs >= sent, `request ${sent} after ${atMs} ms`);
      sent += 1;
      longestGapMs = Math.max(longestGapMs, atMs - lastMs);
      lastMs = atMs;
      respondSoon(client, caller);
    },
  });
  // One each millisecond; behind that by what the machine did not let the run do, and no more.
  assert.ok(sent >= lastMs - longestGapMs - 5, `${sent} in ${lastMs} ms, gap ${longestGapMs} ms`);
});

test("request run: fixed rate and a stall → all that was due in it has waited", async () => {
  // One stall of 50 ms; at 1 000/s it delays 50 requests by 25 ms on average. A closed loop would
  // see it in three requests, one for each client.
  let stallEndsMs = 0;
  let sent = 0;
  const figures = await run({
    rate: 1_000,
    // No warm-up: on a machine that stalls by itself the 60th request could still be in it.
    warmupSeconds: 0,
    seconds: 0.2,
    send(client, caller) {
      const nowMs = performance.now();
      sent += 1;
      if (sent === 60) stallEndsMs = nowMs + 50;
      if (nowMs < stallEndsMs) {
        setTimeout(() => respondSoon(client, caller), stallEndsMs - nowMs);
      } else {
        respondSoon(client, caller);
      }
    },
  });
  assert.ok((figures.max ?? 0) > 40, `slowest ${figures.max}`);
  assert.ok((figures.mean ?? 0) > 3, `mean ${figures.mean}`);
});

test("request run: refusals and wrong answers → counted and left out, then the run gives up", async () => {
  let sent = 0;
  const figures = await run({
    send(client, caller) {
      sent += 1;
      if (sent > 5) respondSoon(client, caller);
      else if (sent % 2 === 0) setImmediate(() => caller.onEnd(14, "gone"));
      else {
        setImmediate(() => {
          caller.onMessage(Buffer.from([0]), 0, 1);
          caller.onEnd(0, "");
        });
      }
    },
  });
  assert.equal(figures.failed, 5);
  await assert.rejects(
    run({ send: (_client, caller) => setImmediate(() => caller.onEnd(8, "too many requests")) }),
    /1000 requests failed, the last with "8: too many requests"/,
  );
});
