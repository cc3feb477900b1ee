/** The hosts of the simulation themselves: what a crash leaves of a store that was being made. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "./harness.ts";

const MEDIUM = "/data/member.etcd/member/store/simulated-medium";

for (const [what, left] of [
  ["empty", ""],
  ["of the right size and unwritten", "\0"],
] as const) {
  test(`simulated host: a crash left the file of a new store ${what} → the store is a new one, not the host's first`, async () => {
    const cluster = await Cluster.start({ seed: 910, size: 3 });
    await cluster.put("key", "value");
    const node = cluster.followers()[0]!;
    node.mayFail = true;
    node.crash();
    node.disk.place(MEDIUM, Buffer.from(left));
    await cluster.settled(node.start());
    const restart = cluster.trace.last(1, new RegExp(`${node.host} info: recovered`));
    assert.match(restart, /"store-index":0,/);
    assert.equal((await node.disk.readFile(MEDIUM)).toString(), "1");
    await cluster.untilEven();
    assert.equal(cluster.read(node, "key"), "value");
    await cluster.close();
  });
}
