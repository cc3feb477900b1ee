import assert from "node:assert/strict";
import { test } from "node:test";
import type { EtcdError } from "../../src/errors/index.ts";
import { emptyPutRequest } from "../../src/wire/index.ts";
import { Cluster } from "./harness.ts";
import type { ClusterMember } from "./node.ts";

/** Asks for one thing of each kind; the answers come into `answers`, one line each. */
function askEverything(
  member: ClusterMember,
  target: bigint,
  answers: Map<string, string[]>,
): void {
  const waiterOf = (name: string) => {
    const lines: string[] = [];
    answers.set(name, lines);
    return {
      done: () => void lines.push("done"),
      refused: (error: EtcdError) => void lines.push(error.id),
    };
  };
  const put = { ...emptyPutRequest(), key: "k", value: Buffer.from("v") };
  member.propose({ kind: "put", put }, waiterOf("put"));
  member.readIndex(waiterOf("read"));
  member.addMember(["http://new:2380"], true, waiterOf("add"));
  member.updateMember(target, ["http://other:2380"], waiterOf("update"));
  member.removeMember(member.id, waiterOf("remove itself"));
  member.promoteMember(target, waiterOf("promote"));
  member.moveLeader(target, waiterOf("move"));
  member.keepAlive(7n, waiterOf("renew"));
  member.leaseTimes(7n, true, waiterOf("times"));
}

for (const part of ["leader", "follower"] as const) {
  // A change of the membership that was asked for at a stop was never answered: it was noted after
  // those that waited had been refused, and the clock that would have ended it was stopped.
  test(`close: a ${part} without a quorum, asked for everything → each is answered once`, async () => {
    const cluster = await Cluster.start({ seed: 301, size: 3 });
    const leader = await cluster.untilLeader();
    await cluster.run(6_000);
    const [follower] = cluster.followers();
    assert.ok(follower !== undefined);
    const node = part === "leader" ? leader : follower;
    const other = part === "leader" ? follower : leader;
    const rest = cluster.nodes.filter((each) => each !== node).map(({ host }) => host);
    cluster.network.partition([[node.host], rest]);
    const before = new Map<string, string[]>();
    const after = new Map<string, string[]>();
    const member = node.running;
    askEverything(member, other.id, before);
    const closed = member.close();
    assert.equal(member.close(), closed, "asked twice, it is closed once");
    await cluster.settled(closed, 10_000);
    askEverything(member, other.id, after);
    await cluster.run(1_000);
    for (const [when, answers] of [
      ["before", before],
      ["after", after],
    ] as const) {
      for (const [name, lines] of answers) {
        assert.equal(lines.length, 1, `${name}, asked ${when} the stop: ${lines}`);
        // A leader renews by itself for as long as it may believe that it leads.
        const needsQuorum = name !== "renew" || part === "follower" || when === "after";
        if (needsQuorum) assert.notEqual(lines[0], "done", `${name} needs a quorum`);
      }
    }
    await cluster.close();
  });
}

test("close: a follower with a quorum → what was asked before is done, not refused", async () => {
  const cluster = await Cluster.start({ seed: 302, size: 3 });
  await cluster.untilLeader();
  const [follower] = cluster.followers();
  assert.ok(follower !== undefined);
  const answers = [cluster.putOn(follower, "a", "1"), cluster.getOn(follower, "a")];
  const closed = follower.running.close();
  await cluster.settled(Promise.all(answers));
  await cluster.settled(closed);
  assert.equal(await cluster.get("a"), "1");
  await cluster.close();
});
