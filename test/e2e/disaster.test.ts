/**
 * Two of three members are lost for good: what the third has comes back with one command, and the
 * cluster comes back to three by the commands that it prints, run as they were printed.
 */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { Prng } from "../../src/base/index.ts";
import { METHODS, TestClient } from "../harness/client.ts";
import { Cluster, type ClusterMember } from "../harness/cluster.ts";
import { http, numberFromEnv, poll, temporaryDirectory } from "../harness/process.ts";
import { Shell } from "../harness/shell.ts";

const SEED = numberFromEnv("SEED", 1);
const IS_LONG = process.env["LONG_SUITE"] === "1";
/** Stories in which each step is killed once; story n has seed SEED + n. */
const KILLED = numberFromEnv("DISASTER_RUNS", IS_LONG ? 50 : 1);
const STORY_MS_MAX = 180_000;
const WRITERS = 8;
const ACKNOWLEDGED_MIN = 600;
const CATCH_UP_MS_MAX = 60_000;

/** What was acknowledged: key, value, revision. */
interface Acknowledged {
  readonly key: string;
  readonly value: string;
  readonly revision: bigint;
}

/** Writes until the cluster has no majority any more. */
async function write(
  members: readonly ClusterMember[],
  acknowledged: Acknowledged[],
  isOver: () => boolean,
): Promise<void> {
  const writer = async (number: number): Promise<void> => {
    for (let at = 0; !isOver(); at += 1) {
      const [key, value] = [`key ${number} ${at}`, `value ${number} ${at}`];
      const member = members[(number + at) % members.length] as ClusterMember;
      const request = { key: Buffer.from(key), value: Buffer.from(value) };
      const answer = await member.client.call(METHODS.put, request, { deadlineMs: 500 });
      if (answer.ok)
        acknowledged.push({ key, value, revision: answer.value.header?.revision ?? 0n });
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, number) => writer(number)));
}

interface Scene {
  readonly survivor: ClusterMember;
  readonly acknowledged: readonly Acknowledged[];
  /** What the survivor has left, never to be changed. */
  readonly origin: string;
}

/** Three members under load, of which two are killed and wiped, and then the third is killed. */
async function disaster(t: TestContext): Promise<Scene> {
  const cluster = await Cluster.start("holdfast", { members: 3 });
  t.after(() => cluster.dispose());
  const leader = await cluster.leader();
  const survivor = cluster.members.find((member) => member !== leader) as ClusterMember;
  const acknowledged: Acknowledged[] = [];
  let isOver = false;
  const load = write(cluster.members, acknowledged, () => isOver);
  await poll("writes", () => acknowledged.length >= ACKNOWLEDGED_MIN, 30_000);
  const lost = cluster.members.filter((member) => member !== survivor);
  for (const member of lost) member.server.signal("SIGKILL");
  await Promise.all(lost.map((member) => member.server.exited));
  isOver = true;
  await load;
  for (const member of lost) member.wipe();
  const { code, stdout } = await new Shell(temporaryDirectory("shell")).run(
    `holdfast disaster ${survivor.dataDirectory}`,
  );
  assert.equal(code, 1);
  assert.match(stdout, new RegExp(`in use by process ${survivor.server.pid}: stop it first`));
  await survivor.kill();
  const origin = temporaryDirectory("origin");
  cpSync(survivor.dataDirectory, origin, { recursive: true });
  return { survivor, acknowledged, origin };
}

interface Printed {
  readonly start: string;
  readonly health: string;
  /** For each host that joins. */
  readonly joins: readonly {
    readonly add: string;
    readonly start: string;
    readonly promote: string;
  }[];
  readonly revisionBefore: bigint;
}

/** The commands as they were printed. */
function readPrinted(stdout: string): Printed {
  const commands = stdout.replaceAll(/ \\\n\s+/g, " ").match(/^ {3}holdfast .*$/gm) ?? [];
  const [start = "", health = "", ...rest] = commands.map((command) => command.trim());
  assert.equal(rest.length, 6, stdout);
  const joins = [0, 3].map((at) => ({
    add: rest[at] as string,
    start: rest[at + 1] as string,
    promote: rest[at + 2] as string,
  }));
  const revisionBefore = BigInt(/revision +\d+ \(was (\d+)\)/.exec(stdout)?.[1] ?? "0");
  return { start, health, joins, revisionBefore };
}

function flagOf(command: string, name: string): string {
  return new RegExp(`--${name} (\\S+)`).exec(command)?.[1] ?? "";
}

/** The whole way back; with `random`, each step is killed once before it is done. */
class Story {
  readonly #shell: Shell;
  readonly #scene: Scene;
  readonly #random: Prng | undefined;
  kills = 0;

  constructor(shell: Shell, scene: Scene, random: Prng | undefined) {
    this.#shell = shell;
    this.#scene = scene;
    this.#random = random;
  }

  async run(): Promise<void> {
    const { dataDirectory } = this.#scene.survivor;
    rmSync(dataDirectory, { recursive: true, force: true });
    cpSync(this.#scene.origin, dataDirectory, { recursive: true });
    const command = `holdfast disaster recover ${dataDirectory} --yes`;
    await this.#killOnce(command, 2_000);
    const { code, stdout, stderr } = await this.#shell.run(command);
    assert.equal(code, 0, stderr);
    const printed = readPrinted(stdout);
    const kept = readdirSync(dataDirectory).filter((name) => name.startsWith("before-disaster-"));
    assert.equal(kept.length, 1);

    await this.#serve(printed.start);
    const health = await this.#shell.run(printed.health);
    assert.equal(health.code, 0, health.stderr);
    const url = flagOf(printed.start, "listen-client-urls");
    const clients = [new TestClient(new URL(url).host)];
    try {
      await this.#checkData(clients[0] as TestClient, printed.revisionBefore);
      for (const join of printed.joins) clients.push(await this.#join(join));
      await sameHash(clients);
    } finally {
      for (const client of clients) client.close();
      await this.#shell.killAll();
    }
  }

  async #join({ add, start, promote }: Printed["joins"][number]): Promise<TestClient> {
    await this.#killOnce(add, 1_000);
    let refusal = "";
    await poll(
      "member add",
      async () => {
        const added = await this.#shell.run(add);
        refusal = added.stderr;
        // Within seconds of another change the cluster may not be sure of itself yet.
        return added.code === 0 || /Peer URLs already exists/.test(refusal);
      },
      CATCH_UP_MS_MAX,
    ).catch((error: unknown) => assert.fail(`${String(error)}: ${refusal}`));
    await this.#serve(start, "/livez");
    await this.#killOnce(promote, 1_000);
    const client = new TestClient(new URL(flagOf(start, "listen-client-urls")).host);
    await poll(
      "member promote",
      async () => {
        const promoted = await this.#shell.run(promote);
        return promoted.code === 0 || /can only promote a learner member$/m.test(promoted.stderr);
      },
      CATCH_UP_MS_MAX,
    );
    return client;
  }

  async #killOnce(command: string, withinMs: number): Promise<void> {
    if (this.#random === undefined) return;
    const how = await this.#shell.killAfter(command, this.#random.below(withinMs));
    if (how === "killed") this.kills += 1;
  }

  /** Starts a member and waits until it answers. */
  async #serve(command: string, path = "/health"): Promise<ChildProcess> {
    await this.#killOnce(command, 1_500);
    const child = this.#shell.start(command);
    const url = flagOf(command, "listen-client-urls");
    await poll(
      `${command} answers`,
      async () => {
        assert.equal(child.exitCode, null, `${command} ended`);
        return (await http(`${url}${path}`).catch(() => undefined))?.status === 200;
      },
      CATCH_UP_MS_MAX,
    );
    return child;
  }

  async #checkData(client: TestClient, revisionBefore: bigint): Promise<void> {
    const all = await client.must(METHODS.range, {
      key: Buffer.from("key "),
      rangeEnd: Buffer.from("key!"),
    });
    const found = new Map(all.kvs.map(({ key, value }) => [key.toString(), value.toString()]));
    let missing = 0;
    for (const { key, value, revision } of this.#scene.acknowledged) {
      if (revision > revisionBefore) missing += 1;
      else assert.equal(found.get(key), value, `${key} at revision ${revision}`);
    }
    assert.ok(missing < this.#scene.acknowledged.length / 2, "the survivor had most of it");
    assert.ok((all.header?.revision ?? 0n) > revisionBefore + 900_000_000n);
    const watch = client.watch();
    watch.send({ create: { key: Buffer.from("key "), startRevision: revisionBefore } });
    await watch.until((received) => received.some(({ compactRevision }) => compactRevision > 0n));
    watch.cancel();
  }
}

async function sameHash(clients: readonly TestClient[]): Promise<void> {
  const [first] = clients as [TestClient];
  await first.must(METHODS.put, { key: Buffer.from("back"), value: Buffer.from("again") });
  const { hash, header } = await first.must(METHODS.hashKv, {});
  for (const client of clients) {
    await poll("the same revision", async () => {
      const answer = await client.call(METHODS.hashKv, {});
      return answer.ok && answer.value.header?.revision === header?.revision;
    });
    assert.equal((await client.must(METHODS.hashKv, {})).hash, hash);
  }
  const { members } = await first.must(METHODS.memberList, {});
  assert.deepEqual(
    members.map(({ isLearner }) => isLearner),
    [false, false, false],
  );
}

test("disaster: two of three members lost under load → one command, and three members by those that it prints, with all of the survivor's data (EQ-c3, BT-c5)", {
  timeout: (KILLED + 2) * STORY_MS_MAX,
}, async (t) => {
  const scene = await disaster(t);
  const directory = temporaryDirectory("shell");
  const shellIn = (place: string): Shell => {
    const shell = new Shell(place);
    t.after(() => shell.killAll());
    return shell;
  };
  if (IS_LONG) await new Story(shellIn(directory), scene, undefined).run();

  let kills = 0;
  for (let number = 0; number < KILLED; number += 1) {
    const place = `${directory}/${number}`;
    mkdirSync(place);
    const story = new Story(shellIn(place), scene, new Prng(SEED + number));
    await story.run().catch((error: unknown) => {
      throw new Error(`SEED=${SEED + number}: ${String(error)}`, { cause: error });
    });
    kills += story.kills;
  }
  t.diagnostic(`steps killed: ${kills}; stories: ${KILLED}, seeds from ${SEED}`);
  assert.ok(kills >= KILLED, "steps were killed");
});
