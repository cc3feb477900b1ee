/**
 * Scheduled backups of real processes: what they lead to is what the cluster had, whatever happened
 * to the member or to the disk that they are written to. BACKUP_RUNS says how many states are made
 * from backups and compared.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Prng } from "../../src/base/index.ts";
import { runUtl } from "../../src/utl/index.ts";
import { METHODS, TestClient } from "../harness/client.ts";
import { Cluster } from "../harness/cluster.ts";
import { FrozenDisk } from "../harness/frozen-disk.ts";
import {
  atExit,
  http,
  poll,
  run,
  type Server,
  start,
  temporaryDirectory,
} from "../harness/process.ts";

const IS_LONG = process.env["LONG_SUITE"] === "1";
const RUNS = Number(process.env["BACKUP_RUNS"] ?? (IS_LONG ? "100" : "3"));
const KILLS = IS_LONG ? 20 : 1;
/** Writes in each life of a member that is killed: its store must not grow with the waiting. */
const LIFE_WRITES = 1_000;
/** A start and two images on a machine that does much else; each is waited for, not guessed. */
const LIFE_MS_MAX = 60_000;
/** What an image of a small store takes. */
const IMAGE_MS = 600;
const IMAGE_PART = "/image.part";
const prng = new Prng(Number(process.env["SEED"] ?? "1"));

interface Hash {
  readonly hash: number;
  readonly hashRevision: number;
  readonly compactRevision: number;
}

async function utl(...args: string[]) {
  let stdout = "";
  let stderr = "";
  const code = await runUtl(args, {
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
  });
  return { code, stdout, stderr };
}

async function restored(directory: string, ...args: string[]): Promise<Hash> {
  rmSync(directory, { recursive: true, force: true });
  const restore = ["snapshot", "restore", "--data-dir", directory, ...args];
  const answer = await utl(...restore);
  assert.equal(answer.code, 0, answer.stderr);
  const found = await utl("hashkv", directory, "-w", "json");
  return JSON.parse(found.stdout) as Hash;
}

async function hashOf(address: string, revision: number): Promise<Hash> {
  const client = new TestClient(address);
  const { hash, hashRevision, compactRevision } = await client.must(METHODS.hashKv, {
    revision: BigInt(revision),
  });
  client.close();
  return {
    hash: Number(hash),
    hashRevision: Number(hashRevision),
    compactRevision: Number(compactRevision),
  };
}

/** Files of backups below a location. */
function filesIn(location: string): string[] {
  if (!existsSync(location)) return [];
  return readdirSync(location).flatMap((name) =>
    readdirSync(join(location, name)).map((file) => join(location, name, file)),
  );
}

function revisionsOf(location: string, kind: "etcd" | "log"): number[] {
  const pattern = new RegExp(`_${kind}_r(\\d+)_`);
  return filesIn(location)
    .flatMap((path) => pattern.exec(path)?.[1] ?? [])
    .map(Number);
}

function revisionOf(path: string): number {
  return Number(/_r(\d+)_/.exec(path)?.[1] ?? 0);
}

/** Images that a member has made since its start. */
function backedUp({ log }: Server): number {
  return log.split("backed up the store, and checked the backup").length - 1;
}

/** Writes until it is stopped or there are `countMax`; the longest that one write took. */
function load(address: string, from = 0, countMax = Number.POSITIVE_INFINITY) {
  const client = new TestClient(address);
  let isStopped = false;
  let revision = 0;
  let longestMs = 0;
  let count = 0;
  const write = async (writer: number): Promise<void> => {
    for (let at = from; !isStopped && count < countMax; at += 1) {
      const key = Buffer.from(`key ${writer} ${at % 50}`);
      const startMs = performance.now();
      const answer =
        at % 11 === 10
          ? await client.call(METHODS.deleteRange, { key })
          : await client.call(METHODS.put, { key, value: Buffer.from(`value ${at}`) });
      longestMs = Math.max(longestMs, performance.now() - startMs);
      if (!answer.ok) continue;
      revision = Math.max(revision, Number(answer.value.header?.revision ?? 0));
      count += 1;
    }
  };
  const writers = [0, 1, 2, 3].map(write);
  return {
    get count() {
      return count;
    },
    async stop() {
      isStopped = true;
      await Promise.all(writers);
      client.close();
      return { revision, longestMs, count };
    },
  };
}

function flags(location: string, period = "1s", logPeriod = "300ms"): string[] {
  const times = ["--backup-period", period, "--backup-log-period", logPeriod];
  return ["--backup-location", location, ...times];
}

describe("backups", () => {
  const root = temporaryDirectory("backups");
  const disposals: (() => Promise<void> | void)[] = [];
  after(async () => {
    for (const dispose of disposals.toReversed()) await dispose();
  });

  async function begin(...args: Parameters<typeof start>): Promise<Server> {
    const server = await start(...args);
    disposals.push(() => server.dispose());
    return server;
  }

  test("backups: taken by three members under load → states equal to the cluster's, at any revision (BT-g5, EQ-c5)", async () => {
    const location = join(root, "three");
    const cluster = await Cluster.start("holdfast", { members: 3, flags: flags(location) });
    disposals.push(() => cluster.dispose());
    const { address } = cluster.member(0);
    const client = new TestClient(address);
    for (let at = 0; at < 20; at += 1) {
      await client.must(METHODS.put, { key: Buffer.from(`k${at % 3}`), value: Buffer.from("v") });
    }
    await client.must(METHODS.compact, { revision: 10n });
    const put = { key: Buffer.from("after"), value: Buffer.from("the compaction") };
    const lowest = Number((await client.must(METHODS.put, put)).header?.revision);
    client.close();
    const loaded = load(address);
    await poll("images under load", () => revisionsOf(location, "etcd").length >= 4);
    await poll("a thousand writes", () => loaded.count > 500, 30_000);
    const { revision: newest } = await loaded.stop();
    await poll("the log is archived by all", () => {
      const done = revisionsOf(location, "log").filter((revision) => revision >= newest);
      return done.length >= 3;
    });
    assert.equal(readdirSync(location).length, 3);
    const own = (name: string): string => join(location, name);
    const oldest = readdirSync(location).map((name) =>
      Math.min(
        ...filesIn(location)
          .filter((path) => path.includes(name))
          .map(revisionOf),
      ),
    );
    const places = [location, ...readdirSync(location).map(own)];
    for (let at = 0; at < Math.max(RUNS, places.length); at += 1) {
      const from = places[at % places.length] as string;
      const floor = at < places.length ? newest : Math.max(lowest, ...oldest);
      const revision = floor + prng.below(newest - floor + 1);
      const target = ["--to-revision", `${revision}`, "--bump-revision", "0"];
      const found = await restored(join(root, "state"), "--from", from, ...target);
      assert.deepEqual(found, await hashOf(address, revision), `revision ${revision} of ${from}`);
    }
  });

  test("backups: the member is killed while it backs up → every named file is whole, nothing half stays, and the chain goes on (BT-g5)", async (t) => {
    const location = join(root, "killed");
    const options = { flags: flags(location, "200ms", "100ms") };
    let server = await begin("holdfast", options);
    let kills = 0;
    for (let life = 0; life < KILLS; life += 1) {
      const loaded = load(server.address, life * 1_000, LIFE_WRITES);
      // Soon after its start, whatever the life before it left.
      await poll("an image", () => backedUp(server) > 0, LIFE_MS_MAX);
      const isWriting = (): boolean => filesIn(location).some((path) => path.endsWith(IMAGE_PART));
      await poll("the next image is begun", isWriting, LIFE_MS_MAX);
      await delay(prng.below(IMAGE_MS));
      await server.kill();
      await loaded.stop();
      if (isWriting()) kills += 1;
      for (const path of filesIn(location)) {
        if (path.endsWith(".part")) continue;
        const target = ["--to-revision", `${revisionOf(path)}`, "--bump-revision", "0"];
        if (prng.below(path.endsWith(".db") ? 8 : 40) > 0) continue;
        await restored(join(root, "state"), "--from", location, ...target);
      }
      const wasWriting = isWriting();
      const { dataDirectory, ports } = server;
      server = await begin("holdfast", { ...options, dataDirectory, ports });
      await poll("backups are made", () => server.log.includes("backups are made"), LIFE_MS_MAX);
      if (wasWriting) await server.says(/removed a backup that was not finished.*image\.part/);
    }
    t.diagnostic(`killed while an image was written: ${kills} of ${KILLS}`);
    if (IS_LONG) assert.ok(kills > 0, "no image was under way");
    const loaded = load(server.address, 90_000);
    await poll("writes", () => loaded.count > 50);
    const { revision } = await loaded.stop();
    const archived = (): boolean => Math.max(...revisionsOf(location, "log")) >= revision;
    await poll("archived", archived, LIFE_MS_MAX);
    assert.doesNotMatch(server.log, /the log went on without the backup/);
    const found = await restored(join(root, "state"), "--from", location, "--bump-revision", "0");
    assert.deepEqual(found, await hashOf(server.address, 0));
  });

  test("backups: a location that is full → no half file, told, and the member goes on (EQ-c5)", {
    skip: process.getuid?.() === 0 ? false : "mounting needs root",
  }, async () => {
    const location = join(root, "full");
    mkdirSync(location);
    const size = ["-o", "size=512k"];
    assert.equal(spawnSync("mount", ["-t", "tmpfs", ...size, "tmpfs", location]).status, 0);
    const unmount = (): void => void spawnSync("umount", ["--lazy", location]);
    atExit(unmount);
    disposals.push(unmount);
    const server = await begin("holdfast", { flags: flags(location, "300ms", "100ms") });
    await poll("an image", () => revisionsOf(location, "etcd").length > 0);
    writeFileSync(join(location, "filler"), "");
    spawnSync("dd", ["if=/dev/zero", `of=${join(location, "filler")}`, "bs=64k"]);
    const loaded = load(server.address);
    const metric = async (name: string): Promise<number> => {
      const { body } = await http(`${server.url}/metrics`);
      return Number(new RegExp(`^holdfast_backup_${name} (.*)$`, "m").exec(body)?.[1]);
    };
    await poll("failures are counted", async () => {
      return (await metric("image_failures_total")) > 0 && (await metric("log_failures_total")) > 0;
    });
    await poll("writes go on", () => loaded.count > 200);
    await server.says(/cannot back up the store.*ENOSPC/);
    await server.says(/cannot archive the log.*ENOSPC/);
    const { revision } = await loaded.stop();
    // It is tried again after 15 s.
    if (!IS_LONG) return;
    rmSync(join(location, "filler"));
    await poll("made up for", () => Math.max(...revisionsOf(location, "log")) >= revision, 40_000);
    const found = await restored(join(root, "state"), "--from", location, "--bump-revision", "0");
    assert.deepEqual(found, await hashOf(server.address, 0));
  });

  test("backups: a location that hangs → no write waits for it (EQ-c5)", {
    skip: FrozenDisk.missing(),
  }, async () => {
    const disk = FrozenDisk.make();
    disposals.push(() => disk.remove());
    const location = join(disk.path, "backups");
    const server = await begin("holdfast", { flags: flags(location, "100ms", "100ms") });
    await poll("an image", () => revisionsOf(location, "etcd").length > 0);
    const loaded = load(server.address);
    const before = loaded.count;
    await disk.stall(1, 2_500, 0);
    const { longestMs, count } = await loaded.stop();
    assert.ok(count - before > 20, `${count - before} writes in 2.5 s`);
    // One that had waited for the disk would have taken as long as it stood still.
    assert.ok(longestMs < 2_000, `a write took ${longestMs} ms`);
  });

  test("restore: from backups, with the safe default → a new life of the cluster, no revision twice (BT-g6)", async () => {
    const location = join(root, "life");
    const server = await begin("holdfast", { flags: flags(location) });
    const loaded = load(server.address);
    await poll("an image and the log", () => {
      return revisionsOf(location, "etcd").length > 0 && revisionsOf(location, "log").length > 0;
    });
    await poll("writes", () => loaded.count > 200);
    const { revision } = await loaded.stop();
    const incarnation = async (of: Server): Promise<string> => {
      const { body } = await http(`${of.url}/version`);
      return (JSON.parse(body) as { incarnation: string }).incarnation;
    };
    const before = await incarnation(server);
    await server.stop();
    const directory = join(root, "new life");
    const peer = `http://127.0.0.1:${server.ports.peer}`;
    const cluster = ["--initial-cluster", `default=${peer}`, "--initial-advertise-peer-urls", peer];
    await restored(directory, "--from", location, ...cluster);
    const again = await begin("holdfast", { dataDirectory: directory, ports: server.ports });
    const client = new TestClient(again.address);
    const status = await client.must(METHODS.status, {});
    assert.ok(Number(status.header?.revision) >= revision + 1_000_000_000);
    const all = { key: Buffer.from("key"), rangeEnd: Buffer.from("kez"), countOnly: true };
    assert.ok((await client.must(METHODS.range, all)).count > 0n);
    const old = await client.call(METHODS.range, { ...all, revision: BigInt(revision) });
    assert.ok(!old.ok && /required revision has been compacted/.test(old.refusal.message));
    client.close();
    await poll("another incarnation", async () => (await incarnation(again)) !== undefined);
    assert.notEqual(await incarnation(again), before);
  });

  test("start: an empty data directory and backups → begins with their state; a second member is refused (EQ-c5)", async () => {
    const location = join(root, "life");
    const dataDirectory = join(root, "next host");
    const from = ["--initial-restore-from", location];
    const server = await begin("holdfast", { dataDirectory, flags: from });
    const client = new TestClient(server.address);
    const all = { key: Buffer.from("key"), rangeEnd: Buffer.from("kez"), countOnly: true };
    const { count, header } = await client.must(METHODS.range, all);
    assert.ok(count > 0n && Number(header?.revision) > 1_000_000_000);
    client.close();
    const others = ["--initial-cluster", "a=http://127.0.0.1:1,b=http://127.0.0.1:2"];
    const own = ["--name", "a", "--initial-advertise-peer-urls", "http://127.0.0.1:1"];
    const flags = [...from, ...others, ...own];
    const refused = await begin("holdfast", { flags, isReadyAwaited: false });
    assert.equal((await refused.exited).code, 1);
    assert.match(refused.log, /--initial-restore-from needs a cluster of this member alone/);
    const fresh = ["--initial-restore-from", join(root, "nothing there")];
    const empty = await begin("holdfast", { flags: fresh });
    assert.match(empty.log, /there are no backups to begin with/);
  });

  test("backups: real etcdctl takes an image as any snapshot (UT-02, UT-03)", async () => {
    const image = filesIn(join(root, "life")).find((path) => path.endsWith(".db"));
    assert.ok(image !== undefined);
    const env = { ETCDCTL_API: "3" };
    const status = await run("etcdctl", ["snapshot", "status", image, "-w", "json"], { env });
    const ours = JSON.parse((await utl("snapshot", "status", image, "-w", "json")).stdout);
    const theirs = JSON.parse(status.stdout);
    for (const name of ["hash", "revision", "totalKey", "totalSize"]) {
      assert.equal(ours[name], theirs[name], name);
    }
    const directory = join(root, "theirs");
    const restore = ["snapshot", "restore", image, "--data-dir", directory];
    assert.equal((await run("etcdctl", restore, { env })).code, 0);
    const db = join(directory, "member", "snap", "db");
    assert.equal(readFileSync(db).length > 0, true);
    const hash = async (path: string): Promise<Hash> =>
      JSON.parse((await utl("hashkv", path, "-w", "json")).stdout) as Hash;
    assert.deepEqual(await hash(db), await hash(image));
  });
});
