/** The process: how it starts, what it refuses, how it ends, and what is there after a restart. */
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { METHODS, TestClient } from "../harness/client.ts";
import { decode } from "../harness/proto.ts";
import { lastWalFile, LogEntry, WalSnapshot } from "../robustness/wal-file.ts";
import {
  freePort,
  holdfastCommand,
  http,
  poll,
  run,
  type Server,
  start,
  temporaryDirectory,
} from "../harness/process.ts";

function holdfast(args: readonly string[], env: Record<string, string> = {}) {
  const command = holdfastCommand();
  return run(command.program, [...command.args, ...args], { env, deadlineMs: 15_000 });
}

describe("lifecycle", () => {
  const started: Server[] = [];
  const directories: string[] = [];
  after(async () => {
    for (const server of started) await server.dispose();
    for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  });

  async function begin(...args: Parameters<typeof start>): Promise<Server> {
    const server = await start(...args);
    started.push(server);
    return server;
  }

  test("start: lines are JSON, and the one that tools wait for is there", async () => {
    const server = await begin("holdfast");
    await poll("the line", () => server.log.includes("ready to serve client requests"));
    const lines = server.log.trim().split("\n");
    for (const line of lines) {
      const entry = JSON.parse(line) as Record<string, unknown>;
      for (const name of ["level", "ts", "caller", "msg"]) {
        assert.equal(typeof entry[name], "string", `${name} in ${line}`);
      }
    }
  });

  test("start as 3.4: the two lines that tools of that time wait for, at each start", async () => {
    const flags = ["--compat", "3.4"];
    const server = await begin("holdfast", { flags });
    await server.stop();
    const again = await begin("holdfast", { flags, dataDirectory: server.dataDirectory });
    for (const line of [
      "published local member to cluster through raft",
      "enabled capabilities for version",
    ]) {
      await poll(line, () => server.log.includes(line) && again.log.includes(line));
    }
    const version = await http(`${again.url}/version`);
    assert.match(version.body, /"etcdserver":"3\.4\.\d+"/);
  });

  test("stop: SIGTERM under load → answers given, exit 0 within 5 s (FR-13)", async () => {
    const server = await begin("holdfast");
    const client = new TestClient(server.address);
    let acknowledged = 0;
    const write = async (): Promise<void> => {
      for (let i = 0; ; i++) {
        const answer = await client.call(METHODS.put, { key: Buffer.from(`k${i}`) });
        if (!answer.ok) return;
        acknowledged++;
      }
    };
    const writers = [write(), write(), write()];
    await poll("some writes", () => acknowledged > 20);
    const startedAt = performance.now();
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    assert.ok(performance.now() - startedAt < 5_000);
    await Promise.all(writers);
    client.close();
  });

  test("stop: SIGINT → exit 0, or ended by the signal (FR-13)", async () => {
    const server = await begin("holdfast");
    server.signal("SIGINT");
    const exit = await server.exited;
    assert.ok(exit.code === 0 || exit.signal === "SIGINT", JSON.stringify(exit));
  });

  test("restart: keys, revision, history, leases and their keys are as before (DB-01 LE-11)", async () => {
    const first = await begin("holdfast");
    const client = new TestClient(first.address);
    await client.must(METHODS.leaseGrant, { id: 9n, ttl: 500n });
    for (let i = 0; i < 50; i++) {
      const value = Buffer.from(String(i));
      await client.must(METHODS.put, { key: Buffer.from(`r${i % 5}`), value, lease: 9n });
    }
    const { deleted, header } = await client.must(METHODS.deleteRange, { key: Buffer.from("r4") });
    assert.equal(deleted, 1n);
    const all = { key: Buffer.from([0]), rangeEnd: Buffer.from([0]) };
    const before = await client.must(METHODS.range, all);
    const past = await client.must(METHODS.range, { ...all, revision: 20n });
    const hash = await client.must(METHODS.hashKv, {});
    client.close();
    await first.stop();

    const second = await begin("holdfast", { dataDirectory: first.dataDirectory });
    const again = new TestClient(second.address);
    const now = await again.must(METHODS.range, all);
    assert.deepEqual(now.kvs, before.kvs);
    assert.equal(now.header?.revision, header?.revision);
    assert.deepEqual((await again.must(METHODS.range, { ...all, revision: 20n })).kvs, past.kvs);
    assert.equal((await again.must(METHODS.hashKv, {})).hash, hash.hash);
    const lease = await again.must(METHODS.leaseTimeToLive, { id: 9n, keys: true });
    assert.ok(lease.ttl > 400n && lease.ttl <= 502n, `${lease.ttl} s left`);
    assert.deepEqual(lease.keys.map(String).sort(), ["r0", "r1", "r2", "r3"]);
    again.close();
  });

  test("log: a new cluster begins with its member, each start with an empty entry of a new term (RA-06 RA-07 RA-10)", async () => {
    const first = await begin("holdfast");
    await first.stop();
    const second = await begin("holdfast", { dataDirectory: first.dataDirectory });
    await second.kill();
    const entries = lastWalFile(first.dataDirectory)
      .frames.filter((frame) => frame.type === 2)
      .map((frame) => decode(LogEntry, frame.data));
    const [founding] = entries;
    assert.deepEqual([founding?.type, founding?.term, founding?.index], [1, 1n, 1n]);
    const context = founding?.data.toString("latin1") ?? "";
    assert.ok(context.includes(`http://127.0.0.1:${first.ports.peer}`), context);
    const markers = entries.filter((entry) => entry.type === 0 && entry.data.length === 0);
    assert.deepEqual(
      markers.map((entry) => entry.term),
      [2n, 3n],
    );
    for (let i = 1; i < entries.length; i++) {
      assert.equal(entries[i]?.index, (entries[i - 1]?.index ?? 0n) + 1n);
    }
  });

  test("log: snapshot records follow the store, and a restart goes on from there (SN-05 WL-09)", async () => {
    const flags = ["--snapshot-count", "20"];
    const first = await begin("holdfast", { flags });
    const client = new TestClient(first.address);
    const marks = (): bigint[] =>
      lastWalFile(first.dataDirectory)
        .frames.filter((frame) => frame.type === 5)
        .map((frame) => decode(WalSnapshot, frame.data).index);
    let count = 0;
    await poll("a snapshot record beyond the first", async () => {
      for (let i = 0; i < 30; i++, count++) {
        await client.must(METHODS.put, { key: Buffer.from("n"), value: Buffer.from(`${count}`) });
      }
      return marks().some((index) => index > 0n);
    });
    client.close();
    await first.kill();
    assert.deepEqual(
      marks(),
      marks().toSorted((a, b) => (a < b ? -1 : 1)),
    );
    const second = await begin("holdfast", { flags, dataDirectory: first.dataDirectory });
    const again = new TestClient(second.address);
    const { kvs } = await again.must(METHODS.range, { key: Buffer.from("n") });
    again.close();
    assert.equal(kvs[0]?.value.toString(), String(count - 1));
    assert.equal(kvs[0]?.version, BigInt(count));
  });

  test("refused: a data directory in use → one clear line and exit 1, its owner goes on", async () => {
    const owner = await begin("holdfast");
    const url = `http://127.0.0.1:${await freePort()}`;
    const second = await holdfast([
      ...["--data-dir", owner.dataDirectory],
      ...["--listen-client-urls", url, "--advertise-client-urls", url],
    ]);
    assert.equal(second.code, 1, second.stderr);
    assert.ok(second.stderr.includes(owner.dataDirectory), second.stderr);
    assert.equal((await http(`${owner.url}/health`)).status, 200);
  });

  test("refused: a port in use → exit 1, with the address", async () => {
    const owner = await begin("holdfast");
    const directory = temporaryDirectory("port");
    directories.push(directory);
    const second = await holdfast([
      ...["--data-dir", directory, "--listen-client-urls", owner.url],
      ...["--advertise-client-urls", owner.url],
    ]);
    assert.equal(second.code, 1, second.stderr);
    assert.ok(second.stderr.includes(owner.address), second.stderr);
  });

  test("refused: a data directory that cannot be made → exit 1, with its path", async () => {
    const directory = temporaryDirectory("file");
    directories.push(directory);
    const file = join(directory, "file");
    writeFileSync(file, "not a directory");
    const path = join(file, "data");
    const result = await holdfast(["--data-dir", path]);
    assert.equal(result.code, 1, result.stderr);
    assert.ok(result.stderr.includes(path), result.stderr);
  });

  test("refused: unknown flags, flags given twice, bad values → the flag by name", async () => {
    const unknown = await holdfast(["--no-such-flag", "1"]);
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /no-such-flag/);
    const later = await holdfast(["--discovery-token", "x"]);
    assert.notEqual(later.code, 0);
    assert.match(later.stderr, /discovery-token/);
    const twice = await holdfast(["--name", "a"], { ETCD_NAME: "b" });
    assert.notEqual(twice.code, 0);
    assert.match(twice.stderr, /ETCD_NAME|name/);
    const bad = await holdfast(["--max-txn-ops", "many"]);
    assert.notEqual(bad.code, 0);
    assert.match(bad.stderr, /max-txn-ops/);
  });

  test("asked: --version and --help → text on standard output, exit 0", async () => {
    const version = await holdfast(["--version"]);
    assert.equal(version.code, 0);
    assert.match(version.stdout, /^etcd Version: 3\.7\.\d+\n/);
    const old = await holdfast(["--compat", "3.4", "--version"]);
    assert.match(old.stdout, /^etcd Version: 3\.4\.\d+\n/);
    const help = await holdfast(["--help"]);
    assert.equal(help.code, 0);
    assert.match(help.stdout, /--listen-client-urls/);
  });

  test("metrics listener: health and metrics on a port of their own (HT-11)", async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    await begin("holdfast", { flags: ["--listen-metrics-urls", url] });
    assert.equal((await http(`${url}/health`)).status, 200);
    assert.match((await http(`${url}/metrics`)).body, /^etcd_server_has_leader 1$/m);
    assert.equal((await http(`${url}/v3/kv/range`, "POST", "{}")).status, 404);
  });

  test("configuration file: replaces flags; its data directory is used", async () => {
    const directory = temporaryDirectory("config");
    directories.push(directory);
    const data = join(directory, "from-file");
    const file = join(directory, "etcd.yml");
    const url = `http://127.0.0.1:${await freePort()}`;
    const lines = [
      `data-dir: ${data}`,
      `listen-client-urls: ${url}`,
      `advertise-client-urls: ${url}`,
    ];
    writeFileSync(file, `${lines.join("\n")}\n`);
    const server = await start("holdfast", {
      flags: ["--config-file", file],
      isReadyAwaited: false,
    });
    started.push(server);
    await poll(
      "health",
      async () => (await http(`${url}/health`).catch(() => undefined))?.status === 200,
    );
    assert.ok(readFileSync(join(data, "member", "format")).length > 0);
  });
});
