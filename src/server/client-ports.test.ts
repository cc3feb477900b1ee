import assert from "node:assert/strict";
import { test } from "node:test";
import { advertised } from "./client-ports.ts";

test("advertised URLs: not given, or with port 0 → the ports that are listened on", () => {
  const bound = ["http://127.0.0.1:41001", "https://127.0.0.1:41002", "http://127.0.0.1:41003"];
  assert.deepEqual(advertised(undefined, bound), bound);
  assert.deepEqual(advertised(["http://h:0", "https://h:0/", "http://h:0"], bound), [
    "http://h:41001",
    "https://h:41002/",
    "http://h:41003",
  ]);
  assert.deepEqual(advertised(["https://h:0"], bound), ["https://h:41002"]);
});

test("advertised URLs: a real port, a socket file, nothing like it that is listened on → as given", () => {
  const given = ["http://h:2379", "unix://h:0", "https://h:0", "http://h:10"];
  assert.deepEqual(advertised(given, ["http://127.0.0.1:41001"]), given);
});
