import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { ClusterMember, MemberAlarm } from "../../client/index.ts";
import { memberReplace } from "../commands/member-replace.ts";
import { rollingRestart } from "../commands/rolling-restart.ts";
import type { Asker } from "../health/look.ts";
import type { CtlIo } from "../io.ts";
import { hostCommand, hostOf } from "./host-command.ts";
import { Notes } from "./notes.ts";
import { Replacement } from "./replace.ts";
import { isReplaceNotes, type ReplaceNotes } from "./replace-plan.ts";
import { isRollingNotes, type RollingNotes } from "./rolling-plan.ts";
import { RollingRestart } from "./rolling-restart.ts";
import type { Hands } from "./steps.ts";

const directory = mkdtempSync(join(tmpdir(), "holdfast-operate-"));
after(() => rmSync(directory, { recursive: true, force: true }));
let files = 0;
const newPath = (): string => join(directory, `notes-${(files += 1)}`, "notes.json");

interface FakeMember {
  id: bigint;
  name: string;
  isUp: boolean;
  isLearner: boolean;
  startSeconds: number;
  applied: number;
  version: string;
}

/** A cluster that does at once what it is told, and a command that dies at the step it is told. */
class World {
  members: FakeMember[];
  leader = 1n;
  committed = 100;
  alarms: MemberAlarm[] = [];
  readonly did: string[] = [];
  text = "";
  /** Steps left before the command is killed. */
  steps = Number.POSITIVE_INFINITY;
  caughtUpPerLook = 10;
  /** What `--exec` does. */
  exec = (member: FakeMember): void => this.restart(member);

  constructor(count: number) {
    this.members = Array.from({ length: count }, (_, at) => this.#make(BigInt(at + 1)));
  }

  #make(id: bigint): FakeMember {
    const name = `m${id}`;
    return {
      ...{ id, name, isUp: true, isLearner: false, startSeconds: 1_000 },
      ...{ applied: 100, version: "3.7.1" },
    };
  }

  member(id: number): FakeMember {
    return this.members[id - 1] as FakeMember;
  }

  restart(member: FakeMember): void {
    assert.notEqual(member.id, this.leader, "the leader is not restarted");
    const others = this.members.filter((one) => one !== member && one.isUp && !one.isLearner);
    assert.ok(
      others.every(({ applied }) => applied === this.committed),
      "one at a time",
    );
    member.startSeconds += 60;
    member.isUp = true;
    // It comes back behind the others.
    member.applied = this.committed - 6;
  }

  /** Before and after each thing that is done, the command may be killed. */
  step(what: string, act: () => void): void {
    this.#count();
    this.did.push(what);
    act();
    this.#count();
  }

  #count(): void {
    this.steps -= 1;
    if (this.steps < 0) throw new Error("killed");
  }

  get io(): CtlIo {
    return {
      stdout: (data) => void (this.text += data.toString()),
      isTerminal: false,
      start: (words) => {
        const name = /m\d+/.exec(words[2] ?? "")?.[0];
        const member = this.members.find((one) => one.name === name);
        const fresh = this.members.find((one) => one.name === "");
        this.step(`exec ${name}`, () => this.exec(member ?? (fresh as FakeMember)));
        return { ended: Promise.resolve({ exitCode: 0, error: undefined }), kill: () => undefined };
      },
    } as Partial<CtlIo> as CtlIo;
  }

  get asker(): Asker {
    const find = (url: string): FakeMember => {
      const found = this.members.find(({ id }) => url.startsWith(`http://h${id}:`));
      if (found?.isUp !== true) throw new Error("refused");
      return found;
    };
    const header = { clusterId: 9n, memberId: 1n, revision: 5, raftTerm: 4 };
    return {
      minor: 7,
      list: async () => ({ header, members: this.members.map(memberOf) }),
      get: async (url) => `process_start_time_seconds ${find(url).startSeconds}\n`,
      alarms: async () => this.alarms,
      status: async (url) => {
        const found = find(url);
        // It catches up while it is looked at.
        found.applied = Math.min(this.committed, found.applied + this.caughtUpPerLook);
        const { id, applied, isLearner, version } = found;
        return {
          ...{ header: { ...header, memberId: id }, version, isLearner, raftTerm: 4 },
          ...{ dbSizeBytes: 1, dbSizeInUseBytes: 1, dbSizeQuotaBytes: 0, errors: [] },
          ...{ leader: this.leader, raftIndex: this.committed, raftAppliedIndex: applied },
          ...{ storageVersion: "", downgradeEnabled: false, downgradeTargetVersion: "" },
        };
      },
    };
  }

  get hands(): Hands {
    return {
      moveLeader: async (endpoint, target) => {
        assert.equal(endpoint, `http://h${this.leader}:2379`);
        this.step(`move to m${target}`, () => (this.leader = target));
      },
      readAt: async () => undefined,
      releaseAt: async () => "0.1.0",
    };
  }
}

function memberOf({ id, name, isLearner }: FakeMember): ClusterMember {
  const clientUrls = name === "" ? [] : [`http://h${id}:2379`];
  // The new member takes the place of the third.
  return { id, name, peerUrls: [`http://h${id > 3n ? 3n : id}:2380`], clientUrls, isLearner };
}

function rolling(world: World, path: string, more: { expectVersion?: string } = {}) {
  const notes = new Notes<RollingNotes>(path, isRollingNotes);
  const { io, asker, hands } = world;
  const exec = "restart %n on %h";
  return new RollingRestart({
    ...{ io, asker, hands, exec, notes, timeoutMs: 1_000, expectVersion: "" },
    ...more,
  });
}

test("rolling restart: followers first, the leader last and moved away before (EQ-d4)", async () => {
  const world = new World(3);
  world.caughtUpPerLook = 2;
  await rolling(world, newPath()).run();
  assert.deepEqual(world.did, ["exec m2", "exec m3", "move to m2", "exec m1"]);
  assert.match(world.text, /-> m2 \(follower\): restart m2 on h2\n {3}m2 is back/);
  assert.match(world.text, /3 members restarted; every member has applied/);
});

test("rolling restart: killed at every step → the same call goes on, nobody left out", async () => {
  for (let steps = 0; steps < 8; steps += 1) {
    const world = new World(3);
    const path = newPath();
    world.steps = steps;
    await assert.rejects(rolling(world, path).run());
    assert.ok(world.steps < 0);
    const before = world.members.map(({ startSeconds }) => startSeconds);
    world.steps = Number.POSITIVE_INFINITY;
    await rolling(world, path).run();
    world.members.forEach(({ startSeconds }, at) => {
      assert.ok(startSeconds > 1_000, `m${at + 1} was left out, killed at step ${steps}`);
      if ((before[at] ?? 0) > 1_000) assert.equal(startSeconds, before[at], "restarted twice");
    });
  }
});

test("rolling restart: not healthy, no majority to spare, no start time → refused", async () => {
  const refused = async (change: (world: World) => void, why: RegExp, count = 3) => {
    const world = new World(count);
    change(world);
    await assert.rejects(rolling(world, newPath()).plan(), why);
    await assert.rejects(rolling(world, newPath()).run(), why);
    assert.deepEqual(world.did, []);
  };
  await refused(
    (world) => (world.member(3).isUp = false),
    /not healthy: m3 does not answer\. Mend/,
  );
  await refused((world) => (world.member(3).applied = -2_000), /m3 is \d+ entries behind the lead/);
  await refused((world) => (world.leader = 0n), /there is no leader/);
  await refused(
    (world) => (world.alarms = [{ memberId: 2n, alarm: "corrupt" }]),
    /m2 has the alarm CORRUPT/,
  );
  await refused(() => undefined, /with 2 voters no majority is left/, 2);
});

test("rolling restart: one that does not come back → ended there, told what to do", async () => {
  const world = new World(3);
  world.exec = (member) => (member.isUp = false);
  await assert.rejects(
    rolling(world, newPath()).run(),
    /m2 does not answer, after 1 s; look at its log.* no other member was touched/,
  );
  world.exec = () => undefined;
  world.member(2).isUp = true;
  await assert.rejects(
    rolling(world, newPath()).run(),
    /m2 is still the process that began at 1970/,
  );
  assert.deepEqual(world.did, ["exec m2", "exec m2"]);
});

test("rolling restart: an expected version → who has it is passed over, who has not ends it", async () => {
  const world = new World(3);
  world.member(2).version = "3.8.0";
  const upgrade = (path: string) => rolling(world, path, { expectVersion: "3.8.0" });
  assert.match(await upgrade(newPath()).plan(), /^- {2}m2: done already\n1\. m3 \(follower\)/);
  world.exec = (member) => {
    world.restart(member);
    if (member.id === 3n) member.version = "3.8.0";
  };
  const path = newPath();
  await assert.rejects(upgrade(path).run(), /m1 came back with version 3\.7\.1, expected 3\.8\.0/);
  assert.deepEqual(world.did, ["exec m3", "move to m2", "exec m1"]);
});

test("rolling restart: notes of another command, or of none → refused by name", async () => {
  const world = new World(3);
  const path = newPath();
  const notes = new Notes<RollingNotes>(path, isRollingNotes);
  notes.write({ cluster: "9", exec: "something else", startSeconds: {} });
  await assert.rejects(rolling(world, path).run(), /another rolling restart that has not ended/);
  new Notes<object>(path, (_): _ is object => true).write([]);
  await assert.rejects(rolling(world, path).run(), /holds something else: delete it to begin anew/);
});

function replacing(world: World, path: string, more: { exec?: string; oldId?: bigint } = {}) {
  const { io, asker, hands } = world;
  return new Replacement({
    ...{ io, asker, hands, timeoutMs: 1_000, oldId: 3n, peerUrls: [], name: "", isVoter: false },
    ...{ exec: "start %n of %c", notes: new Notes<ReplaceNotes>(path, isReplaceNotes) },
    changes: {
      remove: async (id) =>
        world.step("remove", () => {
          world.members = world.members.filter((one) => one.id !== id);
        }),
      add: async (_, isLearner) =>
        world.step("add", () => {
          const fresh = { ...world.member(1), id: 4n, name: "", isUp: false, isLearner };
          world.members.push({ ...fresh, applied: 0 });
        }),
      promote: async (id) => {
        const member = world.members.find((one) => one.id === id) as FakeMember;
        if (member.applied < world.committed) return false;
        world.step("promote", () => (member.isLearner = false));
        return true;
      },
    },
    ...more,
  });
}

function lostThird(): World {
  const world = new World(3);
  world.member(3).isUp = false;
  world.exec = (member) => Object.assign(member, { name: "m3", isUp: true, applied: 90 });
  return world;
}

const SEVEN = ["remove", "add", "exec m3", "promote"];

test("replace: removed, added as a learner, started, caught up, promoted (BT-d7)", async () => {
  const world = lostThird();
  const path = newPath();
  assert.match(await replacing(world, path).plan(), /^1\. remove member 3 \(m3\)\n2\. add http:/);
  await replacing(world, path).run();
  assert.deepEqual(world.did, SEVEN);
  assert.match(
    world.text,
    /start m3 of m1=http:\/\/h1:2380,m2=http:\/\/h2:2380,m3=http:\/\/h3:2380/,
  );
  assert.match(world.text, /m3 votes as member 4; it is replaced\n$/);
});

test("replace: killed at every step → the same call goes on from there (BT-d7)", async () => {
  for (let steps = 0; steps < 8; steps += 1) {
    const world = lostThird();
    const path = newPath();
    world.steps = steps;
    await assert.rejects(replacing(world, path).run());
    assert.ok(world.steps < 0);
    world.steps = Number.POSITIVE_INFINITY;
    const plan = await replacing(world, path).plan();
    await replacing(world, path).run();
    assert.deepEqual([...new Set(world.did)], SEVEN, `killed at step ${steps}: ${plan}`);
    assert.ok(world.members.every(({ isLearner, isUp }) => isUp && !isLearner));
  }
});

test("replace: the leader itself → the leadership is moved first", async () => {
  const world = lostThird();
  world.member(3).isUp = true;
  world.leader = 3n;
  await replacing(world, newPath()).run();
  assert.deepEqual(world.did, ["move to m1", ...SEVEN]);
});

test("replace: no majority of others, nobody of that id, not started → refused, told why", async () => {
  const world = lostThird();
  world.member(2).isUp = false;
  await assert.rejects(
    replacing(world, newPath()).run(),
    /1 of the other 2 voters serve, 2 are needed to change the members; missing: m2, after 1 s; bring/,
  );
  assert.deepEqual(world.did, []);
  await assert.rejects(
    replacing(lostThird(), newPath(), { oldId: 77n }).plan(),
    /there is no member 4d, and no note of its removal in .*give --name and --peer-urls/,
  );
  const waiting = lostThird();
  await assert.rejects(
    replacing(waiting, newPath(), { exec: "" }).run(),
    /m3 has not started at http:\/\/h3:2380, after 1 s; look at its log; the same command goes on/,
  );
  assert.match(
    waiting.text,
    /3\. Now on h3: .*\n {5}ETCD_NAME="m3"\n {5}ETCD_INITIAL_CLUSTER="m1=/,
  );
});

test("host command: every letter, an address of six, what a shell would read → refused", () => {
  const member = {
    ...{ id: 0xabn, name: "a", isLearner: false },
    ...{ peerUrls: ["https://[fd00::1]:2380"], clientUrls: ["https://c:2379"] },
  };
  assert.equal(
    hostCommand("%h %n %i %e %p %%", member),
    "fd00::1 a ab https://c:2379 https://[fd00::1]:2380 %",
  );
  assert.equal(hostOf("http://10.0.0.1:2380"), "10.0.0.1");
  assert.throws(() => hostCommand("%z", member), /%z stands for nothing; %h host/);
  assert.throws(
    () => hostCommand("%n", { ...member, name: "$(reboot)" }),
    /does not take as it is/,
  );
});

test("operate: commands → a usage that names the letters", () => {
  assert.match(rollingRestart.description ?? "", /%h host of its peer URL/);
  assert.match(memberReplace.description ?? "", /%c initial cluster/);
});
