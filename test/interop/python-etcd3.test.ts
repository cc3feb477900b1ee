/** python3-etcd3 as it comes from Debian, on three members, of which one is killed half way. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { Cluster } from "../harness/cluster.ts";
import { Background, ROOT, UNDER_TEST } from "../harness/process.ts";

const PYTHON = "/usr/bin/python3";
const SCRIPT = join(ROOT, "test", "interop", "python-etcd3.py");
const isThere = spawnSync(PYTHON, ["-c", "import etcd3"]).status === 0;

const BEFORE = [
  "get 1 version 1",
  "txn True ",
  "txn False 2",
  "replace True False",
  "lease 60 ['leased']",
  "watch put w/1 one, put w/2 two, delete w/1",
  "lock True True",
  "free False False",
  "ready",
];
const AFTER = [
  "get 3",
  "put three",
  "watch put w/1 one, put w/2 two, delete w/1, put w/3 three",
  "lease 60 x",
  "lock True False",
  "release True True",
  "revoked None",
  "members 3",
  "done",
];

test("python-etcd3: kv, txn, lease, watch and lock, the leader killed half way → every step as with etcd", {
  skip: isThere ? false : "python3-etcd3 is not installed",
}, async () => {
  const cluster = await Cluster.start(UNDER_TEST, { members: 3 });
  try {
    const leader = await cluster.leader();
    const others = cluster.members.filter((member) => member !== leader);
    const addresses = [leader, ...others].map((member) => member.address);
    const program = new Background(PYTHON, [SCRIPT, ...addresses]);
    const lines = (): string[] => program.stdout.split("\n").slice(0, -1);
    const ended = program.exited.then(() => {});
    await Promise.race([ended, program.until(() => lines().includes("ready"), 30_000)]);
    assert.deepEqual(lines(), BEFORE, program.stderr);
    await leader.kill();
    program.write("go\n");
    assert.equal(await program.exited, 0, program.stderr);
    assert.deepEqual(lines().slice(BEFORE.length), AFTER);
  } finally {
    await cluster.dispose();
  }
});
