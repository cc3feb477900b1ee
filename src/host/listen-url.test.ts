import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { HostError } from "./host-error.ts";
import { parseListenUrl } from "./listen-url.ts";

test("listen url: each form that etcd binds is understood", () => {
  const tcp = (url: string): unknown => {
    const { kind, isTls, ...rest } = parseListenUrl(url);
    return [kind, isTls, kind === "tcp" && "host" in rest ? [rest.host, rest.port] : undefined];
  };
  assert.deepEqual(tcp("http://127.0.0.1:2379"), ["tcp", false, ["127.0.0.1", 2379]]);
  assert.deepEqual(tcp("https://0.0.0.0:0/"), ["tcp", true, ["0.0.0.0", 0]]);
  assert.deepEqual(tcp("http://[::1]:2379"), ["tcp", false, ["::1", 2379]]);
  assert.deepEqual(tcp("http://localhost:80"), ["tcp", false, ["localhost", 80]]);
  assert.deepEqual(parseListenUrl("unix://name:1"), {
    kind: "unix",
    url: "unix://name:1",
    isTls: false,
    path: "name:1",
  });
  assert.equal(parseListenUrl("unixs:///run/a.sock").isTls, true);
});

test("listen url: what cannot be bound is refused by name", () => {
  for (const url of [
    "",
    "127.0.0.1:2379",
    "ftp://a:1",
    "http://a",
    "http://a:99999",
    "http://a:1/path",
    "http://user@a:1",
    "unix://",
    "http://a:1?q",
  ]) {
    assert.throws(() => parseListenUrl(url), HostError, url);
  }
});

test("listen url: random text → an address or a HostError, nothing else", () => {
  const prng = new Prng(7);
  const alphabet = "htps:/unix0127.[]@?#a ";
  const rounds = Number(process.env["FUZZ_RUNS"] ?? 2000);
  for (let round = 0; round < rounds; round += 1) {
    const length = prng.below(24);
    let url = prng.below(2) === 0 ? "http://" : "";
    for (let at = 0; at < length; at += 1) url += alphabet[prng.below(alphabet.length)];
    try {
      parseListenUrl(url);
    } catch (error) {
      assert.ok(error instanceof HostError, url);
    }
  }
});
