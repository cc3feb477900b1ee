import assert from "node:assert/strict";
import { test } from "node:test";
import { peerUrlList } from "./peer-url-list.ts";

test("peer URLs: what members can have → a list as typed (CT-18)", () => {
  const good = ["http://a:1", "https://[::1]:2380", "unix://x/y"];
  assert.deepEqual(peerUrlList(good.join(",")), good);
});

test("peer URLs: what they cannot → refused in etcd's words (CT-18)", () => {
  const cases = [
    ["bad", "URL scheme must be http, https, unix, or unixs: bad"],
    ["ftp://a:1", "URL scheme must be http, https, unix, or unixs: ftp://a:1"],
    ["http://a", 'URL address does not have the form "host:port": http://a'],
    ["http://::1:5", 'URL address does not have the form "host:port": http://::1:5'],
    ["http://a:1,http://b:1/c", "URL must not contain a path: http://b:1/c"],
    ["", "URL scheme must be http, https, unix, or unixs: "],
  ];
  for (const [text = "", message = ""] of cases) {
    assert.throws(() => peerUrlList(text), { message, exitCode: 1 });
  }
});
