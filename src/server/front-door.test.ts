import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection, HttpRequest } from "../seam/index.ts";
import { connectionPair } from "../testing/index.ts";
import { FrontDoor } from "./front-door.ts";

const REQUEST: HttpRequest = {
  method: "GET",
  path: "/health",
  query: new URLSearchParams(),
  headers: {},
  body: Buffer.alloc(0),
  peer: { address: "127.0.0.1:1", isTls: false },
};

test("front door: what a client sends before the member serves is kept, in order", () => {
  const door = new FrontDoor();
  const [client, server] = connectionPair();
  door.onConnection(server);
  client.write(Buffer.from("hello"));
  client.deliver();
  assert.equal(server.isPaused, true, "a client cannot fill the memory meanwhile");
  client.write(Buffer.from(" there"));
  const seen: string[] = [];
  door.open((connection: Connection) => {
    connection.events = {
      onData: (chunk) => seen.push(chunk.toString()),
      onDrain: () => undefined,
      onClose: () => undefined,
    };
  });
  client.deliver();
  assert.deepEqual(seen, ["hello", " there"]);
});

test("front door: a connection that went away before is not served", () => {
  const door = new FrontDoor();
  const [client, server] = connectionPair();
  door.onConnection(server);
  client.destroy();
  let served = 0;
  door.open(() => {
    served += 1;
  });
  assert.equal(served, 0);
});

test("front door: health is answered once there is a member, other pages once it serves", async () => {
  const door = new FrontDoor();
  const answered: string[] = [];
  const ask = async (path: string): Promise<void> => {
    answered.push((await door.http({ ...REQUEST, path })).body.toString());
  };
  const version = ask("/version");
  const health = ask("/health");
  door.answer((request) => Promise.resolve({ status: 200, headers: {}, body: request.path }));
  await health;
  assert.deepEqual(answered, ["/health"]);
  door.open(() => undefined);
  await version;
  assert.deepEqual(answered, ["/health", "/version"]);
});
