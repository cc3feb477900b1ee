/** Node's own HTTP/2 (nghttp2) at the other end, once as client and once as server. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { callUnary, openClient, startServer } from "./support.ts";

function session(context: TestContext, url: string, settings: http2.Settings = {}) {
  const client = http2.connect(url, { settings });
  context.after(() => client.destroy());
  return client;
}

async function ask(
  client: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: Buffer,
) {
  const stream = client.request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  const parts: Buffer[] = [];
  let trailers: http2.IncomingHttpHeaders = {};
  stream.on("data", (part: Buffer) => parts.push(part));
  stream.on("trailers", (fields: http2.IncomingHttpHeaders) => (trailers = fields));
  const [head] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
  if (!stream.readableEnded) await once(stream, "end");
  return { head, trailers, body: Buffer.concat(parts) };
}

function grpcFrame(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

test("node:http2 client: GET /health, POST and HEAD over h2c (FR-11)", async (context) => {
  const { url } = await startServer(context);
  const client = session(context, url);
  const health = await ask(client, { ":path": "/health" });
  assert.deepEqual([health.head[":status"], String(health.body)], [200, "GET /health 0\n"]);
  assert.equal(health.head["content-length"], "14");
  const large = Buffer.alloc(3_000_000);
  const post = await ask(client, { ":path": "/v3/kv", ":method": "POST" }, large);
  assert.deepEqual([post.head[":status"], String(post.body)], [404, "POST /v3/kv 3000000\n"]);
  const head = await ask(client, { ":path": "/health", ":method": "HEAD" });
  assert.deepEqual([head.head[":status"], head.body.length], [200, 0]);
});

test("node:http2 client: gRPC by hand with 300 calls at once and odd header fields", async (context) => {
  const { url } = await startServer(context);
  const client = session(context, url);
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, number) =>
      ask(
        client,
        {
          ":path": "/test.Echo/Unary",
          ":method": "POST",
          "content-type": "application/grpc",
          te: "trailers",
          "x-number": `${"~!@#$%^&*() _+".repeat(number % 7)}${number}`,
        },
        grpcFrame(Buffer.from(`message ${number}`)),
      ),
    ),
  );
  for (const [number, { head, trailers, body }] of answers.entries()) {
    assert.equal(head["content-type"], "application/grpc");
    assert.equal(trailers["grpc-status"], "0");
    assert.deepEqual(body, grpcFrame(Buffer.from(`message ${number}`)));
  }
});

test("node:http2 client: no header table and a window of 1 000 bytes → all is answered", async (context) => {
  const { url } = await startServer(context);
  const client = session(context, url, { headerTableSize: 0, initialWindowSize: 1_000 });
  for (let round = 0; round < 3; round += 1) {
    const message = Buffer.alloc(100_000, round);
    const { body, trailers } = await ask(
      client,
      { ":path": "/test.Echo/Unary", ":method": "POST", "content-type": "application/grpc" },
      grpcFrame(message),
    );
    assert.deepEqual(body, grpcFrame(message));
    assert.equal(trailers["grpc-status"], "0");
  }
});

test("node:http2 client: a PING is answered, a drain ends the session in order", async (context) => {
  const { url, server } = await startServer(context);
  const client = session(context, url);
  await once(client, "remoteSettings");
  await new Promise<void>((resolve, reject) => {
    client.ping(Buffer.from("12345678"), (error, _ms, payload) => {
      if (error) reject(error);
      assert.equal(String(payload), "12345678");
      resolve();
    });
  });
  const closed = once(client, "close");
  const goaway = once(client, "goaway");
  server.drain(() => {});
  assert.equal((await goaway)[0], 0);
  await closed;
});

test("node:http2 server: our client's calls → answers, statuses, large messages", async (context) => {
  const server = http2.createServer({ settings: { maxConcurrentStreams: 10 } });
  server.on("stream", (stream, headers) => {
    const parts: Buffer[] = [];
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("end", () => {
      if (headers[":path"] === "/test.Echo/Html") {
        stream.respond({ ":status": 503, "content-type": "text/html" });
        stream.end("<html>");
        return;
      }
      stream.respond(
        { ":status": 200, "content-type": "application/grpc", "x-agent": headers["user-agent"] },
        { waitForTrailers: true },
      );
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.concat(parts));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => server.close());
  const client = await openClient(
    context,
    `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  );
  const texts = Array.from({ length: 100 }, (_, number) => `call ${number}`);
  const endings = await Promise.all(
    texts.map((text) => callUnary(client, "/test.Echo/Unary", text, { metadata: ["x", text] })),
  );
  assert.deepEqual(
    endings.map(({ code, response }) => [code, String(response)]),
    texts.map((text) => [0, text]),
  );
  const large = Buffer.alloc(5_000_000, 1);
  const big = await callUnary(client, "/test.Echo/Unary", large);
  assert.deepEqual([big.code, big.response?.length], [0, large.length]);
  const html = await callUnary(client, "/test.Echo/Html", "x");
  assert.deepEqual(
    [html.code, html.message],
    [14, "unexpected HTTP status code received from server: 503"],
  );
});
