/** `holdfast ctl` as a process, and what etcdctl does not do: a lock's program that is told. */
import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ctl, CtlRun } from "../harness/ctl.ts";
import {
  Background,
  holdfastCommand,
  ROOT,
  run,
  type Server,
  start,
  temporaryDirectory,
} from "../harness/process.ts";

describe("CT ctl", { concurrency: false }, () => {
  let server: Server;
  before(async () => {
    server = await start("holdfast");
  });
  after(async () => {
    await server?.dispose();
  });

  function command(...words: string[]): { program: string; args: string[] } {
    const { program, args } = holdfastCommand();
    return { program, args: [...args, "ctl", "--endpoints", server.address, ...words] };
  }

  test("CT-02 CT-01 as a process: values of any bytes through stdin and stdout → unchanged", async () => {
    const put = command("put", "file");
    const written = await run(put.program, put.args, { input: "two\nlines, é\n" });
    assert.deepEqual(written, { code: 0, stdout: "OK\n", stderr: "" });
    const get = command("get", "file", "--print-value-only");
    assert.equal((await run(get.program, get.args)).stdout, "two\nlines, é\n\n");
  });

  test("CT-05 watch as a process: a program for each event; SIGINT → ended as by it", async () => {
    const { program, args } = command(
      "watch",
      "w",
      "--",
      "sh",
      "-c",
      'echo "got $ETCD_WATCH_VALUE"',
    );
    const watch = new Background(program, args);
    let count = 0;
    await watch.until(() => {
      // The watch says nothing when it has begun.
      count += 1;
      if (count % 10 === 1) void ctl(["--endpoints", server.address, "put", "w", "v"]);
      return watch.stdout.includes('got "v"');
    });
    assert.equal(await watch.end("SIGINT"), 130);
  });

  test("CT bin/holdfast: through a link named etcdctl → is etcdctl", async () => {
    const link = join(temporaryDirectory("link"), "etcdctl");
    symlinkSync(join(ROOT, "bin", "holdfast"), link);
    const { stdout } = await run(link, ["version"]);
    // Without a build there is nothing that the link could start.
    if (stdout !== "") assert.equal(stdout, "etcdctl version: 3.7.1\nAPI version: 3.7\n");
  });

  test("CT-04 txn -i: the parts are asked for in turn", async () => {
    const input = 'create("t") = "0"\n\nput t 1\n\nget t\n\n';
    const first = await ctl(["--endpoints", server.address, "txn", "-i"], { input });
    assert.equal(
      first.stdout,
      "compares:\nsuccess requests (get, put, del):\nfailure requests (get, put, del):\n" +
        "SUCCESS\n\nOK\n",
    );
    const again = await ctl(["--endpoints", server.address, "txn"], { input });
    assert.equal(again.stdout, "FAILURE\n\nt\n1\n");
  });

  test("CT-05 watch -i: progress → shown once by each watch, and events", async () => {
    const lines = Promise.withResolvers<void>();
    const watch = new CtlRun(["--endpoints", server.address, "watch", "-i"], {
      input: "watch a\nwatch b\nprogress\n",
      endsAfter: lines.promise,
    });
    await watch.until((text) => (text.match(/progress notify: \d+\n/g) ?? []).length === 2);
    await ctl(["--endpoints", server.address, "put", "b", "2"]);
    await watch.until((text) => text.endsWith("PUT\nb\n2\n"));
    lines.resolve();
    const { code, stderr } = await watch.ended;
    assert.equal(code, 3);
    assert.equal(stderr, "Error: error reading watch request line: EOF\n");
  });

  test("CT-27 lock: servers out of reach for longer than the ttl → the program is told", async () => {
    const told = 'trap "echo told; exit 0" TERM; echo holding; while :; do sleep 0.05; done';
    const other = await start("holdfast");
    try {
      const lock = new CtlRun(
        ["--endpoints", other.address, "--command-timeout=1s"].concat([
          "lock",
          "job",
          "--ttl=2",
          "--",
          "sh",
          "-c",
          told,
        ]),
      );
      await lock.until((text) => text.includes("holding"));
      other.signal("SIGSTOP");
      const { code, stdout, stderr } = await lock.ended;
      assert.equal(stdout, "holding\ntold\n");
      assert.deepEqual([code, stderr], [1, "Error: session expired\n"]);
    } finally {
      await other.dispose();
    }
  });

  test("CT-01 get --stream: a range in pieces → the same answer", async () => {
    const whole = await ctl(["--endpoints", server.address, "get", "", "--prefix", "-w", "json"]);
    const pieces = await ctl([
      "--endpoints",
      server.address,
      "get",
      "",
      "--prefix",
      "-w",
      "json",
      "--stream",
    ]);
    assert.deepEqual(pieces, whole);
  });
});
