/**
 * The health of a cluster of processes as its members are frozen and killed: `holdfast health`, and
 * `cluster-health` of the second API.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { METHODS } from "../harness/client.ts";
import { Cluster, type ClusterMember } from "../harness/cluster.ts";
import {
  Background,
  type CommandResult,
  freePort,
  holdfastCommand,
  poll,
  run,
} from "../harness/process.ts";

const { program, args: MAIN } = holdfastCommand();
/** A process of its own takes a while to begin on a busy machine. */
const BEGIN_MS_MAX = 15_000;

function holdfast(...words: string[]): Promise<CommandResult> {
  return run(program, [...MAIN, ...words], { deadlineMs: 60_000 });
}

describe("health of three members", { timeout: 120_000 }, () => {
  let cluster: Cluster;
  let follower: ClusterMember;
  let ids: Map<ClusterMember, string>;

  before(async () => {
    cluster = await Cluster.start("holdfast", { members: 3 });
    follower = (await cluster.followers())[0] as ClusterMember;
    ids = new Map();
    for (const member of cluster.members) ids.set(member, (await member.id()).toString(16));
  });
  after(async () => {
    await cluster?.dispose();
  });

  const all = (): string => cluster.addresses.join(",");
  const idOf = (member: ClusterMember): string => ids.get(member) ?? "";
  const healthyLine = (member: ClusterMember): string =>
    `member ${idOf(member)} is healthy: got healthy result from ${member.clientUrl}`;

  /** What each member's line says, and the last line. */
  function verdicts(text: string): Record<string, string> {
    const found: Record<string, string> = {};
    for (const [, id = "", word = ""] of text.matchAll(/^member (\S+) is (\w+)/gm)) {
      found[id] = word;
    }
    found["cluster"] = /^cluster is (\w+)$/m.exec(text)?.[1] ?? "";
    return found;
  }

  test("health: all well → the seed's lines, exit code 0, one glance more (EQ-d2)", async () => {
    const { code, stdout, stderr } = await holdfast("health", "--endpoints", follower.address);
    assert.equal(`${code} ${stderr}`, "0 ");
    for (const member of cluster.members) assert.ok(stdout.includes(healthyLine(member)));
    assert.match(stdout, /^cluster is healthy\n\nMEMBER +ID +ROLE +VERSION +LAG/m);
    assert.match(stdout, new RegExp(`^m\\d +${idOf(follower)} +follower +3\\.7\\.1 +\\d+ `, "m"));
    assert.match(stdout, /^3 of 3 voters answer, 1 more may fail; m\d leads;/m);
    const brief = await holdfast("health", "--brief", "--endpoints", follower.address);
    assert.equal(brief.stdout, `${stdout.split("\n\n")[0]}\n`);
  });

  test("health: an alarm → unhealthy, named, with what to do (EQ-d2)", async () => {
    const memberId = await follower.id();
    await follower.client.must(METHODS.alarm, { action: 1, memberId, alarm: 1 });
    const { code, stdout } = await holdfast("health", "--endpoints", all());
    assert.equal(code, 5);
    assert.match(stdout, /^cluster is unavailable$/m);
    assert.match(stdout, new RegExp(`^! ${follower.name}: alarm NOSPACE: writes are refused`, "m"));
    await follower.client.must(METHODS.alarm, { action: 2, memberId, alarm: 1 });
  });

  test("health: a frozen member → unreachable within --timeout, the others not held up (BT-d6)", async () => {
    const watching = new Background(program, [
      ...MAIN,
      ...["health", "--endpoints", all(), "--watch", "--interval", "100ms", "--timeout", "1s"],
    ]);
    await watching.until((text) => text.includes("voters answer"), BEGIN_MS_MAX);
    follower.pause();
    try {
      await watching.until(
        (text) => text.includes(`${follower.name} is silent`) && text.includes("is degraded"),
        BEGIN_MS_MAX,
      );
      for (const words of [
        ["health", "--timeout", "1s"],
        ["ctl", "cluster-health", "--timeout", "1s"],
      ]) {
        const begin = performance.now();
        const found = await holdfast(...words, "--endpoints", all());
        const tookMs = performance.now() - begin;
        assert.ok(tookMs < 1_000 + BEGIN_MS_MAX, `${words.join(" ")}: ${tookMs} ms`);
        assert.equal(found.code, 5);
        const expected = Object.fromEntries([...ids.values()].map((id) => [id, "healthy"]));
        assert.deepEqual(verdicts(found.stdout), {
          ...expected,
          [idOf(follower)]: "unreachable",
          cluster: "degraded",
        });
        assert.match(found.stdout, /Client\.Timeout exceeded while awaiting headers/);
      }
    } finally {
      follower.resume();
    }
    await watching.until((text) => /is healthy\n(?!.*is degraded)/s.test(text), BEGIN_MS_MAX);
    assert.equal(await watching.end("SIGINT"), 0);
  });

  test("cluster-health: --forever → told and asked again, until Ctrl-C (EQ-d2)", async () => {
    const words = [...MAIN, "ctl", "--endpoints", all(), "cluster-health", "--forever"];
    const forever = new Background(program, words);
    await forever.until((text) => text.endsWith("next check after 10 second...\n\n"), BEGIN_MS_MAX);
    assert.match(forever.stdout, /^cluster is healthy\n\nnext check/m);
    assert.equal(await forever.end("SIGINT"), 0);
  });

  test("health: added and never started → told where it should run (EQ-d2)", async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    let id = 0n;
    await poll("a healthy cluster", async () => {
      const { client } = cluster.member(0);
      const answer = await client.call(METHODS.memberAdd, { peerUrls: [url], isLearner: true });
      if (answer.ok) id = answer.value.member?.id ?? 0n;
      return answer.ok;
    });
    const { code, stdout } = await holdfast("health", "--endpoints", all());
    await cluster.member(0).client.must(METHODS.memberRemove, { id });
    assert.equal(code, 5);
    const hex = id.toString(16);
    assert.match(
      stdout,
      new RegExp(`^member ${hex} is unreachable: no available published client urls$`, "m"),
    );
    assert.ok(stdout.includes(`! ${hex}: was added and never started; start it at ${url}\n`));
  });

  test("health: down to two, one, none → degraded, unavailable, not listed: 5, 5, 4 (EQ-d2)", async () => {
    const [gone, next, last] = [...cluster.members] as [
      ClusterMember,
      ClusterMember,
      ClusterMember,
    ];
    await gone.kill();
    await poll("another leader", async () => (await last.status())?.leader !== 0n, 20_000);
    await last.server.ready();
    const two = await holdfast("health", "-w", "json", "--endpoints", all());
    const { verdict, spare, members } = JSON.parse(two.stdout) as {
      verdict: string;
      spare: number;
      members: { name: string; role: string }[];
    };
    assert.deepEqual(
      { code: two.code, verdict, spare },
      { code: 5, verdict: "degraded", spare: 0 },
    );
    assert.equal(members.find(({ name }) => name === gone.name)?.role, "silent");

    await next.kill();
    await poll("no leader", async () => (await last.status())?.leader === 0n, 20_000);
    const one = await holdfast("ctl", "cluster-health", "--endpoints", all());
    assert.equal(one.code, 5);
    assert.deepEqual(verdicts(one.stdout), {
      [idOf(gone)]: "unreachable",
      [idOf(next)]: "unreachable",
      [idOf(last)]: "unhealthy",
      cluster: "unavailable",
    });
    const glance = await holdfast("health", "--endpoints", all());
    assert.match(glance.stdout, /^! 1 more of the 3 voters must come back/m);

    await last.kill();
    const none = await holdfast("ctl", "cluster-health", "--endpoints", last.clientUrl);
    assert.equal(none.code, 4);
    assert.equal(none.stdout, "cluster may be unhealthy: failed to list members\n");
    const refused = `dial tcp ${last.address}: connect: connection refused`;
    assert.equal(
      none.stderr,
      `Error:  client: etcd cluster is unavailable or misconfigured; error #0: ${refused}\n\nerror #0: ${refused}\n\n`,
    );
    const health = await holdfast("health", "--endpoints", all());
    assert.equal(health.code, 4);
    assert.equal(health.stdout, "cluster may be unhealthy: failed to list members\n");
    const json = await holdfast("health", "-w", "json", "--endpoints", all());
    assert.equal((JSON.parse(json.stdout) as { errors: string[] }).errors.length, 3);
  });
});
