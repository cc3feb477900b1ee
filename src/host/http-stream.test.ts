/** HTTP/1.1 with bodies as streams, both sides of it against each other. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type {
  HttpBody,
  HttpClient,
  HttpClientRequest,
  HttpHeaders,
  HttpStreamHandler,
  HttpStreamRequest,
  Logger,
} from "../seam/index.ts";
import { ConnectionGate, listen, openHttpClient } from "./index.ts";

const logger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  isEnabled: () => false,
  child: () => logger,
};

async function serve(
  t: TestContext,
  streams: HttpStreamHandler,
  url = "http://127.0.0.1:0",
): Promise<{ url: string; gate: ConnectionGate }> {
  const gate = new ConnectionGate(100);
  const listeners = await listen({ urls: [url], gate, logger, streams });
  t.after(async () => {
    await Promise.all(listeners.map((listener) => listener.close()));
    gate.destroyAll();
  });
  return { url: listeners[0]?.url ?? "", gate };
}

function client(t: TestContext): HttpClient {
  const http = openHttpClient();
  t.after(() => http.close());
  return http;
}

function get(url: string, more: Partial<HttpClientRequest> = {}): HttpClientRequest {
  return {
    ...{ method: "GET", url, target: "/", headers: {} },
    ...{ connectTimeoutMs: 1000, answerTimeoutMs: 1000 },
    ...more,
  };
}

function read(
  body: HttpBody,
  silenceMs?: number,
): Promise<{ text: string; trailers: HttpHeaders }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const events = {
      onData: (chunk: Buffer) => void chunks.push(chunk),
      onEnd: (trailers: HttpHeaders) =>
        resolve({ text: Buffer.concat(chunks).toString("utf8"), trailers }),
      onError: reject,
    };
    body.start(events, silenceMs);
  });
}

test("exchange: path, query, headers and body → the handler's, and its answer back", async (t) => {
  const seen: HttpStreamRequest[] = [];
  const { url } = await serve(t, async (request, response) => {
    seen.push(request);
    const { text } = await read(request.body);
    response.send(201, { "x-answer": "yes" }, `got ${text}`);
  });
  const body = Buffer.from("hello");
  const answer = await client(t).request(
    get(url, { method: "POST", target: "/a/b?c=1&d=x%20y", headers: { "x-ask": "1" }, body }),
  );
  assert.equal(answer.status, 201);
  assert.equal(answer.headers["x-answer"], "yes");
  assert.equal((await read(answer.body)).text, "got hello");
  assert.equal(seen[0]?.path, "/a/b");
  assert.equal(seen[0]?.query.get("d"), "x y");
  assert.equal(seen[0]?.headers["x-ask"], "1");
});

test("GET with a body, as members ask for hashes → read like any other", async (t) => {
  const { url } = await serve(t, async (request, response) => {
    response.send(200, {}, (await read(request.body)).text);
  });
  const answer = await client(t).request(get(url, { body: Buffer.from("{}") }));
  assert.equal((await read(answer.body)).text, "{}");
});

test("streamed body: chunks and trailers → arrive, as fast as they are read", async (t) => {
  const { url } = await serve(t, async (request, response) => {
    const { text, trailers } = await read(request.body);
    response.send(200, {}, `${text.length} ${trailers["x-sum"]}`);
  });
  async function* body(): AsyncGenerator<Buffer> {
    for (let at = 0; at < 100; at += 1) yield Buffer.alloc(10_000, 97);
    await Promise.resolve();
  }
  const answer = await client(t).request(
    get(url, {
      ...{ method: "POST", body: body(), headers: { trailer: "x-sum" } },
      trailers: () => ({ "x-sum": "all" }),
    }),
  );
  assert.equal((await read(answer.body)).text, "1000000 all");
});

test("streamed body: its source fails → the request rejects with that, the server sees it broken", async (t) => {
  const broken = Promise.withResolvers<unknown>();
  const begun = Promise.withResolvers<void>();
  const { url } = await serve(t, (request) => {
    begun.resolve();
    read(request.body).catch(broken.resolve);
  });
  async function* body(): AsyncGenerator<Buffer> {
    yield Buffer.alloc(1000);
    await begun.promise;
    throw new Error("the disk failed");
  }
  const request = client(t).request(get(url, { method: "POST", body: body() }));
  await assert.rejects(request, /the disk failed/);
  assert.ok((await broken.promise) instanceof Error);
});

test("streamed body: answered before its end → the answer counts, the source is given up", async (t) => {
  const { url } = await serve(t, (_request, response) => response.send(412, {}, "no"));
  const over = Promise.withResolvers<void>();
  async function* body(): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        yield Buffer.alloc(1000);
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      over.resolve();
    }
  }
  const answer = await client(t).request(get(url, { method: "POST", body: body(), isAlone: true }));
  assert.equal(answer.status, 412);
  answer.body.destroy();
  await over.promise;
});

test("long answer: head at once, writes as they are made, end by either side → told", async (t) => {
  const closed = Promise.withResolvers<void>();
  const { url } = await serve(t, (_request, response) => {
    response.events = { onDrain() {}, onClose: closed.resolve };
    response.writeHead(200, { "x-kind": "stream" });
    response.write(Buffer.from("one"));
  });
  const answer = await client(t).request(get(url, { isAlone: true }));
  assert.equal(answer.headers["x-kind"], "stream");
  assert.equal(answer.headers["transfer-encoding"], undefined);
  const first = new Promise<Buffer>((resolve) => {
    answer.body.start({ onData: resolve, onEnd() {}, onError() {} });
  });
  assert.equal((await first).toString(), "one");
  answer.body.destroy();
  await closed.promise;
});

test("long answer: a reader that pauses → write says no, then drains", async (t) => {
  const drained = Promise.withResolvers<number>();
  const { url } = await serve(t, (_request, response) => {
    response.writeHead(200, {});
    let written = 0;
    response.events = { onDrain: () => drained.resolve(written), onClose() {} };
    while (response.write(Buffer.alloc(64 * 1024))) written += 1;
    assert.ok(response.bufferedBytes > 0);
  });
  const answer = await client(t).request(get(url, { isAlone: true }));
  answer.body.start({ onData() {}, onEnd() {}, onError() {} });
  await drained.promise;
  answer.body.destroy();
});

test("silence: in an answer's body or a request's → ended with ETIMEDOUT", async (t) => {
  const { url } = await serve(t, (request, response) => {
    if (request.method === "GET") return response.writeHead(200, {});
    read(request.body, 50).catch((error: { code?: string }) =>
      response.send(408, {}, error.code ?? ""),
    );
  });
  const http = client(t);
  const answer = await http.request(get(url, { isAlone: true }));
  await assert.rejects(read(answer.body, 50), { code: "ETIMEDOUT" });
  async function* body(): AsyncGenerator<Buffer> {
    yield Buffer.alloc(10);
    await new Promise(() => undefined);
  }
  await assert.rejects(http.request(get(url, { method: "POST", body: body() })));
});

test("limits: no connection, no answer, nobody there, given up → rejected with its code", async (t) => {
  const { url } = await serve(t, () => undefined);
  const http = client(t);
  await assert.rejects(http.request(get(url, { answerTimeoutMs: 30 })), { code: "ETIMEDOUT" });
  await assert.rejects(http.request(get("http://127.0.0.1:1")), { code: "ECONNREFUSED" });
  await assert.rejects(http.request(get("unix:///nowhere/at-all")), { code: "ENOENT" });
  await assert.rejects(http.request(get("ftp://x")), /must begin with/);
  await assert.rejects(http.request(get("https://127.0.0.1:1")), /a TLS peer needs/);
  const stop = new AbortController();
  const request = http.request(get(url, { signal: stop.signal }));
  stop.abort();
  await assert.rejects(request, { name: "AbortError" });
});

test("streamed body: the other side reads nothing → ended with ETIMEDOUT after the write timeout", async (t) => {
  const { url } = await serve(t, () => undefined);
  async function* body(): AsyncGenerator<Buffer> {
    for (;;) {
      yield Buffer.alloc(256 * 1024);
      await Promise.resolve();
    }
  }
  const request = get(url, { method: "POST", body: body(), writeTimeoutMs: 100 });
  await assert.rejects(client(t).request(request), { code: "ETIMEDOUT" });
});

test("kept connection: closed by the other side between two requests → the second is asked anew", async (t) => {
  const sockets: Socket[] = [];
  let answers = 0;
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("data", () => {
      answers += 1;
      // The second request on a connection is answered with its end.
      if (sockets.length === 1 && answers === 2) return void socket.destroy();
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  const http = client(t);
  for (let round = 0; round < 2; round += 1) {
    const answer = await http.request(get(url));
    assert.equal((await read(answer.body)).text, "ok");
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(sockets.length, 2);
});

test("unix socket: asked like any other URL", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-http-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const { url } = await serve(
    t,
    (request, response) => response.send(200, {}, request.headers["host"] ?? ""),
    `unix://${join(directory, "peer.sock")}`,
  );
  const answer = await client(t).request(get(url));
  assert.equal((await read(answer.body)).text, "localhost");
});

test("handler: what it throws → 500 while nothing was sent, a cut connection after", async (t) => {
  const { url } = await serve(t, (request, response) => {
    if (request.path === "/late") response.writeHead(200, {});
    throw new Error("a fault");
  });
  const http = client(t);
  const early = await http.request(get(url));
  assert.equal(early.status, 500);
  early.body.destroy();
  const late = await http.request(get(url, { target: "/late", isAlone: true }));
  // A body that lasts until the connection ends cannot tell a cut from its end.
  assert.equal((await read(late.body)).text, "");
});

test("streamed body: however fast it is taken → the event loop has its turns meanwhile", async (t) => {
  const { url } = await serve(t, async (request, response) => {
    await read(request.body);
    response.send(204, {});
  });
  const chunks = 400;
  const turns = new Set<number>();
  let turn = 0;
  let isOver = false;
  const count = (): void => {
    turn += 1;
    if (!isOver) setImmediate(count);
  };
  count();
  async function* body(): AsyncGenerator<Buffer> {
    for (let at = 0; at < chunks; at += 1) {
      turns.add(turn);
      yield Buffer.alloc(64 * 1024);
    }
    await Promise.resolve();
  }
  const answer = await client(t).request(get(url, { method: "POST", body: body() }));
  isOver = true;
  answer.body.destroy();
  assert.ok(turns.size >= chunks / 5, `${chunks} chunks in ${turns.size} turns`);
});
