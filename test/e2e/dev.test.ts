/** `holdfast dev` as a user runs it, without a terminal. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import {
  Background,
  etcdctl,
  freePort,
  holdfastCommand,
  poll,
  run,
  temporaryDirectory,
} from "../harness/process.ts";

/** On a machine with other work. */
const START_MS_MAX = 30_000;

/** A port that has `count` free ones from it on, as likely as not. */
async function basePort(count: number): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port + count < 32_000) return port;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("holdfast dev", () => {
  const running: Background[] = [];
  after(async () => {
    for (const child of running) await child.end("SIGTERM");
  });

  function dev(...parts: string[]): Background {
    const { program, args } = holdfastCommand();
    const child = new Background(program, [...args, "dev", ...parts]);
    running.push(child);
    return child;
  }

  /** Process ids of the members, by name. */
  async function ready(child: Background): Promise<Map<string, number>> {
    await child.until((text) => /^ready; pids: /m.test(text), START_MS_MAX);
    const list = /^ready; pids: (.*)$/m.exec(child.stdout)?.[1] ?? "";
    return new Map(
      list.split(", ").map((part) => [part.split(" ")[0] ?? "", Number(part.slice(3))]),
    );
  }

  test("three members start, the leader is killed, writes go on, everything is stopped and gone", async () => {
    const port = await basePort(6);
    const child = dev("--base-port", String(port));
    const pids = await ready(child);
    assert.deepEqual([...pids.keys()], ["m1", "m2", "m3"]);
    const directory = /data and logs in (\S+) \(removed at the end\)/.exec(child.stdout)?.[1] ?? "";
    assert.deepEqual(readdirSync(directory).sort().slice(0, 3), ["dev.json", "m1", "m1.log"]);
    const endpoints = /ETCDCTL_ENDPOINTS=(\S+)/.exec(child.stdout)?.[1] ?? "";
    await child.until((text) => /^m\d leads: term \d+/m.test(text), START_MS_MAX);
    const leader = /^(m\d) leads/m.exec(child.stdout)?.[1] ?? "";
    assert.equal((await etcdctl({ address: endpoints }, ["put", "k", "1"])).code, 0);
    process.kill(pids.get(leader) ?? 0, "SIGKILL");
    await child.until((text) => text.includes(`${leader} ended by itself (SIGKILL)`), START_MS_MAX);
    assert.equal((await etcdctl({ address: endpoints }, ["put", "k", "2"])).code, 0);
    await child.until((text) => (text.match(/^m\d leads/gm) ?? []).length === 2, START_MS_MAX);
    assert.equal(await child.end("SIGTERM"), 0);
    for (const pid of pids.values()) assert.equal(isAlive(pid), false);
    assert.equal(existsSync(directory), false);
  });

  test("a given directory is kept, and the same command starts the same cluster again", async () => {
    const directory = join(temporaryDirectory("dev"), "cluster");
    const port = await basePort(2);
    const parts = ["--members", "1", "--base-port", String(port), "--data-dir", directory];
    const first = dev(...parts);
    await ready(first);
    assert.equal((await etcdctl({ address: `127.0.0.1:${port}` }, ["put", "k", "v"])).code, 0);
    assert.equal(await first.end("SIGINT"), 0);
    const again = dev("--data-dir", directory);
    await ready(again);
    const { stdout } = await etcdctl({ address: `127.0.0.1:${port}` }, ["get", "k"]);
    assert.equal(stdout, "k\nv\n");
    assert.equal(await again.end("SIGTERM"), 0);
    assert.ok(existsSync(join(directory, "m1", "member")));
  });

  test("killed itself → its members end too", async () => {
    const port = await basePort(2);
    const child = dev("--members", "1", "--base-port", String(port));
    const pids = await ready(child);
    await child.end("SIGKILL");
    await poll("the member ends", () => !isAlive(pids.get("m1") ?? 0));
    const directory = /data and logs in (\S+) /.exec(child.stdout)?.[1] ?? "";
    assert.ok(existsSync(directory), "what was not stopped is left to be looked at");
    rmSync(directory, { recursive: true });
  });

  test("--kill-leader-every: kills and starts again, without end", async () => {
    const port = await basePort(6);
    const child = dev("--base-port", String(port), "--kill-leader-every", "2");
    await ready(child);
    await child.until(
      (text) => (text.match(/killing the leader/g) ?? []).length >= 2,
      START_MS_MAX,
    );
    await child.until((text) => text.includes("is started again"), START_MS_MAX);
    assert.equal(await child.end("SIGTERM"), 0);
  });

  test("what cannot be is told, with exit code 1: a taken port, a flag that no member takes", async () => {
    const port = await basePort(2);
    const parts = ["--members", "1", "--base-port", String(port)];
    const first = dev(...parts);
    await ready(first);
    const { program, args } = holdfastCommand();
    const second = await run(program, [...args, "dev", ...parts]);
    assert.deepEqual(
      [second.code, second.stderr],
      [1, `holdfast dev: port ${port} is taken; choose another --base-port\n`],
    );
    await first.end("SIGTERM");
    const wrong = await run(program, [
      ...args,
      "dev",
      ...parts,
      "--",
      "--heartbeat-interval",
      "900",
    ]);
    assert.equal(wrong.code, 1);
    assert.match(
      wrong.stdout,
      /m1 ended by itself \(exit code 1\): .*--election-timeout\[1000ms\]/,
    );
  });
});
