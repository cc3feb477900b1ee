/**
 * etcdctl 3.4 as it comes from Debian, against real etcd and Holdfast side by side: what it prints
 * and how it exits must be the same, ids, sizes and times aside.
 */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import {
  Background,
  type CommandResult,
  etcdctl,
  freePort,
  hasEtcd,
  poll,
  run,
  type Server,
  start,
  startAs34,
  temporaryDirectory,
} from "../harness/process.ts";

const skip = hasEtcd() ? false : "etcd and etcdctl are not installed";
const isLong = process.env.LONG_SUITE === "1";
const LEASE = /[0-9a-f]{16}/;

interface Place {
  readonly server: Server;
  readonly memberId: bigint;
  /** Lease ids in the order in which they were met. */
  readonly leases: string[];
}

const places: Place[] = [];

async function place(server: Server): Promise<Place> {
  const status = await etcdctl(server, ["endpoint", "status", "-w", "json"]);
  const id = /"member_id":(\d+)/.exec(status.stdout)?.[1] ?? "0";
  return { server, memberId: BigInt(id), leases: [] };
}

/** Puts the lease ids of this place where a command says {0}, {1} ... */
function fill(where: Place, args: readonly string[]): string[] {
  return args.map((arg) =>
    arg.replace(/\{(\d)\}/g, (_, i: string) => where.leases[Number(i)] ?? ""),
  );
}

function mask(where: Place, text: string): string {
  let out = text
    .replaceAll(where.server.address, "ENDPOINT")
    .replaceAll(String(where.server.ports.peer), "PEER")
    .replaceAll(where.memberId.toString(16), "MEMBER")
    .replaceAll(where.memberId.toString(), "MEMBER")
    .replace(/"(cluster_id|member_id|raft_term)":\d+/g, '"$1":N')
    .replace(/"(ClusterID|MemberID|RaftTerm)" : \d+/g, '"$1" : N')
    .replace(/\b\d+(\.\d+)?(ns|µs|ms|s)\b/g, "TIME")
    .replace(/^\{"level":.*\n/gm, "")
    .replace(/"ts":"[^"]*"/g, '"ts":T');
  where.leases.forEach((id, i) => {
    out = out.replaceAll(id, `LEASE${i}`).replaceAll(BigInt(`0x${id}`).toString(), `LEASE${i}`);
  });
  return out;
}

interface Masked {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function masked(where: Place, result: CommandResult): Masked {
  return {
    code: result.code,
    stdout: mask(where, result.stdout),
    stderr: mask(where, result.stderr),
  };
}

/** Runs a command at both places; their masked results, which must be equal. */
async function both(args: readonly string[], options: { input?: string } = {}): Promise<Masked> {
  const results = await Promise.all(
    places.map(async (where) => {
      const result = await etcdctl(where.server, fill(where, args), options);
      if (args[0] === "lease" && args[1] === "grant") {
        const id = LEASE.exec(result.stdout)?.[0];
        if (id !== undefined) where.leases.push(id);
      }
      return masked(where, result);
    }),
  );
  const [etcd, ours] = results;
  assert.ok(etcd !== undefined && ours !== undefined);
  assert.deepEqual(ours, etcd, `etcdctl ${args.join(" ")}`);
  return ours;
}

/** Runs a story at each place on its own; what it returns must be equal. */
async function told<T>(story: (where: Place) => Promise<T>): Promise<T> {
  const [etcd, ours] = await Promise.all(places.map(story));
  assert.ok(etcd !== undefined && ours !== undefined);
  assert.deepEqual(ours, etcd);
  return ours;
}

const started: Background[] = [];

function background(where: Place, args: readonly string[]): Background {
  const all = ["--endpoints", where.server.address, ...fill(where, args)];
  const command = new Background("etcdctl", all, { ETCDCTL_API: "3" });
  started.push(command);
  return command;
}

/** The revision that the next change gets, for watches that must not miss it. */
async function nextRevision(where: Place): Promise<string> {
  const header = await must(where, ["get", "a", "-w", "json"]);
  return String(Number(/"revision":(\d+)/.exec(header)?.[1] ?? "0") + 1);
}

async function must(where: Place, args: readonly string[]): Promise<string> {
  const result = await etcdctl(where.server, fill(where, args));
  assert.equal(result.code, 0, `etcdctl ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}

describe("etcdctl", { skip }, () => {
  before(async () => {
    // One after the other, so that what was started is known when the next one fails.
    for (const begin of [() => start("etcd"), startAs34]) places.push(await place(await begin()));
  });
  afterEach(async () => {
    // A story that failed leaves its commands running.
    for (const command of started.splice(0)) await command.end("SIGKILL");
  });
  after(async () => {
    for (const { server } of places) await server.dispose();
  });

  test("etcdctl: put, get and del → as etcd, in every format (KV-01 KV-09 PU-03 DL-01)", async () => {
    await both(["put", "a", "1"]);
    await both(["put", "a", "2", "--prev-kv"]);
    await both(["put", "b"], { input: "from standard input" });
    await both(["put", "c", "", "-w", "json"]);
    for (const format of ["simple", "json", "fields"]) {
      await both(["get", "", "--prefix", "-w", format]);
      await both(["get", "missing", "-w", format]);
    }
    await both(["put", "a", "--ignore-value", "--ignore-lease"]);
    await both(["put", "missing", "--ignore-value"]);
    await both(["put", "a", "x", "--lease", "1234"]);
    await both(["get", "a", "c", "--limit", "1", "-w", "fields"]);
    await both(["get", "a", "--from-key", "--keys-only"]);
    await both(["get", "a", "--prefix", "--rev", "2", "--print-value-only"]);
    await both(["get", "a", "--rev", "99999"]);
    await both(["get", "", "--prefix", "--order", "DESCEND", "--sort-by", "MODIFY"]);
    await both(["get", "a", "--count-only", "-w", "fields", "--prefix"]);
    await both(["get", "a", "--consistency", "s", "-w", "json"]);
    await both(["get", "a", "--hex", "-w", "simple"]);
    await both(["del", "a", "--prev-kv"]);
    await both(["del", "missing"]);
    await both(["put", "d/1", "1"]);
    await both(["put", "d/2", "2"]);
    const removed = await both(["del", "d/", "--prefix", "-w", "json"]);
    assert.match(removed.stdout, /"deleted":2/);
  });

  test("etcdctl: txn with compares and both branches → as etcd (TX-01 TX-05)", async () => {
    const script = (compare: string): string =>
      `${compare}\n\nput t then\nget t\n\nput t else\nget t\ndel nothing\n\n`;
    await both(["txn"], { input: script('create("t") = "0"') });
    const failed = await both(["txn"], { input: script('create("t") = "0"') });
    assert.match(failed.stdout, /^FAILURE/);
    await both(["txn", "-w", "json"], { input: script('value("t") = "else"\nversion("t") > "1"') });
    await both(["txn"], { input: 'mod("t") > "0"\n\nput t 1\nput t 2\n\n\n' });
    await both(["get", "t", "-w", "json"]);
  });

  test("etcdctl: compaction → as etcd, refusals too (CP-01 CP-07)", async () => {
    for (const i of [1, 2, 3]) await both(["put", "compacted", String(i)]);
    await both(["compaction", "5"]);
    await both(["compaction", "5"]);
    await both(["compaction", "99999"]);
    await both(["compaction", "6", "--physical"]);
    await both(["get", "a", "--rev", "3"]);
    await both(["compaction", "not-a-number"]);
  });

  test("etcdctl: watch → events, previous values, history and commands as etcd (WA-01 WA-11)", async () => {
    const output = await told(async (where) => {
      const revision = await nextRevision(where);
      await must(where, ["put", "w/0", "before"]);
      const history = background(where, [
        "watch",
        "w/",
        "--prefix",
        "--rev",
        revision,
        "--prev-kv",
      ]);
      const command = background(where, [
        ...["watch", "w/1", "--rev", revision, "--", "sh", "-c"],
        'echo "$ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE"',
      ]);
      await must(where, ["put", "w/1", "one"]);
      await must(where, ["put", "w/1", "two"]);
      await must(where, ["del", "w/", "--prefix"]);
      await history.until(
        (text) => text.split("\n").filter((line) => line === "DELETE").length === 2,
      );
      await command.until((text) => text.includes('"DELETE" "w/1"'));
      const codes = [await history.end(), await command.end()];
      // Events and what the command prints come through two pipes.
      const printed = command.stdout.split("\n").filter((line) => line.startsWith('"'));
      return { codes, history: history.stdout, printed };
    });
    assert.match(output.history, /^PUT\nw\/0\nbefore\n/);
  });

  test("etcdctl: watch from a compacted revision → ends as with etcd (WA-06)", async () => {
    await told(async (where) => {
      const watch = background(where, ["watch", "a", "--rev", "2"]);
      const code = await watch.exited;
      return { code, stdout: watch.stdout, stderr: mask(where, watch.stderr) };
    });
  });

  test("etcdctl: lease grant, attach, timetolive, keep-alive, list, revoke → as etcd (LE-01 LE-03 LE-04 LE-05 LE-06)", async () => {
    await both(["lease", "grant", "600"]);
    await both(["lease", "grant", "0"]);
    await both(["put", "l/1", "x", "--lease", "{0}"]);
    await both(["put", "l/2", "x", "--lease", "{0}"]);
    await told(async (where) => {
      const text = await must(where, ["lease", "timetolive", "{0}", "--keys"]);
      return mask(where, text).replace(
        /attached keys\(\[(.*)\]\)/,
        (_, keys: string) => `attached keys([${keys.split(" ").sort().join(" ")}])`,
      );
    });
    await both(["get", "l/1", "-w", "json"]);
    await both(["lease", "keep-alive", "{0}", "--once"]);
    await both(["lease", "revoke", "{1}"]);
    await both(["lease", "list"]);
    await both(["lease", "revoke", "{0}"]);
    await both(["get", "l/", "--prefix", "-w", "json"]);
    await both(["lease", "revoke", "{0}"]);
    await both(["lease", "timetolive", "{0}"]);
    await both(["lease", "keep-alive", "{0}", "--once"]);
    await both(["lease", "grant", "9000000001"]);
  });

  test("etcdctl: a lease that is not renewed → its keys are gone after its time (LE-08 LE-11)", async () => {
    await told(async (where) => {
      const granted = await must(where, ["lease", "grant", "2"]);
      const id = LEASE.exec(granted)?.[0] ?? "";
      const watch = background(where, ["watch", "brief", "--rev", await nextRevision(where)]);
      await must(where, ["put", "brief", "x", "--lease", id]);
      await watch.until((text) => text.includes("DELETE\nbrief"), 15_000);
      await watch.end();
      return watch.stdout;
    });
  });

  test("etcdctl: lock → one holder at a time, handed on at release (HE-02)", async () => {
    await told(async (where) => {
      const first = background(where, ["lock", "door"]);
      await first.until((text) => text.includes("door/"));
      const second = background(where, ["lock", "door", "echo", "inside"]);
      const waiters = async (): Promise<number> => {
        const keys = await must(where, ["get", "door/", "--prefix", "--keys-only"]);
        return keys.split("\n").filter((line) => line.startsWith("door/")).length;
      };
      await poll("two wait at the door", async () => (await waiters()) === 2);
      const whileHeld = second.stdout;
      const code = await first.end();
      const inner = await second.exited;
      return { code, whileHeld, inner, stdout: second.stdout, left: await waiters() };
    });
  });

  test("etcdctl: elect → leader seen by an observer, handed on at resignation (HE-02)", async () => {
    const outcome = await told(async (where) => {
      const first = background(where, ["elect", "throne", "one"]);
      await first.until((text) => text.includes("one"));
      const observer = background(where, ["elect", "--listen", "throne"]);
      await observer.until((text) => text.includes("one"));
      const second = background(where, ["elect", "throne", "two"]);
      await first.end();
      await second.until((text) => text.includes("two"));
      await observer.until((text) => text.includes("two"));
      await second.end();
      await observer.end();
      return observer.stdout.split("\n").filter((line) => line === "one" || line === "two");
    });
    assert.deepEqual(outcome, ["one", "two"]);
  });

  test("etcdctl: endpoint health, status and hashkv → as etcd (MA-03 MA-06 HE-01)", async () => {
    await both(["endpoint", "health"]);
    await told(async (where) => {
      const { stdout, stderr, code } = await etcdctl(where.server, [
        "endpoint",
        "health",
        "-w",
        "json",
      ]);
      return { out: mask(where, stdout).replace(/"took":"[^"]*"/, "TOOK"), stderr, code };
    });
    const status = await told(async (where) => {
      const text = mask(where, await must(where, ["endpoint", "status"]));
      const columns = text.trim().split(", ");
      // Version to its minor; sizes, terms and indexes are each server's own.
      columns[2] = (columns[2] ?? "").split(".").slice(0, 2).join(".");
      return columns.map((column, i) => ([3, 6, 7, 8].includes(i) ? "N" : column));
    });
    assert.deepEqual(status.slice(0, 3), ["ENDPOINT", "MEMBER", "3.4"]);
    await told(async (where) => {
      await must(where, ["endpoint", "status", "-w", "table"]);
      // Before the first lease, whose id is each server's own and part of the records.
      const hash = await must(where, ["endpoint", "hashkv", "--rev", "12"]);
      return mask(where, hash);
    });
  });

  test("etcdctl: member list, alarm list and disarm, defrag → as etcd (CL-07 MA-01 MA-04)", async () => {
    const members = await both(["member", "list"]);
    assert.match(members.stdout, /^MEMBER, started, default, http:\/\/127\.0\.0\.1:PEER, /);
    await both(["member", "list", "-w", "json"]);
    await both(["alarm", "list"]);
    await both(["alarm", "disarm"]);
    await both(["defrag"]);
  });

  test("etcdctl: snapshot save → checked by snapshot status, restored and served by real etcd (MA-07)", async () => {
    await both(["put", "in-snapshot", "yes"]);
    await told(async (where) => {
      const directory = temporaryDirectory("snapshot");
      try {
        const file = join(directory, "snapshot.db");
        const saved = await etcdctl(where.server, ["snapshot", "save", file]);
        assert.equal(saved.code, 0, saved.stderr);
        const status = await etcdctl(where.server, ["snapshot", "status", file, "-w", "json"]);
        assert.equal(status.code, 0, status.stderr);
        const { revision } = JSON.parse(status.stdout) as { revision: number };
        const data = join(directory, "restored");
        const restored = await etcdctl(where.server, [
          "snapshot",
          "restore",
          file,
          "--data-dir",
          data,
        ]);
        assert.equal(restored.code, 0, restored.stderr);
        const kept = await serveRestored(data);
        return { saved: mask(where, saved.stdout).replace(file, "FILE"), revision, kept };
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    });
  });

  test("etcdctl: make-mirror → copies keys to the other server and follows changes (HE-02)", async () => {
    const [etcd, ours] = places;
    assert.ok(etcd !== undefined && ours !== undefined);
    for (const [from, to, prefix] of [
      [etcd, ours, "from-etcd/"],
      [ours, etcd, "from-ours/"],
    ] as const) {
      await must(from, ["put", "mirror/1", prefix]);
      const mirror = background(from, [
        ...["make-mirror", "--prefix", "mirror/", "--dest-prefix", prefix, to.server.address],
      ]);
      await must(from, ["put", "mirror/2", prefix]);
      const deadline = performance.now() + 10_000;
      let copied = "";
      while (!copied.includes(`${prefix}2`) && performance.now() < deadline) {
        copied = await must(to, ["get", prefix, "--prefix"]);
      }
      await mirror.end();
      assert.match(copied, new RegExp(`${prefix}1\n${prefix}\n${prefix}2\n${prefix}\n`));
    }
  });

  test("etcdctl: check perf → the small load passes (a minute)", { skip: !isLong }, async () => {
    const [, ours] = places;
    assert.ok(ours !== undefined);
    const result = await etcdctl(ours.server, ["check", "perf", "--load", "s"], {
      deadlineMs: 90_000,
    });
    assert.equal(result.code, 0, `${result.stdout}${result.stderr}`);
    assert.match(result.stdout, /PASS\s*$/);
  });
});

/** What real etcd serves from a restored data directory. */
async function serveRestored(data: string): Promise<string> {
  const client = `http://127.0.0.1:${await freePort()}`;
  const peer = `http://127.0.0.1:${await freePort()}`;
  const etcd = new Background("etcd", [
    ...["--data-dir", data, "--listen-client-urls", client, "--advertise-client-urls", client],
    ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", "http://localhost:2380"],
    ...["--initial-cluster", "default=http://localhost:2380", "--logger", "zap"],
  ]);
  try {
    const env = { ETCDCTL_API: "3" };
    const ask = ["--endpoints", client, "get", "in-snapshot", "--print-value-only"];
    for (let attempt = 0; attempt < 5; attempt++) {
      const answer = await run("etcdctl", ask, { env });
      if (answer.code === 0) return answer.stdout;
    }
    return `etcd did not serve the restored data:\n${etcd.stderr.slice(-2_000)}`;
  } finally {
    await etcd.end("SIGKILL");
  }
}
