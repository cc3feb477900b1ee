/** Snapshots both ways: real etcd's into Holdfast, Holdfast's into real etcd. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runUtl } from "../../src/utl/index.ts";
import {
  etcdctl,
  freePort,
  type Ports,
  run,
  type Server,
  start,
  temporaryDirectory,
} from "../harness/process.ts";

const root = temporaryDirectory("restore");
const theirs = join(root, "theirs.db");
let reference: State;
/** Of etcd, at revisions after its compaction. */
const earlier: { readonly revision: number; readonly hash: number }[] = [];

interface State {
  readonly hash: number;
  readonly revision: number;
  readonly pairs: readonly unknown[];
  readonly leases: readonly string[];
}

async function ctl(server: Server, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await etcdctl(server, args);
  assert.equal(code, 0, `etcdctl ${args.join(" ")}: ${stderr}`);
  return stdout;
}

async function stateOf(server: Server, revision = 0): Promise<State> {
  const text = await ctl(server, "endpoint", "hashkv", `--rev=${revision}`, "-w", "json");
  const [answer] = JSON.parse(text) as { HashKV: { hash: number; header: { revision: number } } }[];
  assert.ok(answer !== undefined);
  const all = await ctl(server, "get", "", "--prefix", "-w", "json");
  const { kvs } = JSON.parse(all) as { kvs: unknown[] };
  const leases = await ctl(server, "lease", "list");
  return {
    hash: answer.HashKV.hash,
    revision: answer.HashKV.header.revision,
    pairs: kvs,
    leases: leases.split("\n").slice(1).filter(Boolean).sort(),
  };
}

/** Keys of every kind: changed, deleted, large, in a txn, with a lease; an old part compacted. */
async function fill(server: Server): Promise<void> {
  for (let at = 0; at < 20; at += 1) await ctl(server, "put", `key ${at % 7}`, `value ${at}`);
  await ctl(server, "put", "large", "x".repeat(100_000));
  await ctl(server, "del", "key 3");
  const granted = await ctl(server, "lease", "grant", "3000");
  const lease = /lease ([0-9a-f]+) granted/.exec(granted)?.[1] ?? "";
  await ctl(server, "put", "leased", "1", `--lease=${lease}`);
  await ctl(server, "compaction", "9");
  await ctl(server, "put", "last", "1");
}

interface Utl {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function utl(...args: string[]): Promise<Utl> {
  let stdout = "";
  let stderr = "";
  const code = await runUtl(args, {
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
  });
  return { code, stdout, stderr };
}

async function restore(path: string, directory: string, ports: Ports, ...more: string[]) {
  const peer = `http://127.0.0.1:${ports.peer}`;
  const cluster = ["--initial-cluster", `default=${peer}`, "--initial-advertise-peer-urls", peer];
  const answer = await utl(
    "snapshot",
    "restore",
    path,
    "--data-dir",
    directory,
    ...cluster,
    ...more,
  );
  assert.equal(answer.code, 0, answer.stderr);
}

async function ports(): Promise<Ports> {
  return { client: await freePort(), peer: await freePort() };
}

before(async () => {
  const etcd = await start("etcd");
  try {
    await fill(etcd);
    await ctl(etcd, "snapshot", "save", theirs);
    reference = await stateOf(etcd);
    for (let revision = reference.revision - 6; revision < reference.revision; revision += 1) {
      earlier.push({ revision, hash: (await stateOf(etcd, revision)).hash });
    }
  } finally {
    await etcd.dispose();
  }
});

let own: Server | undefined;
after(async () => {
  await own?.dispose();
});

test("restore: real etcd's snapshot → Holdfast has its keys, leases, revision and hash (UT-03, UT-04, DB-01, DB-04)", async () => {
  const directory = join(root, "from-etcd");
  const at = await ports();
  await restore(theirs, directory, at);
  own = await start("holdfast", {
    dataDirectory: directory,
    ports: at,
    flags: ["--compat", "3.4"],
  });
  assert.deepEqual(await stateOf(own, reference.revision), reference);
  const members = await ctl(own, "member", "list");
  assert.equal(members.trim().split("\n").length, 1);
  await ctl(own, "put", "new", "1");
  // Once more: what the log and the store say of each other holds at the next start.
  await own.stop();
  own = await start("holdfast", {
    dataDirectory: directory,
    ports: at,
    flags: ["--compat", "3.4"],
  });
  assert.deepEqual((await stateOf(own, reference.revision)).hash, reference.hash);
  assert.equal((await ctl(own, "get", "new", "--print-value-only")).trim(), "1");
});

test("utl: hashkv of real etcd's snapshot → what etcd says of itself, at the newest and earlier revisions (UT-05)", async () => {
  const hashAt = async (...revision: string[]): Promise<{ hash: number; hashRevision: number }> =>
    JSON.parse((await utl("hashkv", theirs, "-w", "json", ...revision)).stdout);
  const newest = await hashAt();
  assert.deepEqual([newest.hash, newest.hashRevision], [reference.hash, reference.revision]);
  for (const { revision, hash } of earlier) {
    assert.equal((await hashAt("--rev", `${revision}`)).hash, hash, `revision ${revision}`);
  }
});

test("restore: Holdfast's snapshot → real etcdctl restores it, real etcd has the same hash (MA-07, UT-02, SN-03)", async () => {
  assert.ok(own !== undefined);
  const ours = join(root, "ours.db");
  await ctl(own, "snapshot", "save", ours);
  const wanted = await stateOf(own);
  const status = await run("etcdctl", ["snapshot", "status", ours, "-w", "json"], {
    env: { ETCDCTL_API: "3" },
  });
  const { hash, revision, totalKey, totalSize } = JSON.parse(status.stdout) as Record<
    string,
    number
  >;
  const found = JSON.parse((await utl("snapshot", "status", ours, "-w", "json")).stdout) as object;
  assert.deepEqual(found, { hash, revision, totalKey, totalSize, version: "" });
  const at = await ports();
  const peer = `http://127.0.0.1:${at.peer}`;
  const directory = join(root, "to-etcd");
  const restored = await run(
    "etcdctl",
    [
      ...["snapshot", "restore", ours, "--data-dir", directory, "--name", "default"],
      ...["--initial-cluster", `default=${peer}`, "--initial-advertise-peer-urls", peer],
    ],
    { env: { ETCDCTL_API: "3" } },
  );
  assert.equal(restored.code, 0, restored.stderr);
  const etcd = await start("etcd", { dataDirectory: directory, ports: at });
  try {
    assert.deepEqual(await stateOf(etcd, wanted.revision), wanted);
  } finally {
    await etcd.dispose();
  }
});

test("restore: --bump-revision → the revision is raised, everything before is compacted (UT-03, UT-04)", async () => {
  const directory = join(root, "bumped");
  const at = await ports();
  const bump = ["--bump-revision", "1000000", "--mark-compacted"];
  await restore(theirs, directory, at, ...bump);
  const server = await start("holdfast", { dataDirectory: directory, ports: at });
  try {
    const { pairs, revision } = await stateOf(server);
    assert.equal(revision, reference.revision + 1_000_000);
    assert.deepEqual(pairs, reference.pairs);
    const watch = await etcdctl(server, ["watch", "last", "--rev", `${reference.revision}`]);
    assert.match(watch.stderr, /required revision has been compacted/);
    const older = await etcdctl(server, ["get", "last", "--rev", `${reference.revision}`]);
    assert.match(older.stderr, /required revision has been compacted/);
    await ctl(server, "put", "after", "1");
  } finally {
    await server.stop();
  }
  const again = await start("holdfast", { dataDirectory: directory, ports: at });
  try {
    assert.equal((await stateOf(again)).revision, reference.revision + 1_000_001);
  } finally {
    await again.dispose();
  }
});

test("restore: three members from one file → one cluster with the keys of the snapshot (UT-04, RA-06)", async () => {
  const members = await Promise.all(
    ["a", "b", "c"].map(async (name) => ({ name, at: await ports() })),
  );
  const cluster = members.map(({ name, at }) => `${name}=http://127.0.0.1:${at.peer}`).join(",");
  const servers = await Promise.all(
    members.map(async ({ name, at }) => {
      const peer = `http://127.0.0.1:${at.peer}`;
      const dataDirectory = join(root, `three-${name}`);
      const answer = await utl(
        ...["snapshot", "restore", theirs, "--data-dir", dataDirectory, "--name", name],
        ...["--initial-cluster", cluster, "--initial-advertise-peer-urls", peer],
      );
      assert.equal(answer.code, 0, answer.stderr);
      const flags = ["--name", name, "--initial-cluster", cluster, "--compat", "3.4"];
      return start("holdfast", { dataDirectory, ports: at, flags, isReadyAwaited: false });
    }),
  );
  try {
    for (const server of servers) await server.ready();
    const [first] = servers as [Server];
    await ctl(first, "put", "together", "1");
    for (const server of servers) {
      const { hash } = await stateOf(server, reference.revision);
      assert.equal(hash, reference.hash);
      assert.equal((await ctl(server, "get", "together", "--print-value-only")).trim(), "1");
      assert.equal((await ctl(server, "member", "list")).trim().split("\n").length, 3);
    }
  } finally {
    for (const server of servers) await server.dispose();
  }
});

/**
 * The log of a restored member began with the founding entries. One that joined was sent these,
 * and nothing of the store: it came up empty and believed itself up to date.
 */
test("restore: a member that joins the restored cluster → is sent the store (UT-04, RA-05)", async () => {
  const directory = join(root, "joined");
  const at = await ports();
  await restore(theirs, directory, at);
  const first = await start("holdfast", { dataDirectory: directory, ports: at });
  const joins = await ports();
  const peer = `http://127.0.0.1:${joins.peer}`;
  await ctl(first, "member", "add", "second", `--peer-urls=${peer}`);
  const cluster = `default=http://127.0.0.1:${at.peer},second=${peer}`;
  const flags = ["--name", "second", "--initial-cluster-state", "existing"];
  const second = await start("holdfast", {
    ports: joins,
    flags: [...flags, "--initial-cluster", cluster],
  });
  try {
    const { pairs } = await stateOf(second);
    assert.deepEqual(pairs, reference.pairs);
    const [one, two] = [await stateOf(first, reference.revision), await stateOf(second)];
    assert.equal(one.hash, two.hash);
  } finally {
    await second.dispose();
    await first.dispose();
  }
});

test("restore: a damaged or cut file → refused, and nothing is left (UT-03, UT-04)", async () => {
  const bytes = readFileSync(theirs);
  const damaged = join(root, "damaged.db");
  const directory = join(root, "never");
  const cases: { change: (copy: Buffer) => Buffer; flags: string[]; wanted: RegExp }[] = [
    {
      change: (copy) => {
        copy[9000] = (copy[9000] as number) ^ 1;
        return copy;
      },
      flags: [],
      wanted: /^Error: expected sha256 \[\d+( \d+){31}\], got \[\d+( \d+){31}\]$/m,
    },
    {
      change: (copy) => copy.subarray(0, copy.length - 32),
      flags: [],
      wanted: /^Error: snapshot missing hash but --skip-hash-check=false$/m,
    },
    { change: (copy) => copy.subarray(0, 10_000), flags: [], wanted: /the file may be cut/ },
    {
      change: (copy) => copy.subarray(0, 8192),
      flags: ["--skip-hash-check"],
      wanted: /^Error: snapshot file .* is broken at offset 0: found 8192 bytes/m,
    },
    { change: () => Buffer.alloc(0), flags: ["--skip-hash-check"], wanted: /wanted a bbolt file/ },
  ];
  for (const { change, flags, wanted } of cases) {
    writeFileSync(damaged, change(Buffer.from(bytes)));
    const answer = await utl("snapshot", "restore", damaged, "--data-dir", directory, ...flags);
    assert.equal(answer.code, 1);
    assert.match(answer.stderr, wanted);
  }
  assert.equal((await run("ls", ["-A", directory])).stdout, "");
});
