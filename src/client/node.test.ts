/** `connect` on real sockets: what it opens it closes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GrpcServer, type Method } from "../grpc/index.ts";
import { ConnectionGate, listen, systemClock, systemTimers } from "../host/index.ts";
import type { Logger } from "../seam/index.ts";
import { rangeAnswer } from "./fixture.test.ts";
import { ClientError, connect } from "./index.ts";

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  isEnabled: () => false,
  child: () => SILENT,
};

const METHODS = new Map<string, Method>([
  [
    "/etcdserverpb.KV/Range",
    { kind: "unary", handle: (call) => call.respond(rangeAnswer("over a socket")) },
  ],
  ["/etcdserverpb.Watch/Watch", { kind: "stream", handle: () => undefined }],
  ["/etcdserverpb.Lease/LeaseKeepAlive", { kind: "stream", handle: () => undefined }],
]);

/** What keeps this process alive, by kind. */
function handles(): string[] {
  const kinds = ["TCPSocketWrap", "TCPConnectWrap", "Timeout", "TLSWrap", "PipeWrap"];
  return process.getActiveResourcesInfo().filter((kind) => kinds.includes(kind));
}

test("connect: calls, watches, leases and connects under way leave no handle behind", async () => {
  const server = new GrpcServer({
    methods: METHODS,
    clock: systemClock,
    timers: systemTimers,
    logger: SILENT,
  });
  const [listener] = await listen({
    urls: ["http://127.0.0.1:0"],
    onConnection: (connection) => server.serve(connection),
    gate: new ConnectionGate(100),
    logger: SILENT,
  });
  assert.ok(listener !== undefined);
  // Nobody listens at the second, and at the third nobody answers (RFC 5737).
  const endpoints = [listener.url, "http://127.0.0.1:1", "http://192.0.2.1:2379"];
  const before = handles();
  for (let round = 0; round < 5; round += 1) {
    const client = connect({ endpoints });
    const { kvs } = await client.kv.get("k");
    assert.equal(kvs[0]?.value.toString(), "over a socket");
    const watch = client.watch("k");
    const keeper = client.lease.keepAlive(5n);
    const pinned = client.at("127.0.0.1:1").status();
    const ends = Promise.allSettled([watch.next(), pinned]);
    client.close();
    const [watched, asked] = await ends;
    assert.ok(watched.status === "rejected" && watched.reason instanceof ClientError);
    assert.ok(asked.status === "rejected" && asked.reason instanceof ClientError);
    assert.equal(keeper.lost.aborted, true);
  }
  while (server.connectionCount > 0) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(handles(), before);
  server.close();
  await listener.close();
});

test("connect: an endpoint that is no URL is named in the error", async () => {
  const client = connect({ endpoints: ["ftp://x"] });
  await assert.rejects(client.kv.get("k", { failFast: true }), (error: unknown) => {
    return error instanceof ClientError && /ftp:\/\/x/.test(error.message);
  });
  client.close();
  assert.throws(() => connect({ endpoints: [] }), /at least one/);
});
