/** The member's metrics under etcd's names (surface 14). */
import { type ErrorId, errors } from "../errors/index.ts";
import type { Member } from "../member/index.ts";
import { alarmName } from "../wire/index.ts";
import type { CheckCounts } from "./checks.ts";
import { counter, gauge, type MetricSource, type Sample } from "./exposition.ts";

export interface MemberMetricsOptions {
  readonly member: Member;
  readonly serverVersion: string;
}

export function memberMetrics(options: MemberMetricsOptions, checks: CheckCounts): MetricSource[] {
  return [
    ...serverMetrics(options),
    ...storeMetrics(options.member),
    ...diskMetrics(options.member),
    ...watchMetrics(options.member),
    ...leaseMetrics(options.member),
    ...careMetrics(options.member),
    ...checkMetrics(checks),
  ];
}

function serverMetrics({ member, serverVersion }: MemberMetricsOptions): MetricSource[] {
  const one = (name: string, help: string, labels: () => Sample["labels"]): MetricSource => ({
    name,
    help,
    type: "gauge",
    samples: () => {
      const found = labels();
      return found === undefined ? [] : [{ labels: found, value: 1 }];
    },
  });
  return [
    gauge("etcd_server_has_leader", "1 when this member knows a leader.", () =>
      member.status().leader === 0n ? 0 : 1,
    ),
    gauge("etcd_server_is_leader", "1 when this member is the leader.", () =>
      member.status().leader === member.id ? 1 : 0,
    ),
    gauge("etcd_server_is_learner", "1 when this member is a learner.", () =>
      member.status().isLearner ? 1 : 0,
    ),
    ...clusterMetrics(member),
    one("etcd_server_id", "This member's id.", () => ({ server_id: member.id.toString(16) })),
    one("etcd_server_version", "The etcd version that this member answers as.", () => ({
      server_version: serverVersion,
    })),
    one("etcd_cluster_version", "The version that the cluster has decided.", () =>
      member.clusterVersion === undefined
        ? undefined
        : { cluster_version: member.clusterVersion.split(".").slice(0, 2).join(".") },
    ),
    gauge(
      "etcd_server_proposals_committed_total",
      "Index of the last committed entry.",
      () => member.status().raftIndex,
    ),
    gauge(
      "etcd_server_proposals_applied_total",
      "Index of the last applied entry.",
      () => member.status().raftAppliedIndex,
    ),
    gauge(
      "etcd_server_proposals_pending",
      "Proposals not answered yet.",
      () => member.measures.proposalsPending,
    ),
    counter(
      "etcd_server_proposals_failed_total",
      "Proposals that were given up.",
      () => member.measures.proposalsFailed,
    ),
    gauge(
      "etcd_server_quota_backend_bytes",
      "Bytes that the store may use.",
      () => member.status().quotaBytes,
    ),
    {
      name: "etcd_debugging_server_alarms",
      help: "1 for each raised alarm.",
      type: "gauge",
      samples: () =>
        member.alarms().map(({ memberId, alarm }) => ({
          labels: {
            server_id: memberId.toString(16),
            alarm_type: alarmName(alarm),
          },
          value: 1,
        })),
    },
  ];
}

/** A member by itself has seen one leader, itself, and nothing else of this. */
function clusterMetrics(member: Member): MetricSource[] {
  const read = () => member.measures.cluster;
  return [
    counter(
      "etcd_server_leader_changes_seen_total",
      "Leaders seen since the start.",
      () => read()?.leaderChanges ?? 1,
    ),
    counter(
      "etcd_server_heartbeat_send_failures_total",
      "Heartbeats that went out late.",
      () => read()?.heartbeatSendFailures ?? 0,
    ),
    counter(
      "etcd_server_slow_read_indexes_total",
      "Rounds for linearizable reads that took long.",
      () => read()?.slowReadIndexes ?? 0,
    ),
    counter(
      "etcd_server_read_indexes_failed_total",
      "Rounds for linearizable reads that were given up.",
      () => read()?.readIndexesFailed ?? 0,
    ),
    counter(
      "etcd_server_learner_promote_successes",
      "Learners made voters by this member as leader.",
      () => read()?.learnerPromotions ?? 0,
    ),
    {
      name: "etcd_server_learner_promote_failures",
      help: "Refused promotions of learners, by the reason.",
      type: "counter",
      samples: () => [...(read()?.learnerPromotionFailures ?? [])].map(failureSample),
    },
    gauge(
      "etcd_server_snapshot_apply_in_progress_total",
      "1 while a snapshot of the leader is taken over.",
      () => read()?.snapshotsBeingApplied ?? 0,
    ),
  ];
}

/** What no etcd has: care/ (decision 0028). */
function careMetrics(member: Member): MetricSource[] {
  return [
    gauge(
      "holdfast_quarantined",
      "1 when this member serves nobody, for its state is in doubt.",
      () => (member.isQuarantined ? 1 : 0),
    ),
    counter(
      "holdfast_digest_mismatch_total",
      "Times that a state was found to differ.",
      () => member.measures.care?.mismatches ?? 0,
    ),
    gauge(
      "holdfast_digest_index",
      "Index up to which this member's state is digested.",
      () => member.stateDigest?.index ?? 0,
    ),
    counter(
      "holdfast_verified_bytes_total",
      "Bytes of store and log that were read again, to find rot.",
      () => member.measures.care?.verifiedBytes ?? 0,
    ),
    counter(
      "holdfast_verify_passes_total",
      "Times that all of store and log was read again.",
      () => member.measures.care?.verifyPasses ?? 0,
    ),
    {
      name: "holdfast_care_events_total",
      help: "What care has found and done, by kind.",
      type: "counter",
      samples: () =>
        [...(member.measures.care?.events ?? [])].map(([kind, value]) => ({
          labels: { kind },
          value,
        })),
    },
  ];
}

function failureSample([id, value]: [string, number]): Sample {
  return { labels: { Reason: errors[id as ErrorId]?.message ?? id }, value };
}

function storeMetrics(member: Member): MetricSource[] {
  const { operations } = member.measures;
  return [
    gauge(
      "etcd_mvcc_db_total_size_in_bytes",
      "Size of the store's file.",
      () => member.status().dbSizeBytes,
    ),
    gauge(
      "etcd_mvcc_db_total_size_in_use_in_bytes",
      "Bytes of it that are in use.",
      () => member.status().dbSizeInUseBytes,
    ),
    counter("etcd_mvcc_put_total", "Keys put.", () => operations.puts),
    counter("etcd_mvcc_delete_total", "Keys deleted.", () => operations.deletes),
    counter("etcd_mvcc_txn_total", "Transactions applied.", () => operations.txns),
    counter("etcd_mvcc_range_total", "Ranges read.", () => operations.ranges),
    counter("etcd_debugging_mvcc_put_total", "Keys put.", () => operations.puts),
    gauge("etcd_debugging_mvcc_keys_total", "Keys in the store.", () => member.measures.keys),
    gauge(
      "etcd_debugging_mvcc_current_revision",
      "The store's revision.",
      () => member.currentRevision,
    ),
    gauge(
      "etcd_debugging_mvcc_compact_revision",
      "Compacted up to here.",
      () => member.measures.compactRevision,
    ),
  ];
}

function diskMetrics(member: Member): MetricSource[] {
  return [
    {
      name: "etcd_disk_wal_fsync_duration_seconds",
      help: "Time to make a batch of log records durable.",
      type: "histogram",
      histograms: () => [{ histogram: member.measures.fsyncSeconds }],
    },
    {
      name: "etcd_disk_backend_commit_duration_seconds",
      help: "Time to make a batch of effects durable in the store.",
      type: "histogram",
      histograms: () => [{ histogram: member.measures.commitSeconds }],
    },
    counter(
      "etcd_disk_wal_write_bytes_total",
      "Bytes written to the log.",
      () => member.measures.walWriteBytes.value,
    ),
  ];
}

function watchMetrics(member: Member): MetricSource[] {
  return [
    gauge(
      "etcd_debugging_mvcc_watch_stream_total",
      "Watch streams.",
      () => member.measures.watch.streams,
    ),
    gauge("etcd_debugging_mvcc_watcher_total", "Watches.", () => member.measures.watch.watchers),
    gauge(
      "etcd_debugging_mvcc_slow_watcher_total",
      "Watches that are behind.",
      () => member.measures.watch.slowWatchers,
    ),
    counter(
      "etcd_debugging_mvcc_events_total",
      "Events sent to watches.",
      () => member.measures.watch.eventsSent,
    ),
    gauge(
      "etcd_debugging_mvcc_pending_events_total",
      "Events not sent yet.",
      () => member.measures.watch.pendingChanges,
    ),
  ];
}

function leaseMetrics(member: Member): MetricSource[] {
  const { operations } = member.measures;
  return [
    counter(
      "etcd_debugging_lease_granted_total",
      "Leases granted.",
      () => operations.leasesGranted,
    ),
    counter(
      "etcd_debugging_lease_revoked_total",
      "Leases revoked.",
      () => operations.leasesRevoked,
    ),
    counter(
      "etcd_debugging_lease_renewed_total",
      "Leases renewed.",
      () => member.measures.leases.renewed,
    ),
    counter(
      "etcd_debugging_server_lease_expired_total",
      "Leases found expired.",
      () => member.measures.leases.expired,
    ),
  ];
}

function checkMetrics(counts: CheckCounts): MetricSource[] {
  return [
    {
      name: "etcd_server_healthcheck",
      help: "1 when the check went well the last time.",
      type: "gauge",
      samples: () =>
        [...counts.last].map(([key, isOk]) => {
          const [type = "", name = ""] = key.split(" ");
          return { labels: { type, name }, value: isOk ? 1 : 0 };
        }),
    },
    {
      name: "etcd_server_healthchecks_total",
      help: "Checks run, by how they went.",
      type: "counter",
      samples: () =>
        [...counts.totals].map(([key, value]) => {
          const [type = "", name = "", status = ""] = key.split(" ");
          return { labels: { type, name, status }, value };
        }),
    },
  ];
}

export function healthMetrics(page: { successes: number; failures: number }): MetricSource[] {
  return [
    counter("etcd_server_health_success", "Answers of /health: healthy.", () => page.successes),
    counter("etcd_server_health_failures", "Answers of /health: not so.", () => page.failures),
  ];
}
