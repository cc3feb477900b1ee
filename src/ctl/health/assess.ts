/** What a look means: a row for each member, and what is wrong with what to do about it. */
import { humanBytes } from "../../base/index.ts";
import { alarmName } from "../print/maintenance.ts";
import { clusterVerdict } from "../v2/health.ts";
import type { Look, MemberLook } from "./look.ts";

export type Role = "leader" | "follower" | "learner" | "no leader" | "unstarted" | "silent";

export interface MemberRow {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly version: string | undefined;
  readonly term: number | undefined;
  /** Entries that the leader has committed and this member has not applied. */
  readonly lagEntries: number | undefined;
  readonly dbBytes: number | undefined;
  /** Of the quota, 0 to 1. */
  readonly quotaShare: number | undefined;
  /** 99 of 100 syncs of the log took no longer. */
  readonly fsyncSeconds: number | undefined;
  /** The largest difference to another member's clock. */
  readonly clockSeconds: number | undefined;
  readonly alarms: readonly string[];
}

export interface Assessment {
  /** "healthy", "degraded", "unavailable", "unhealthy". */
  readonly verdict: string;
  readonly isHealthy: boolean;
  readonly leader: string | undefined;
  readonly voters: number;
  readonly answeringVoters: number;
  /** How many more voters may fail; below 0: as many are missing for a majority. */
  readonly spare: number;
  readonly rows: readonly MemberRow[];
  readonly troubles: readonly string[];
}

/** Where docs/operating/health-and-metrics.md says to alert. */
const FSYNC_SECONDS_MAX = 0.1;
const CLOCK_SECONDS_MAX = 1;
const SHARE_MAX = 0.8;
/** Fewer between two looks say nothing: then all since the member's start are taken. */
const FSYNCS_MIN = 100;
/** Beyond what is on its way between two questions. */
const LAG_ENTRIES_MAX = 1_000;

const FSYNC = "etcd_disk_wal_fsync_duration_seconds";
const CLOCK = "holdfast_peer_clock_difference_seconds";
const ACTIVE_PEERS = "etcd_network_active_peers";
const LATE_HEARTBEATS = "etcd_server_heartbeat_send_failures_total";

/** With `before`, an earlier look, what is counted is that since then. */
export function assess(look: Look, minor: number, before?: Look): Assessment {
  const verdicts = look.members.map(({ health }) => health.verdict);
  const { line, isHealthy } = clusterVerdict(verdicts, minor);
  const committed = committedOf(look);
  const earlier = new Map(before?.members.map((one) => [one.member.id, one.metrics]));
  const rows = look.members.map((one) => {
    return rowOf(one, look, { committed, before: earlier.get(one.member.id) });
  });
  const voting = look.members.filter(({ member }) => !member.isLearner);
  // Not those that are healthy: an alarm makes all of them unhealthy, and takes no majority away.
  const answeringVoters = voting.filter(({ status }) => status !== undefined).length;
  const spare = answeringVoters - (Math.floor(voting.length / 2) + 1);
  const leader = rows.find(({ role }) => role === "leader");
  const present = namesOf(look.members.filter(({ status }) => status !== undefined));
  const troubles = [
    ...clusterTroubles({ spare, voters: voting.length, hasLeader: leader !== undefined }),
    ...look.members.flatMap((one, at) =>
      memberTroubles(one, rows[at] as MemberRow, {
        present,
        before: earlier.get(one.member.id),
      }),
    ),
  ];
  return {
    verdict: line.trimEnd().replace("cluster is ", ""),
    isHealthy,
    leader: leader === undefined ? undefined : leader.name,
    voters: voting.length,
    answeringVoters,
    spare,
    rows,
    troubles,
  };
}

/** The leader of the newest term knows what is committed. */
function committedOf({ members }: Look): number | undefined {
  const leaders = members
    .map(({ status }) => status)
    .filter((status) => status !== undefined)
    .filter(({ leader, header }) => leader === header.memberId);
  return leaders.sort((a, b) => b.raftTerm - a.raftTerm)[0]?.raftIndex;
}

function namesOf(members: readonly MemberLook[]): ReadonlyMap<string, string> {
  return new Map(members.map(({ member }) => [member.id.toString(16), nameOf(member)]));
}

function nameOf(member: MemberLook["member"]): string {
  return member.name === "" ? member.id.toString(16) : member.name;
}

function rowOf(
  { member, status, metrics }: MemberLook,
  { alarms }: Look,
  { committed, before }: { committed: number | undefined; before: MemberLook["metrics"] },
): MemberRow {
  const clocks = metrics?.values(CLOCK).map(Math.abs) ?? [];
  const quota = status?.dbSizeQuotaBytes ?? 0;
  const since = (metrics?.count(FSYNC) ?? 0) - (before?.count(FSYNC) ?? 0);
  const fsync = metrics?.quantile(FSYNC, 0.99, since < FSYNCS_MIN ? undefined : before);
  return {
    id: member.id.toString(16),
    name: nameOf(member),
    role: roleOf({ member, status }),
    version: status?.version,
    term: status?.raftTerm,
    lagEntries:
      status === undefined || committed === undefined
        ? undefined
        : Math.max(0, committed - status.raftAppliedIndex),
    dbBytes: status?.dbSizeBytes,
    quotaShare: status === undefined || quota === 0 ? undefined : status.dbSizeInUseBytes / quota,
    fsyncSeconds: fsync,
    clockSeconds: clocks.length === 0 ? undefined : Math.max(...clocks),
    alarms: alarms
      .filter(({ memberId }) => memberId === member.id)
      .map(({ alarm }) => alarmName(alarm)),
  };
}

function roleOf({ member, status }: Pick<MemberLook, "member" | "status">): Role {
  if (status === undefined) return member.clientUrls.length === 0 ? "unstarted" : "silent";
  if (status.isLearner) return "learner";
  if (status.leader === 0n) return "no leader";
  return status.leader === status.header.memberId ? "leader" : "follower";
}

function clusterTroubles(found: { spare: number; voters: number; hasLeader: boolean }): string[] {
  const { spare, voters, hasLeader } = found;
  if (spare < 0) {
    return [
      `${-spare} more of the ${voters} voters must come back before anything can be written: ` +
        "start them; when they are lost for good see `holdfast disaster --help`",
    ];
  }
  const told: string[] = [];
  if (!hasLeader) told.push("no leader answers: it is silent, or an election is under way");
  if (spare === 0 && voters > 1) {
    told.push("no more voter may fail: bring back or replace the one that is missing now");
  }
  return told;
}

interface Known {
  /** Of members that answered, by id: of the others it is told that they do not. */
  readonly present: ReadonlyMap<string, string>;
  readonly before: MemberLook["metrics"];
}

function memberTroubles(look: MemberLook, row: MemberRow, known: Known): string[] {
  const { name } = row;
  const told: string[] = [...presenceTroubles(look, row)];
  for (const alarm of row.alarms) told.push(`${name}: alarm ${alarm}: ${ALARM_HINTS[alarm] ?? ""}`);
  const failed = look.notReady.filter((check) => !CHECKS_TOLD_ELSEWHERE.test(check));
  for (const check of failed) told.push(`${name}: not ready: ${check}`);
  const others = look.status?.errors.filter((error) => !isToldElsewhere(error)) ?? [];
  for (const error of others) told.push(`${name}: ${error}`);
  if ((row.lagEntries ?? 0) > LAG_ENTRIES_MAX) {
    told.push(`${name}: ${row.lagEntries} entries behind the leader; it should be catching up`);
  }
  if ((row.quotaShare ?? 0) > SHARE_MAX) {
    const share = Math.round((row.quotaShare ?? 0) * 100);
    told.push(`${name}: ${share} % of the quota is in use: compact, or raise it, before NOSPACE`);
  }
  return [...told, ...hostTroubles(look, row, known)];
}

const ALARM_HINTS: Readonly<Record<string, string>> = {
  NOSPACE: "writes are refused; compact, `etcdctl defrag --cluster`, then `etcdctl alarm disarm`",
  TIME_TRAVEL:
    "its disk went back in time; it is replaced by itself while the others are a majority",
  CORRUPT: "its data differs from the others'; `etcdctl endpoint hashkv --cluster` shows whose",
};

/** A read fails where there is no leader, data_corruption has its alarm, learners are shown. */
const CHECKS_TOLD_ELSEWHERE = /^(serializable_read|linearizable_read|data_corruption|non_learner):/;

/** Alarms and a missing leader are told with more words. */
function isToldElsewhere(error: string): boolean {
  return /alarm|no leader|NOSPACE|CORRUPT|TIME_TRAVEL/i.test(error);
}

function presenceTroubles({ health, member }: MemberLook, { name, role }: MemberRow): string[] {
  if (health.verdict === "unpublished") {
    return [`${name}: was added and never started; start it at ${member.peerUrls.join(", ")}`];
  }
  if (health.verdict === "unreachable") {
    return [`${name}: does not answer; is the process running, is the network?`];
  }
  if (role === "no leader") return [`${name}: hears no leader; it is cut off or alone`];
  return [];
}

/** Disk, clocks, ways to the others, processor: from /metrics. */
function hostTroubles({ metrics }: MemberLook, row: MemberRow, known: Known): string[] {
  const { name } = row;
  if (metrics === undefined) return [];
  const told: string[] = [];
  if ((row.fsyncSeconds ?? 0) > FSYNC_SECONDS_MAX) {
    told.push(
      `${name}: the disk is slow: 1 of 100 syncs of the log takes about ` +
        `${secondsText(row.fsyncSeconds)}, and each write waits for it`,
    );
  }
  if ((row.clockSeconds ?? 0) > CLOCK_SECONDS_MAX) {
    told.push(
      `${name}: its clock differs by ${secondsText(row.clockSeconds)}: is time synchronised?`,
    );
  }
  for (const peer of metrics.labelsWhere(ACTIVE_PEERS, "Remote", 0)) {
    const other = known.present.get(peer);
    if (other !== undefined) told.push(`${name}: nothing flows to ${other}: is the network cut?`);
  }
  const used = metrics.value("os_fd_used") ?? 0;
  const limit = metrics.value("os_fd_limit") ?? Number.POSITIVE_INFINITY;
  if (used / limit > SHARE_MAX) {
    told.push(`${name}: ${used} of ${limit} file descriptors are in use: raise LimitNOFILE`);
  }
  const late = (metrics.value(LATE_HEARTBEATS) ?? 0) - (known.before?.value(LATE_HEARTBEATS) ?? 0);
  if (known.before !== undefined && late > 0) {
    told.push(`${name}: ${late} heartbeats went out late: too little processor time`);
  }
  return told;
}

export function secondsText(seconds: number | undefined): string {
  if (seconds === undefined) return "-";
  if (seconds === Number.POSITIVE_INFINITY) return "very long";
  return seconds < 1 ? `${Number((seconds * 1000).toPrecision(2))} ms` : `${seconds.toFixed(1)} s`;
}

export function bytesText(bytes: number | undefined): string {
  return bytes === undefined ? "-" : humanBytes(bytes);
}
