/** Metrics of the process and of the transport, and the fields of /debug/vars (HT-06, HT-08). */
import { readdirSync, readFileSync } from "node:fs";
import { counter, gauge, type MetricSource } from "../gateway/index.ts";
import type { MethodStats, ServerStats } from "../grpc/index.ts";
import { descriptorLimit } from "../host/index.ts";
import type { Rpc } from "../rpc/index.ts";

/** Names of the gRPC codes as Go's library spells them in labels. */
const CODE_NAMES = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
] as const;

export function hostMetrics(): MetricSource[] {
  const startSeconds = Date.now() / 1000 - process.uptime();
  return [
    gauge("process_resident_memory_bytes", "Resident memory.", () => process.memoryUsage.rss()),
    gauge("process_virtual_memory_bytes", "Virtual memory.", virtualMemoryBytes),
    counter("process_cpu_seconds_total", "Processor time used.", () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    }),
    gauge("process_start_time_seconds", "When the process started.", () => startSeconds),
    gauge("process_open_fds", "Open file descriptors.", openDescriptors),
    gauge("process_max_fds", "Most file descriptors that may be open.", descriptorLimit),
    gauge("os_fd_used", "Open file descriptors.", openDescriptors),
    gauge("os_fd_limit", "Most file descriptors that may be open.", descriptorLimit),
  ];
}

export function connectionMetrics(gate: { readonly refused: number }): MetricSource[] {
  return [
    counter(
      "holdfast_connections_refused_total",
      "Connections closed at once, since too many were open.",
      () => gate.refused,
    ),
  ];
}

/** Nothing without TLS. `expiresAtMs` follows the files that are in use. */
export function tlsMetrics(tls: { readonly expiresAtMs: number } | undefined): MetricSource[] {
  if (tls === undefined) return [];
  return [
    gauge(
      "holdfast_tls_certificate_expiry_seconds",
      "When the certificate shown to clients ends, in seconds of Unix time.",
      () => tls.expiresAtMs / 1000,
    ),
  ];
}

export function transportMetrics(stats: ServerStats): MetricSource[] {
  return [
    counter(
      "etcd_network_client_grpc_received_bytes_total",
      "Bytes received from clients.",
      () => stats.receivedBytes,
    ),
    counter(
      "etcd_network_client_grpc_sent_bytes_total",
      "Bytes sent to clients.",
      () => stats.sentBytes,
    ),
    perMethod(stats, "grpc_server_started_total", "Calls begun.", (method) => method.started),
    perMethod(
      stats,
      "grpc_server_msg_received_total",
      "Messages received.",
      (method) => method.messagesReceived,
    ),
    perMethod(
      stats,
      "grpc_server_msg_sent_total",
      "Messages sent.",
      (method) => method.messagesSent,
    ),
    {
      name: "grpc_server_handled_total",
      help: "Calls ended, by how.",
      type: "counter",
      samples: () => [...stats.methods.values()].flatMap(handledSamples),
    },
  ];
}

export function requestMetrics(rpc: Rpc): MetricSource[] {
  return [
    {
      name: "etcd_server_client_requests_total",
      help: "Calls by type and API version of the client.",
      type: "counter",
      samples: () =>
        [...rpc.clientRequests].map(([key, { value }]) => {
          const space = key.indexOf(" ");
          const labels = { type: key.slice(0, space), client_api_version: key.slice(space + 1) };
          return { labels, value };
        }),
    },
  ];
}

function labelsOf(method: MethodStats) {
  return {
    grpc_method: method.method,
    grpc_service: method.service,
    grpc_type: method.type,
  };
}

function perMethod(
  stats: ServerStats,
  name: string,
  help: string,
  read: (method: MethodStats) => number,
): MetricSource {
  const samples = () =>
    [...stats.methods.values()].map((method) => ({
      labels: labelsOf(method),
      value: read(method),
    }));
  return { name, help, type: "counter", samples };
}

/** OK always, so that a rate exists before the first call; other codes once they occurred. */
function handledSamples(method: MethodStats) {
  return CODE_NAMES.map((name, code) => ({
    labels: { grpc_code: name, ...labelsOf(method) },
    value: method.handled[code] ?? 0,
  })).filter(({ value }, code) => code === 0 || value > 0);
}

function openDescriptors(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return Number.NaN;
  }
}

function virtualMemoryBytes(): number {
  try {
    const pages = readFileSync("/proc/self/statm", "latin1").split(" ")[0];
    return Number(pages) * 4096;
  } catch {
    return Number.NaN;
  }
}

export function debugVariables(): Record<string, unknown> {
  return {
    cmdline: process.argv,
    memstats: process.memoryUsage(),
    file_descriptor_limit: descriptorLimit(),
  };
}
