import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import * as http2 from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import type { Connection, HttpHandler, LogFields, Logger } from "../seam/index.ts";
import {
  connect,
  ConnectionGate,
  connectionsMaxOf,
  descriptorLimit,
  listen,
  type ListenOptions,
} from "./index.ts";

const run = promisify(execFile);

const quiet: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  isEnabled: () => false,
  child: () => quiet,
};

const echo: HttpHandler = async (request) => ({
  status: 200,
  headers: { "content-type": "text/plain" },
  body: `${request.method} ${request.path} ${request.query.get("q")} ${request.body.length}`,
});

interface Running {
  readonly urls: string[];
  readonly gate: ConnectionGate;
  readonly connections: Connection[];
}

/** Listens, keeps HTTP/2 connections, and echoes what they send in upper case. */
async function running(t: TestContext, options: Partial<ListenOptions>): Promise<Running> {
  const gate = options.gate ?? new ConnectionGate(1000);
  const connections: Connection[] = [];
  const onConnection = (connection: Connection): void => {
    connections.push(connection);
    connection.events = {
      onData: (chunk) => connection.write(Buffer.from(chunk.toString("latin1").toUpperCase())),
      onDrain() {},
      onClose() {},
    };
  };
  const urls = ["http://127.0.0.1:0"];
  const listeners = await listen({
    urls,
    http: echo,
    onConnection,
    gate,
    logger: quiet,
    ...options,
  });
  t.after(async () => {
    await Promise.all(listeners.map((listener) => listener.close()));
    gate.destroyAll();
  });
  return { urls: listeners.map((listener) => listener.url), gate, connections };
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

async function readUntil(socket: Socket, wanted: string): Promise<string> {
  let text = "";
  while (!text.includes(wanted)) {
    const [chunk] = (await once(socket, "data")) as [Buffer];
    text += chunk.toString("latin1");
  }
  return text;
}

function get(url: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, { agent: false }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    sent.on("error", reject);
    sent.end();
  });
}

test("listen: HTTP/1.1 and the HTTP/2 preface on one port → each to its own side (FR-11)", async (t) => {
  const { urls, connections } = await running(t, {});
  const url = urls[0] as string;
  assert.notEqual(portOf(url), 0);
  assert.deepEqual(await get(`${url}/a/b?q=1`), { status: 200, body: "GET /a/b 1 0" });

  const socket = connectSocket({ port: portOf(url), host: "127.0.0.1" });
  socket.write("PRI * HTTP/2.0\r\n\r\nsm");
  assert.equal(await readUntil(socket, "SM"), "PRI * HTTP/2.0\r\n\r\nSM");
  assert.equal(connections.length, 1);
  assert.match(connections[0]?.peer.address as string, /^127\.0\.0\.1:\d+$/);
  socket.destroy();
});

test("listen: the preface one byte at a time, and a method that begins with P → told apart (FR-11)", async (t) => {
  const { urls, connections } = await running(t, {});
  const port = portOf(urls[0] as string);
  const slow = connectSocket({ port, host: "127.0.0.1", noDelay: true });
  await once(slow, "connect");
  for (const byte of "PRI *") {
    await new Promise<void>((resolve) => slow.write(byte, () => setImmediate(resolve)));
  }
  assert.equal(await readUntil(slow, "PRI *"), "PRI *");
  slow.destroy();

  const put = connectSocket({ port, host: "127.0.0.1" });
  put.write("P");
  put.write("UT /x?q=p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
  assert.match(await readUntil(put, "PUT"), /^HTTP\/1\.1 200 OK\r\n[^]*PUT \/x p 3$/);
  assert.equal(connections.length, 1);
  put.destroy();
});

test("listen: node:http2 and curl reach both sides (FR-11)", async (t) => {
  const { urls } = await running(t, {
    onConnection: (connection) => {
      connection.events = {
        // SETTINGS, empty: enough for a client to count as connected.
        onData: () => connection.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])),
        onDrain() {},
        onClose() {},
      };
    },
  });
  const client = http2.connect(urls[0] as string);
  await once(client, "remoteSettings");
  client.destroy();
  const { stdout } = await run("curl", ["-s", "--data", "x=12", `${urls[0]}/form?q=z`]);
  assert.equal(stdout, "POST /form z 4");
});

test("listen: several requests of one HTTP/1.1 connection, pipelined → answered in order", async (t) => {
  const { urls } = await running(t, {});
  const socket = connectSocket({ port: portOf(urls[0] as string), host: "127.0.0.1" });
  socket.write("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  const text = await readUntil(socket, "/2");
  assert.ok(text.indexOf("GET /1") < text.indexOf("GET /2"));
  socket.destroy();
});

test("listen: bad HTTP/1.1 → 400 and closed, and the next connection is served", async (t) => {
  const { urls } = await running(t, {});
  const socket = connectSocket({ port: portOf(urls[0] as string), host: "127.0.0.1" });
  socket.write("\0\0garbage\r\n\r\n");
  await readUntil(socket, "400 Bad Request");
  await once(socket, "close");
  assert.equal((await get(`${urls[0]}/ok`)).status, 200);
});

test("listen: a body beyond the limit → 413, not held in memory", async (t) => {
  const { urls } = await running(t, {});
  const socket = connectSocket({ port: portOf(urls[0] as string), host: "127.0.0.1" });
  socket.on("error", () => {});
  socket.write("POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
  socket.write(Buffer.alloc(5_000_000));
  assert.match(await readUntil(socket, "too large"), /^HTTP\/1\.1 413 /);
  await once(socket, "close");
});

test("listen: no complete header in time → closed (FR-12)", async (t) => {
  const { urls } = await running(t, { headersTimeoutMs: 60 });
  const port = portOf(urls[0] as string);
  const silent = connectSocket({ port, host: "127.0.0.1" });
  const half = connectSocket({ port, host: "127.0.0.1" });
  half.write("GET / HTTP/1.1\r\nHost:");
  half.resume();
  await Promise.all([once(silent, "close"), once(half, "close")]);
});

test("listen: more connections than the cap → wait, and are served when others close (FR-07)", async (t) => {
  const gate = new ConnectionGate(2);
  const { urls } = await running(t, { gate });
  const port = portOf(urls[0] as string);
  const dial = async (): Promise<Socket> => {
    const socket = connectSocket({ port, host: "127.0.0.1" });
    socket.on("error", () => {});
    socket.write("PRI hello");
    await once(socket, "connect");
    return socket;
  };
  const first = await dial();
  await readUntil(first, "PRI HELLO");
  const second = await dial();
  await readUntil(second, "PRI HELLO");
  const third = await dial();
  assert.equal(gate.openCount, 2);
  first.destroy();
  await readUntil(third, "PRI HELLO");
  assert.equal(gate.openCount, 2);
  second.destroy();
  third.destroy();
});

test("listen: far more connections than the cap → the rest are closed at once (FR-07)", async (t) => {
  const warned: LogFields[] = [];
  const warn = (_: string, fields: LogFields = {}) => void warned.push(fields);
  const gate = new ConnectionGate(1, { ...quiet, warn });
  const { urls } = await running(t, { gate });
  const sockets = Array.from({ length: 70 }, () => {
    const socket = connectSocket({ port: portOf(urls[0] as string), host: "127.0.0.1" });
    socket.on("error", () => {});
    return socket;
  });
  await Promise.race(sockets.map((socket) => once(socket, "close")));
  const connecting = sockets.filter((socket) => socket.connecting);
  await Promise.all(connecting.map((socket) => once(socket, "connect")));
  assert.ok(gate.refused > 0);
  assert.equal(warned[0]?.["count"], 1);
  assert.equal(warned[0]?.["connections-max"], 1);
  const told = warned.reduce((sum, fields) => sum + Number(fields["count"]), 0);
  assert.ok(told <= gate.refused, "the rest is told with the next line, within a second");
  assert.equal(gate.openCount, 1);
  for (const socket of sockets) socket.destroy();
});

test("listen: the cap is the limit of open files less 150 (FR-07)", () => {
  assert.ok(descriptorLimit() > 0);
  assert.equal(connectionsMaxOf(1024), 874);
  assert.equal(connectionsMaxOf(100), 16);
});

test("listen: unix sockets, also named as host:port, a stale file replaced, a live one refused", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-unix-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, "name:1");
  await run(process.execPath, [
    "-e",
    `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`,
  ]).catch(() => {});
  assert.ok(existsSync(path));
  const { urls } = await running(t, { urls: [`unix://${path}`] });
  assert.equal(urls[0], `unix://${path}`);
  const { stdout } = await run("curl", ["-s", "--unix-socket", path, "http://x/u?q=1"]);
  assert.equal(stdout, "GET /u 1 0");
  await assert.rejects(
    listen({
      urls: [`unix://${path}`],
      http: echo,
      gate: new ConnectionGate(9),
      logger: quiet,
    }),
    /another process listens on this socket file/,
  );
});

test("listen: several URLs → all bound or none; a port in use is told with its URL", async (t) => {
  const { urls } = await running(t, { urls: ["http://127.0.0.1:0", "http://localhost:0"] });
  assert.equal(urls.length, 2);
  assert.notEqual(portOf(urls[0] as string), portOf(urls[1] as string));
  assert.equal((await get(`${urls[1]}/x`)).status, 200);
  await assert.rejects(
    listen({
      urls: ["http://127.0.0.1:0", urls[0] as string],
      http: echo,
      gate: new ConnectionGate(9),
      logger: quiet,
    }),
    { name: "HostError", message: new RegExp(`cannot listen on ${urls[0]}: .* already in use`) },
  );
});

test("listen: 0.0.0.0 → reached by IPv4 and, where there is IPv6, by IPv6", async (t) => {
  const { urls } = await running(t, { urls: ["http://0.0.0.0:0"] });
  assert.equal((await get(`http://127.0.0.1:${portOf(urls[0] as string)}/x`)).status, 200);
});

test("connect: writes, reads, end and close are told to the owner once", async (t) => {
  const { urls } = await running(t, {});
  const connection = await connect(urls[0] as string);
  const seen: string[] = [];
  const closed = new Promise<void>((resolve) => {
    connection.events = {
      onData: (chunk) => {
        seen.push(chunk.toString());
        connection.end();
      },
      onDrain() {},
      onClose: (error) => {
        assert.equal(error, undefined);
        resolve();
      },
    };
  });
  connection.start();
  connection.write(Buffer.from("PRI x"));
  await closed;
  assert.deepEqual(seen, ["PRI X"]);
  assert.equal(connection.write(Buffer.from("late")), false);
  await assert.rejects(connect("http://127.0.0.1:1"), /cannot connect to http:\/\/127.0.0.1:1: /);
});

test("connection: a reader that stops → write tells to wait, drain follows when it reads on", async (t) => {
  const { urls, connections } = await running(t, {});
  const socket = connectSocket({ port: portOf(urls[0] as string), host: "127.0.0.1" });
  socket.write("PRI x");
  await readUntil(socket, "PRI X");
  socket.pause();
  const connection = connections[0] as Connection;
  let drained = false;
  const onDrain = new Promise<void>((resolve) => {
    connection.events = {
      onData() {},
      onClose() {},
      onDrain: () => {
        drained = true;
        resolve();
      },
    };
  });
  let writes = 0;
  while (connection.write(Buffer.alloc(100_000)) || writes < 100) writes += 1;
  assert.ok(connection.bufferedBytes > 0);
  assert.equal(drained, false);
  socket.resume();
  await onDrain;
  assert.equal(connection.bufferedBytes, 0);
  socket.destroy();
});
