/** Commands about a cluster against members of Holdfast, as the newest etcdctl has them. */
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { METHODS, TestClient } from "../harness/client.ts";
import { ctl, CtlRun } from "../harness/ctl.ts";
import { freePort, poll, type Server, start, temporaryDirectory } from "../harness/process.ts";

describe("ctl on a cluster", { timeout: 120_000 }, () => {
  let server: Server;
  let mirror: Server;
  let client: TestClient;
  let copy: TestClient;

  before(async () => {
    server = await start("holdfast");
    mirror = await start("holdfast");
    client = new TestClient(server.address);
    copy = new TestClient(mirror.address);
  });
  after(async () => {
    client?.close();
    copy?.close();
    await server?.dispose();
    await mirror?.dispose();
  });

  async function printed(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await ctl(["--endpoints", server.address, ...words]);
    assert.equal(`${code}${stderr}`, "0", words.join(" "));
    return stdout;
  }

  /** Keys and values of the copy, in order. */
  async function copied(): Promise<string> {
    const { kvs } = await copy.must(METHODS.range, {
      key: Buffer.from([0]),
      rangeEnd: Buffer.from([0]),
    });
    return kvs.map(({ key, value }) => `${key.toString()}=${value.toString()}`).join(" ");
  }

  const put = (key: string, value: string): Promise<unknown> =>
    client.must(METHODS.put, { key: Buffer.from(key), value: Buffer.from(value) });

  test("CT-15 endpoint status → the columns of 3.7", async () => {
    assert.match(
      await printed("endpoint", "status"),
      new RegExp(
        `^${server.address}, [0-9a-f]+, 3\\.7\\.1, 3\\.7\\.0, \\S+ [kM]?B, \\S+ [kM]?B, \\d+%, 2\\.1 GB, true, false, \\d+, \\d+, \\d+, , , false\\n$`,
      ),
    );
    const [head] = (await printed("endpoint", "status", "-w", "table")).split("\n").slice(1);
    assert.match(head ?? "", /STORAGE VERSION \| DB SIZE \| +IN USE +\| PERCENTAGE NOT IN USE/);
    const fields = await printed("endpoint", "status", "-w", "fields");
    assert.match(fields, /^"DBSizeQuota" : 2147483648$/m);
    assert.match(fields, /^"DowngradeEnabled" : false$/m);
    const [one] = JSON.parse(await printed("endpoint", "status", "-w", "json")) as [
      { Status: { storageVersion: string; downgradeInfo: object } },
    ];
    assert.deepEqual([one.Status.storageVersion, one.Status.downgradeInfo], ["3.7.0", {}]);
  });

  test("CT-16 endpoint hashkv → with the revision it is of", async () => {
    assert.match(
      await printed("endpoint", "hashkv"),
      new RegExp(`^${server.address}, \\d+, 1\\n$`),
    );
    assert.match(await printed("endpoint", "hashkv", "-w", "fields"), /^"HashRevision" : 1$/m);
  });

  test("CT-17 CT-18 member add, list → as learner, ids as text with --hex", async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    let text = "";
    await poll("a healthy cluster", async () => {
      const words = ["--endpoints", server.address, "member", "add", "x", "--learner"];
      text = (await ctl([...words, "--peer-urls", url])).stdout;
      return text !== "";
    });
    const [, id = "", cluster = ""] =
      /^Member +([0-9a-f]+) added as learner to cluster +([0-9a-f]+)\n\nETCD_NAME="x"\n/.exec(
        text,
      ) ?? [];
    const { header, members } = JSON.parse(
      await printed("member", "list", "-w", "json", "--hex"),
    ) as { header: { cluster_id: string }; members: { ID: string; isLearner?: boolean }[] };
    assert.equal(header.cluster_id, cluster);
    assert.deepEqual(members.find(({ ID }) => ID === id)?.isLearner, true);
    const isListed = new RegExp(`^"ID" : ${id}$`, "m");
    assert.match(await printed("member", "list", "-w", "fields", "--hex"), isListed);
    assert.match(await printed("member", "remove", id), /^Member +[0-9a-f]+ removed from cluster /);
  });

  test("CT-12 defrag → how long it took; told while it goes on, on a terminal", async () => {
    const line = `Finished defragmenting etcd member[${server.address}]. took `;
    assert.ok((await printed("defrag")).startsWith(line));
  });

  test("CT-20 snapshot save → whole, private, nothing left beside it; a bar on a terminal", async () => {
    const path = join(temporaryDirectory("ctl-save"), "s.db");
    const shown = await ctl(["--endpoints", server.address, "snapshot", "save", path], {
      isTerminal: true,
    });
    assert.match(
      shown.stdout,
      /^\rfetching snapshot {2}\[[#.]{24}\] .* of .*\r\x1b\[KSnapshot saved at .*\nServer version 3\.7\.0\n$/s,
    );
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.throws(() => statSync(`${path}.part`), { code: "ENOENT" });
  });

  test("CT-29 downgrade validate, enable, cancel → a line each, refusals in etcd's words", async () => {
    const success = (what: string, version: string): string =>
      `Downgrade ${what} success, cluster version ${version}\n`;
    assert.equal(await printed("downgrade", "validate", "3.6"), success("validate", "3.7"));
    assert.equal(await printed("downgrade", "enable", "3.6"), success("enable", "3.7"));
    await poll("the downgrade has begun", async () => {
      return (await printed("endpoint", "status")).endsWith(", 3.6.0, true\n");
    });
    assert.match(await printed("downgrade", "cancel"), /^Downgrade cancel success, /);
    const refused = await ctl(["--endpoints", server.address, "downgrade", "validate", "3.2"]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^Error: etcdserver: /);
    for (const [words, message] of [
      [["validate"], "TARGET_VERSION not provided"],
      [["enable", "3.6", "x"], "too many arguments"],
      [["validate", ""], "target version not provided"],
    ] as const) {
      const { code, stderr } = await ctl(["downgrade", ...words]);
      assert.equal(`${code} ${stderr}`, `128 Error: ${message}\n`);
    }
  });

  test("CT-28 make-mirror → keys that are there, then changes as they happen, renamed", async () => {
    await put("app/1", "one");
    await put("app/2", "two");
    await put("other", "no");
    const words = ["--endpoints", server.address, "make-mirror", mirror.address];
    const run = new CtlRun([...words, "--prefix", "app/", "--dest-prefix", "copy/"]);
    try {
      await poll("the keys", async () => (await copied()) === "copy/1=one copy/2=two");
      await put("app/3", "three");
      await client.must(METHODS.deleteRange, { key: Buffer.from("app/1") });
      await poll("the changes", async () => (await copied()) === "copy/2=two copy/3=three");
    } finally {
      run.interrupt();
    }
    assert.equal((await run.ended).code, 5);
  });

  test("CT-28 make-mirror → more keys than one page, stripped of their prefix", async () => {
    const keys = Array.from({ length: 1_200 }, (_, i) => `many/${1_000 + i}`);
    for (let at = 0; at < keys.length; at += 100) {
      const success = keys.slice(at, at + 100).map((key) => ({
        put: { key: Buffer.from(key), value: Buffer.from("v") },
      }));
      await client.must(METHODS.txn, { success });
    }
    const words = ["--endpoints", server.address, "make-mirror", mirror.address];
    const run = new CtlRun([...words, "--prefix", "many/", "--no-dest-prefix"]);
    try {
      await poll("the keys", async () => {
        const { count } = await copy.must(METHODS.range, {
          key: Buffer.from("1000"),
          rangeEnd: Buffer.from("3"),
          countOnly: true,
        });
        return count === 1_200n;
      });
    } finally {
      run.interrupt();
    }
    await run.ended;
    const both = await ctl([...words, "--no-dest-prefix", "--dest-prefix", "x"]);
    assert.equal(both.code, 128);
  });

  test("CT-25 check perf, CT-26 check datascale → PASS, and nothing left behind", async () => {
    const flags = ["--endpoints", server.address, "check", "perf", "--duration", "500ms"];
    const perf = await ctl(flags);
    // How fast this machine is just now is not the question: what is said must be what is told.
    const verdict = perf.code === 0 ? "PASS" : "FAIL";
    assert.equal(perf.code, perf.stdout.includes("FAIL") ? 1 : 0, perf.stderr);
    const lines = perf.stdout.trimEnd().split("\n");
    assert.match(lines[0] ?? "", /^(PASS: Throughput is|FAIL: Throughput too low:) \d+ /);
    assert.equal(lines.at(-1), verdict);
    const text = await printed("check", "datascale", "--auto-compact", "--auto-defrag");
    assert.match(
      text,
      /^Start data scale check for work load \[10000 key-value pairs, 1024 bytes per key-value, 50 concurrent clients\]\.\nCompacting with revision (\d+)\nCompacted with revision \1\nDefragmenting ".*"\nDefragmented ".*"\nPASS: Approximate system memory used : -?[\d.]+ MB\.\n$/,
    );
    const { count } = await client.must(METHODS.range, {
      key: Buffer.from("/etcdctl-check"),
      rangeEnd: Buffer.from("/f"),
      countOnly: true,
    });
    assert.equal(count, 0n);
    await put("/etcdctl-check-perf/x", "old");
    const { code, stderr } = await ctl(["--endpoints", server.address, "check", "perf"]);
    assert.equal(code, 3);
    assert.match(stderr, /^Error: prefix "\/etcdctl-check-perf\/" has keys\. Delete with /);
  });
});
