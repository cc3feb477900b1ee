/** What goes on between the members, under etcd's names (surface 14): one row a peer. */
import type { Histogram } from "../base/index.ts";
import type { PeerMeasures } from "../seam/index.ts";
import type { Labels, MetricSource } from "./exposition.ts";

type LabelsOf = (row: PeerMeasures) => Labels;

const to: LabelsOf = ({ id }) => ({ To: id.toString(16) });
const from: LabelsOf = ({ id }) => ({ From: id.toString(16) });

/** `localId` stands in labels; `read` answers a row for each member known now. */
export function peerMetrics(localId: bigint, read: () => readonly PeerMeasures[]): MetricSource[] {
  const both: LabelsOf = ({ id }) => ({ Local: localId.toString(16), Remote: id.toString(16) });
  return [
    ...linkMetrics(read, both),
    ...trafficMetrics(read),
    ...sentSnapshotMetrics(read),
    ...receivedSnapshotMetrics(read),
  ];
}

function linkMetrics(read: () => readonly PeerMeasures[], both: LabelsOf): MetricSource[] {
  return [
    rows("gauge", read, {
      name: "etcd_network_known_peers",
      help: "1 for each other member.",
      labels: both,
      value: () => 1,
    }),
    rows("gauge", read, {
      name: "etcd_network_active_peers",
      help: "1 for each other member that messages flow to.",
      labels: both,
      value: (row) => (row.isActive ? 1 : 0),
    }),
    rows("counter", read, {
      name: "etcd_network_disconnected_peers_total",
      help: "Times that messages ceased to flow to a member.",
      labels: both,
      value: (row) => row.disconnects.value,
    }),
    histograms(read, {
      name: "etcd_network_peer_round_trip_time_seconds",
      help: "Time to a member and back.",
      labels: to,
      histogram: (row) => row.roundTripSeconds,
    }),
    {
      name: "holdfast_peer_clock_difference_seconds",
      help: "A member's clock minus this one's.",
      type: "gauge",
      samples: () =>
        read().flatMap((row) =>
          row.clockDifferenceSeconds === undefined
            ? []
            : [{ labels: to(row), value: row.clockDifferenceSeconds }],
        ),
    },
  ];
}

function trafficMetrics(read: () => readonly PeerMeasures[]): MetricSource[] {
  return [
    rows("counter", read, {
      name: "etcd_network_peer_sent_bytes_total",
      help: "Bytes sent to a member.",
      labels: to,
      value: (row) => row.sentBytes.value,
    }),
    rows("counter", read, {
      name: "etcd_network_peer_received_bytes_total",
      help: "Bytes received from a member.",
      labels: from,
      value: (row) => row.receivedBytes.value,
    }),
    rows("counter", read, {
      name: "etcd_network_peer_sent_failures_total",
      help: "Messages to a member that could not be sent.",
      labels: to,
      value: (row) => row.sentFailures.value,
    }),
    rows("counter", read, {
      name: "etcd_network_peer_received_failures_total",
      help: "Messages of a member that could not be taken.",
      labels: from,
      value: (row) => row.receivedFailures.value,
    }),
  ];
}

function sentSnapshotMetrics(read: () => readonly PeerMeasures[]): MetricSource[] {
  return [
    rows("counter", read, {
      name: "etcd_network_snapshot_send_success",
      help: "Snapshots sent to a member.",
      labels: to,
      value: (row) => row.snapshotsSent.value,
    }),
    rows("counter", read, {
      name: "etcd_network_snapshot_send_failures",
      help: "Snapshots to a member that broke off.",
      labels: to,
      value: (row) => row.snapshotSendFailures.value,
    }),
    rows("gauge", read, {
      name: "etcd_network_snapshot_send_inflights_total",
      help: "Snapshots being sent to a member.",
      labels: to,
      value: (row) => row.snapshotsBeingSent,
    }),
    histograms(read, {
      name: "etcd_network_snapshot_send_total_duration_seconds",
      help: "Time to send a snapshot to a member.",
      labels: to,
      histogram: (row) => row.snapshotSendSeconds,
    }),
  ];
}

function receivedSnapshotMetrics(read: () => readonly PeerMeasures[]): MetricSource[] {
  return [
    rows("counter", read, {
      name: "etcd_network_snapshot_receive_success",
      help: "Snapshots received from a member.",
      labels: from,
      value: (row) => row.snapshotsReceived.value,
    }),
    rows("counter", read, {
      name: "etcd_network_snapshot_receive_failures",
      help: "Snapshots of a member that broke off.",
      labels: from,
      value: (row) => row.snapshotReceiveFailures.value,
    }),
    rows("gauge", read, {
      name: "etcd_network_snapshot_receive_inflights_total",
      help: "Snapshots being received from a member.",
      labels: from,
      value: (row) => row.snapshotsBeingReceived,
    }),
    histograms(read, {
      name: "etcd_network_snapshot_receive_total_duration_seconds",
      help: "Time to receive a snapshot of a member.",
      labels: from,
      histogram: (row) => row.snapshotReceiveSeconds,
    }),
  ];
}

interface Column {
  readonly name: string;
  readonly help: string;
  readonly labels: LabelsOf;
}

function rows(
  type: "counter" | "gauge",
  read: () => readonly PeerMeasures[],
  { name, help, labels, value }: Column & { value: (row: PeerMeasures) => number },
): MetricSource {
  const samples = () => read().map((row) => ({ labels: labels(row), value: value(row) }));
  return { name, help, type, samples };
}

function histograms(
  read: () => readonly PeerMeasures[],
  { name, help, labels, histogram }: Column & { histogram: (row: PeerMeasures) => Histogram },
): MetricSource {
  const all = () => read().map((row) => ({ labels: labels(row), histogram: histogram(row) }));
  return { name, help, type: "histogram", histograms: all };
}
