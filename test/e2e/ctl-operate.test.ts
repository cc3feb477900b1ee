/**
 * Members restarted and replaced under load by single commands, and those commands killed at each
 * step. What stands for the hosts is a small server that `--exec` asks.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect } from "../../src/client/index.ts";
import { CaughtUpWatch } from "../harness/caught-up-watch.ts";
import { Cluster, ClusterMember } from "../harness/cluster.ts";
import { ctl, CtlRun } from "../harness/ctl.ts";
import { Background, holdfastCommand, temporaryDirectory } from "../harness/process.ts";

const SAMPLE_MS = 10;
const WRITES_PER_SECOND = 500;
/** Half an election timeout: what a busy machine may keep a member from its work. */
const BEHIND_MS_MAX = 500;
/** A process of its own takes a while to begin on a busy machine. */
const BEGIN_MS_MAX = 30_000;

/** Of util-linux; makes a terminal. */
function hasScript(): boolean {
  return spawnSync("script", ["--version"]).status === 0;
}

/** The hosts: `%n` is restarted, or started empty, by GET. */
class Hosts {
  readonly restarted: string[] = [];
  onAsked: (() => void) | undefined;
  readonly #server: HttpServer;
  readonly #started: ClusterMember[] = [];

  constructor(cluster: () => Cluster) {
    this.#server = createServer((request, response) => {
      const url = new URL(request.url ?? "/", "http://hosts");
      const name = url.pathname.slice(1);
      const initialCluster = url.searchParams.get("cluster");
      this.onAsked?.();
      const done =
        initialCluster === null
          ? this.#restart(this.#memberOf(cluster(), name))
          : this.#startEmpty(this.#memberOf(cluster(), name), initialCluster);
      done.then(
        () => response.end("done\n"),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  command(query: string): string {
    const { port } = this.#server.address() as AddressInfo;
    const get = `fetch('http://127.0.0.1:${port}/%n${query}')`;
    return `${process.execPath} -e "${get}.then((r) => process.exit(r.ok ? 0 : 1))"`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    for (const member of this.#started) await member.dispose();
  }

  #memberOf(cluster: Cluster, name: string): ClusterMember {
    const all = [...this.#started.toReversed(), ...cluster.members];
    return all.find((one) => one.name === name) as ClusterMember;
  }

  async #restart(member: ClusterMember): Promise<void> {
    this.restarted.push(member.name);
    await member.stop();
    member.launch();
  }

  async #startEmpty(old: ClusterMember, initialCluster: string): Promise<void> {
    if (old.isRunning) await old.kill();
    const member = new ClusterMember("holdfast", old.name, old.place, {
      directory: join(temporaryDirectory("replaced"), "data"),
      initialCluster,
      state: "existing",
      flags: ["--initial-cluster-token", "holdfast-test"],
      env: {},
    });
    this.#started.push(member);
    member.launch();
  }
}

/** Writes at a fixed rate by a client that tries again, until it is ended. */
class Writer {
  readonly acknowledged: number[] = [];
  readonly errors: string[] = [];
  readonly client;
  readonly #timer: NodeJS.Timeout;
  readonly #writes = new Set<Promise<void>>();
  #count = 0;
  #longestMs = 0;

  constructor(endpoints: readonly string[]) {
    this.client = connect({ endpoints, timeoutMs: 30_000 });
    const begin = performance.now();
    this.#timer = setInterval(() => {
      const due = ((performance.now() - begin) / 1000) * WRITES_PER_SECOND;
      while (this.#count < due) this.#write();
    }, SAMPLE_MS);
  }

  get longestMs(): number {
    return this.#longestMs;
  }

  #write(): void {
    const number = this.#count;
    this.#count += 1;
    const begin = performance.now();
    const write = this.client.kv
      .put(`rolling/${number}`, String(number), { isRepeatable: true })
      .then(
        () => {
          this.acknowledged.push(number);
          this.#longestMs = Math.max(this.#longestMs, performance.now() - begin);
        },
        (error: Error) => void this.errors.push(error.message),
      )
      .finally(() => this.#writes.delete(write));
    this.#writes.add(write);
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#writes);
  }

  /** Numbers that were acknowledged and are not there. */
  async lost(): Promise<number[]> {
    const { kvs } = await this.client.kv.get("rolling/", { prefix: true });
    const there = new Map(kvs.map(({ key, value }) => [key.toString(), value.toString()]));
    return this.acknowledged.filter((one) => there.get(`rolling/${one}`) !== String(one));
  }
}

describe("operating three members by single commands", { timeout: 240_000 }, () => {
  let cluster: Cluster;
  let hosts: Hosts;
  const state = temporaryDirectory("ctl-state");

  before(async () => {
    cluster = await Cluster.start("holdfast", { members: 3 });
    hosts = new Hosts(() => cluster);
    await hosts.listen();
  });
  after(async () => {
    await hosts.close();
    await cluster.dispose();
  });

  const words = (...more: string[]): string[] => [
    ...["--endpoints", cluster.addresses.join(",")],
    ...more,
  ];
  /** In this process. */
  const run = (...more: string[]) => ctl(words(...more), { env: { XDG_STATE_HOME: state } });

  /** In a process of its own, killed as soon as `isTime` holds. */
  async function killed(isTime: (stdout: string) => boolean, ...more: string[]): Promise<void> {
    const { program, args } = holdfastCommand();
    const env = { XDG_STATE_HOME: state };
    const process = new Background(program, [...args, "ctl", ...words(...more)], env);
    await process.until(isTime, BEGIN_MS_MAX);
    await process.end("SIGKILL");
  }

  test("rolling-restart: 500 writes/s → nothing lost, no error, two caught-up voters (EQ-d4)", async (t) => {
    const exec = hosts.command("");
    const plan = await run("rolling-restart", "--exec", exec, "--dry-run");
    assert.equal(plan.code, 0, plan.stderr);
    assert.match(plan.stdout, /^1\. m\d \(follower\).*\n2\. .*\n3\. m\d \(leader: the leadership/);
    assert.deepEqual(hosts.restarted, []);

    const leader = await cluster.leader();
    const writer = new Writer(cluster.addresses);
    const watch = await CaughtUpWatch.begin(cluster.members);
    const result = await run("rolling-restart", "--exec", exec);
    const seen = await watch.end();
    await writer.end();
    try {
      assert.equal(result.code, 0, result.stderr);
      assert.equal(new Set(hosts.restarted).size, 3);
      assert.equal(hosts.restarted.length, 3);
      assert.equal(hosts.restarted.at(-1), leader.name);
      assert.deepEqual(writer.errors, []);
      assert.ok(writer.acknowledged.length > WRITES_PER_SECOND);
      assert.deepEqual(await writer.lost(), []);
      const behind = seen.behindMs.toSorted((one, other) => one - other);
      const share = (of: number): number => behind[Math.ceil(of * behind.length) - 1] as number;
      const shown = [0.9, 0.99, 1].map((of) => `${of * 100} %: ${Math.round(share(of))} ms`);
      t.diagnostic(`two voters behind by at most: ${shown.join(", ")}; ${behind.length} samples`);
      assert.ok(behind.length > seen.voids, `${behind.length} samples, ${seen.voids} void`);
      assert.ok(share(0.9) <= SAMPLE_MS, shown.join());
      assert.ok(share(1) <= BEHIND_MS_MAX, shown.join());
    } finally {
      writer.client.close();
    }
  });

  test("rolling-restart: killed while one restarts, and between two → goes on, each once", async () => {
    hosts.restarted.length = 0;
    const exec = hosts.command("");
    let isAsked = false;
    hosts.onAsked = () => {
      isAsked = true;
    };
    await killed(() => isAsked, "rolling-restart", "--exec", exec);
    hosts.onAsked = undefined;
    await killed((text) => text.includes("is back"), "rolling-restart", "--exec", exec);
    const result = await run("rolling-restart", "--exec", exec);
    assert.equal(result.code, 0, result.stderr);
    const [first = ""] = hosts.restarted;
    assert.match(
      result.stdout,
      new RegExp(`^(-  ${first}: done|-> ${first}: restarted) already$`, "m"),
    );
    // It was being restarted when the first run was killed: once more does no harm.
    const others = hosts.restarted.filter((name) => name !== first);
    assert.equal(others.length, 2);
    assert.equal(new Set(others).size, 2);
  });

  test("member replace: killed at each step → the same command goes on (BT-d7)", async () => {
    const [, , lost] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
    const id = (await lost.id()).toString(16);
    await lost.kill();
    const command = ["member", "replace", id, "--exec", hosts.command("?cluster=%c")];
    const plan = await run(...command, "--dry-run");
    assert.match(plan.stdout, /^1\. remove member .*\n2\. add .* as a learner\n3\. move /);
    for (const marker of ["1. removed", "2. added", "has started", "4. ", "5. "]) {
      await killed((text) => text.includes(marker), ...command);
    }
    const result = await run(...command);
    const isNoted = result.code === 0;
    // Killed after the vote, and before or after the last line.
    assert.ok(isNoted || /there is no member/.test(result.stderr), result.stderr);
    const list = await run("member", "list");
    assert.match(
      list.stdout,
      new RegExp(`, started, ${lost.name}, ${lost.peerUrl}, .*, false$`, "m"),
    );
    assert.ok(!list.stdout.includes(id), list.stdout);
    assert.equal(list.stdout.trim().split("\n").length, 3);
    const health = await run("endpoint", "health", "--cluster");
    assert.equal(health.code, 0, health.stdout + health.stderr);
  });

  test("member replace: the others are no majority → refused, nothing changed", async () => {
    const [first, second] = cluster.members as [ClusterMember, ClusterMember];
    const id = (await second.id()).toString(16);
    second.pause();
    first.pause();
    try {
      const refused = await run("member", "replace", id, "--dry-run", "--timeout", "1s");
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /of the other 2 voters serve, 2 are needed/);
    } finally {
      first.resume();
      second.resume();
    }
  });

  test("top, tree, browse, care log: a real cluster", async () => {
    const top = await run("top", "--once", "--interval", "200ms");
    assert.match(top.stdout, /cluster is .*; m\d leads; term \d+, revision \d+\n/, top.stderr);
    assert.match(top.stdout, /^m1 +(leader|follower) +\d+ +\d+ +\d+ +\d+ +\d+ +\d/m);
    for (const key of ["/a/b/c", "/a/b/d", "/a/e", "z"]) await run("put", key, `value of ${key}`);
    await run("del", "rolling/", "--prefix");
    const tree = await run("tree", "--depth", "2");
    assert.equal(
      tree.stdout,
      "(all keys)  4 keys\n├── /  3 keys\n│   └── a/  3 keys\n└── z\n",
      tree.stderr,
    );
    const sized = await run("tree", "/a/", "--sizes");
    assert.match(sized.stdout, /^\/a\/ {2}3 keys, 59 B\n├── b\/ {2}2 keys, 42 B\n/, sized.stdout);
    const browse = new CtlRun(words("browse"), {
      isTerminal: true,
      typed: (type) => type("\r\r\u001b[B\r"),
    });
    await browse.until((text) => text.includes("value of /a/e"));
    browse.interrupt();
    assert.equal((await browse.ended).code, 0);
    assert.ok(browse.stdout.endsWith("\x1b[?25h\x1b[?1049l"));
    const care = await run("care", "log", "-w", "json");
    assert.ok(Array.isArray(JSON.parse(care.stdout)), care.stderr);
  });

  test("browse: a pseudo terminal → typed letters are obeyed, and it is left as it was", {
    skip: !hasScript(),
  }, async () => {
    await run("put", "typed/key", "a value on a terminal");
    const { program, args } = holdfastCommand();
    const line = [program, ...args, "ctl", ...words("browse", "typed/")].join(" ");
    const terminal = new Background("script", ["-qec", line, "/dev/null"]);
    await terminal.until((text) => text.includes("1 of 1"), BEGIN_MS_MAX);
    terminal.write("\r");
    await terminal.until((text) => text.includes("a value on a terminal"), BEGIN_MS_MAX);
    terminal.write("q");
    assert.equal(await terminal.exited, 0);
    assert.ok(terminal.stdout.endsWith("\x1b[?25h\x1b[?1049l"));
  });
});
