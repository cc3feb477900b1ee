import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { test, type TestContext } from "node:test";
import { goDialText, httpGet, HttpGetError } from "./http-get.ts";

const GENEROUS_MS = 10_000;

/** The URL of a server that answers a connection with `answer`, or not at all. */
async function serving(t: TestContext, answer: string | undefined): Promise<string> {
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    if (answer !== undefined) socket.once("data", () => socket.end(answer));
    t.after(() => socket.destroy());
  });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return `http://127.0.0.1:${address.port}`;
}

test("http get: any status → the page", async (t) => {
  const url = await serving(t, "HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno");
  const page = await httpGet(url, { tls: undefined, timeoutMs: GENEROUS_MS });
  assert.deepEqual(page, { status: 503, body: "no" });
});

test("http get: accepted and never answered → an error at the bound, no wait (BT-d6)", async (t) => {
  const url = await serving(t, undefined);
  const begin = performance.now();
  await assert.rejects(httpGet(url, { tls: undefined, timeoutMs: 50 }), {
    code: "ETIMEDOUT",
    message: "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
  });
  assert.ok(performance.now() - begin < GENEROUS_MS / 2);
});

test("http get: half an answer → an error at the bound (BT-d6)", async (t) => {
  const url = await serving(t, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
  await assert.rejects(httpGet(url, { tls: undefined, timeoutMs: GENEROUS_MS }), HttpGetError);
});

test("http get: nobody listens, no URL → told in Go's words", async (t) => {
  const url = await serving(t, "");
  const { port } = new URL(url);
  await assert.rejects(httpGet("http://127.0.0.1:1/x", { tls: undefined, timeoutMs: 5_000 }), {
    message: "dial tcp 127.0.0.1:1: connect: connection refused",
  });
  await assert.rejects(httpGet("no URL", { tls: undefined, timeoutMs: 5_000 }), HttpGetError);
  await assert.rejects(httpGet(url, { tls: undefined, timeoutMs: 5_000 }), { message: "EOF" });
  assert.equal(goDialText(`here:${port}`, "ENOTFOUND"), "dial tcp: lookup here: no such host");
});
