import assert from "node:assert/strict";
import { test } from "node:test";
import { systemDigests as digests } from "../host/index.ts";
import { deriveClusterId, deriveMemberId, formatId } from "./ids.ts";

test("ids: the check value that a real etcd printed (ID-01, ID-02, ID-03)", () => {
  const member = deriveMemberId(["http://127.0.0.1:14080"], "etcd-cluster", digests);
  assert.equal(formatId(member), "85e71c34c36ff976");
  assert.equal(formatId(deriveClusterId([member], digests)), "50dd341aabeba085");
});

test("ids: the order in which URLs and ids are given does not matter (ID-05)", () => {
  const urls = ["http://10.0.0.2:2380", "http://10.0.0.1:2380"];
  assert.equal(
    deriveMemberId(urls, "t", digests),
    deriveMemberId([...urls].reverse(), "t", digests),
  );
  assert.equal(deriveClusterId([1n, 2n, 3n], digests), deriveClusterId([3n, 1n, 2n], digests));
});

test("ids: shown in hex without leading zeros (ID-04)", () => {
  assert.equal(formatId(0x7432a80b1896e97n), "7432a80b1896e97");
});
