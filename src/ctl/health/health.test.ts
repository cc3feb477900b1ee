import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberAlarm, StatusResponse } from "../../client/index.ts";
import { assess } from "./assess.ts";
import { type Asker, lookAt } from "./look.ts";
import { changes, glanceText, healthJson } from "./show.ts";

interface Fake {
  readonly id: bigint;
  readonly name: string;
  readonly state?: "up" | "down" | "unstarted" | "alone";
  readonly isLeader?: boolean;
  readonly isLearner?: boolean;
  readonly applied?: number;
  readonly inUseBytes?: number;
  readonly errors?: readonly string[];
  readonly metrics?: string;
  readonly readyz?: string;
}

const PLAIN: readonly Fake[] = [
  { id: 1n, name: "a", isLeader: true },
  { id: 2n, name: "b" },
  { id: 3n, name: "c" },
];

function statusOf(fake: Fake): StatusResponse {
  const header = { clusterId: 9n, memberId: fake.id, revision: 5, raftTerm: 4 };
  return {
    header,
    version: "3.7.1",
    dbSizeBytes: 20_480,
    dbSizeInUseBytes: fake.inUseBytes ?? 8_192,
    dbSizeQuotaBytes: 1_000_000,
    leader: fake.state === "alone" ? 0n : 1n,
    raftIndex: 5_000,
    raftTerm: 4,
    raftAppliedIndex: fake.applied ?? 5_000,
    errors: fake.errors ?? [],
    isLearner: fake.isLearner ?? false,
    storageVersion: "3.7.0",
    downgradeEnabled: false,
    downgradeTargetVersion: "",
  };
}

function askerOf(fakes: readonly Fake[], alarms: readonly MemberAlarm[] = []): Asker {
  const find = (url: string): Fake => {
    const fake = fakes.find(({ name }) => url.startsWith(`http://${name}:`));
    if (fake === undefined || fake.state === "down") throw new Error("refused");
    return fake;
  };
  return {
    minor: 7,
    list: async () => ({
      header: { clusterId: 9n, memberId: 1n, revision: 0, raftTerm: 4 },
      members: fakes.map(({ id, name, state, isLearner }) => ({
        id,
        name: state === "unstarted" ? "" : name,
        peerUrls: [`http://${name}:2380`],
        clientUrls: state === "unstarted" ? [] : [`http://${name}:2379`],
        isLearner: isLearner ?? false,
      })),
    }),
    get: async (url) => {
      const fake = find(url);
      if (url.endsWith("/readyz")) return fake.readyz ?? "ok\n";
      if (url.endsWith("/metrics")) return fake.metrics ?? "os_fd_used 1\n";
      return `{"health":"${fake.state === "alone" || alarms.length > 0 ? "false" : "true"}"}`;
    },
    status: async (endpoint) => statusOf(find(endpoint)),
    alarms: async (endpoint) => (find(endpoint), alarms),
  };
}

const found = async (fakes: readonly Fake[], alarms: readonly MemberAlarm[] = []) =>
  assess(await lookAt(askerOf(fakes, alarms)), 7);

/** The members as given, but for what one of them is. */
const but = (name: string, other: Partial<Fake>): Fake[] =>
  PLAIN.map((fake) => (fake.name === name ? { ...fake, ...other } : fake));

test("health: three members that are well → no trouble, one more may fail", async () => {
  const { verdict, leader, spare, troubles, rows } = await found(PLAIN);
  assert.deepEqual(
    { verdict, leader, spare, troubles },
    {
      verdict: "healthy",
      leader: "a",
      spare: 1,
      troubles: [],
    },
  );
  assert.deepEqual(
    rows.map(({ role, lagEntries }) => `${role} ${lagEntries}`),
    ["leader 0", "follower 0", "follower 0"],
  );
});

test("health: one member down → degraded, who it is, and that no more may fail", async () => {
  const { verdict, spare, troubles, rows } = await found(but("b", { state: "down" }));
  assert.deepEqual(
    { verdict, spare, role: rows[1]?.role },
    {
      verdict: "degraded",
      spare: 0,
      role: "silent",
    },
  );
  assert.match(troubles.join("\n"), /^no more voter may fail.*\nb: does not answer/);
});

test("health: two of three down → unavailable, and how many must come back", async () => {
  const { verdict, spare, troubles } = await found([
    { id: 1n, name: "a", state: "down" },
    { id: 2n, name: "b", state: "alone" },
    { id: 3n, name: "c", state: "down" },
  ]);
  assert.deepEqual({ verdict, spare }, { verdict: "unavailable", spare: -1 });
  assert.match(troubles[0] ?? "", /^1 more of the 3 voters must come back/);
  assert.ok(troubles.some((trouble) => trouble.startsWith("b: hears no leader")));
});

test("health: an alarm → every member unhealthy, the majority is still there, what to do", async () => {
  const { verdict, spare, troubles, rows } = await found(PLAIN, [
    { memberId: 2n, alarm: "nospace" },
  ]);
  assert.deepEqual({ verdict, spare }, { verdict: "unavailable", spare: 1 });
  assert.deepEqual(rows[1]?.alarms, ["NOSPACE"]);
  assert.match(troubles.join("\n"), /^b: alarm NOSPACE: writes are refused; compact/);
});

test("health: added and never started → told where to start it", async () => {
  const { troubles, rows } = await found(but("c", { state: "unstarted" }));
  assert.equal(rows[2]?.role, "unstarted");
  assert.ok(troubles.includes("3: was added and never started; start it at http://c:2380"));
});

test("health: a learner counts for no majority", async () => {
  const { voters, spare, rows } = await found([...PLAIN, { id: 4n, name: "d", isLearner: true }]);
  assert.deepEqual(
    { voters, spare, role: rows[3]?.role },
    { voters: 3, spare: 1, role: "learner" },
  );
});

test("health: what a member is behind, and what it says of itself, is told", async () => {
  const { troubles, rows } = await found(but("b", { applied: 10, errors: ["memory is low"] }));
  assert.equal(rows[1]?.lagEntries, 4_990);
  assert.deepEqual(troubles, [
    "b: memory is low",
    "b: 4990 entries behind the leader; it should be catching up",
  ]);
});

test("health: a disk that went back in time → the alarm, and what the member knows of it", async () => {
  const why = "it acknowledged index 31, and its log ends at 18";
  const readyz = `[-]time_travel failed: ${why}\n[-]linearizable_read failed: no leader\n[+]x ok\n`;
  const { troubles } = await found(but("b", { readyz }), [{ memberId: 2n, alarm: "time_travel" }]);
  assert.match(
    troubles[0] ?? "",
    /^b: alarm TIME_TRAVEL: its disk went back in time; it is replaced/,
  );
  assert.deepEqual(troubles.slice(1), [`b: not ready: time_travel: ${why}`]);
});

test("health: a slow disk, a wrong clock, a cut way, few descriptors → a line each", async () => {
  const metrics = [
    'etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 1',
    'etcd_disk_wal_fsync_duration_seconds_bucket{le="0.5"} 100',
    'holdfast_peer_clock_difference_seconds{To="1"} -2.5',
    'etcd_network_active_peers{Local="2",Remote="3"} 0',
    "os_fd_used 900",
    "os_fd_limit 1000",
  ].join("\n");
  const { troubles } = await found(but("b", { metrics, inUseBytes: 900_000 }));
  assert.deepEqual(
    troubles.map((trouble) => trouble.slice(0, 34)),
    [
      "b: 90 % of the quota is in use: co",
      "b: the disk is slow: 1 of 100 sync",
      "b: its clock differs by 2.5 s: is ",
      "b: nothing flows to c: is the netw",
      "b: 900 of 1000 file descriptors ar",
    ],
  );
});

test("health: nothing flows to a member that is down → told once, of the member", async () => {
  const metrics = 'etcd_network_active_peers{Local="1",Remote="2"} 0\n';
  const fakes = but("b", { state: "down" }).map((fake) => ({ ...fake, metrics }));
  assert.ok((await found(fakes)).troubles.every((trouble) => !trouble.includes("flows")));
});

test("health: heartbeats that went out late since the look before → told", async () => {
  const name = "etcd_server_heartbeat_send_failures_total";
  const before = await lookAt(askerOf(but("a", { metrics: `${name} 5\n` })));
  const now = await lookAt(askerOf(but("a", { metrics: `${name} 8\n` })));
  assert.deepEqual(assess(now, 7).troubles, []);
  assert.match(assess(now, 7, before).troubles[0] ?? "", /^a: 3 heartbeats went out late/);
});

test("health: a glance is a row for each member, lines cut at the terminal's width", async () => {
  const text = glanceText(await found(but("b", { state: "down" })), {
    hasColours: false,
    columns: 30,
  });
  const lines = text.split("\n");
  assert.equal(lines[0], "MEMBER  ID  ROLE      VERSION");
  assert.equal(lines[1], "a       1   leader    3.7.1");
  assert.equal(lines[2], "b       2   silent    -");
  // Troubles are sentences: they wrap.
  assert.ok((lines[6] ?? "").startsWith("! no more voter may fail: bring back or replace"));
});

test("health: JSON has the numbers, and none that JSON does not know", async () => {
  const metrics = 'etcd_disk_wal_fsync_duration_seconds_bucket{le="+Inf"} 3\n';
  const text = healthJson(await found(but("b", { metrics })));
  const { members, verdict } = JSON.parse(text) as {
    verdict: string;
    members: { name: string; role: string; fsyncSeconds?: number }[];
  };
  assert.equal(verdict, "healthy");
  assert.deepEqual(
    members.map(({ name, role }) => `${name} ${role}`),
    ["a leader", "b follower", "c follower"],
  );
  assert.equal(members[1]?.fsyncSeconds, Number.MAX_VALUE);
});

test("health: what has changed between two looks, a line each", async () => {
  const before = await found(PLAIN);
  const now = await found([...but("b", { state: "down" }).slice(0, 2)]);
  assert.deepEqual(changes(before, now, "12:00").split("\n").slice(0, 3), [
    "12:00 cluster is degraded",
    "12:00 b is silent",
    "12:00 c was removed",
  ]);
  assert.equal(changes(now, now, "12:01"), "");
});
