/**
 * Every flag of etcd 3.7 (and those of 3.4 to 3.6 that tools still pass), once: kind, default, and
 * what Holdfast does with it. docs/reference/flags.md is checked against this table.
 */
export type FlagKind = "string" | "bool" | "int" | "uint" | "duration" | "list" | "urls";

/**
 * What a flag means here:
 * - "works": it does what it does in etcd.
 * - "moot": it tunes a part of etcd that Holdfast does not have; taken, and without effect.
 * - "absent": etcd has it, Holdfast not yet. Only the values that leave it off are taken; any other
 *   is refused by name.
 * - "obsolete": etcd itself ignores it; taken with a warning.
 */
export type FlagMark = "works" | "moot" | "absent" | "obsolete";

export interface Flag {
  readonly name: string;
  readonly kind: FlagKind;
  /** As on a command line; "" where there is none. */
  readonly fallback: string;
  readonly mark: FlagMark;
  readonly section: FlagSection;
  readonly help: string;
  /** For "absent": values beside the default that leave it off. */
  readonly off?: readonly string[];
  /** Last minor version of etcd 3 that knows it. */
  readonly untilMinor?: number;
  /** Old name of this flag (the experimental- ones). */
  readonly replacedBy?: string;
}

export type FlagSection =
  | "Member"
  | "Clustering"
  | "Security"
  | "Auth"
  | "Monitoring"
  | "Logging"
  | "Tuning"
  | "Unsafe"
  | "Holdfast"
  | "Obsolete";

type Row = [string, FlagKind, string, FlagMark, string, Partial<Flag>?];

function rows(section: FlagSection, list: readonly Row[]): Flag[] {
  return list.map(([name, kind, fallback, mark, help, more]) => ({
    name,
    kind,
    fallback,
    mark,
    section,
    help,
    ...more,
  }));
}

const MEMBER = rows("Member", [
  ["name", "string", "default", "works", "Name of this member."],
  ["data-dir", "string", "${name}.etcd", "works", "Directory of the data."],
  ["wal-dir", "string", "", "works", "Directory of the log, when it is not in the data directory."],
  ["listen-client-urls", "urls", "http://localhost:2379", "works", "URLs to serve clients on."],
  [
    "listen-client-http-urls",
    "urls",
    "",
    "works",
    "URLs to serve HTTP on; the client URLs then serve gRPC alone.",
  ],
  ["listen-peer-urls", "urls", "http://localhost:2380", "works", "URLs to serve members on."],
  ["heartbeat-interval", "uint", "100", "works", "Milliseconds between heartbeats."],
  ["election-timeout", "uint", "1000", "works", "Milliseconds without a leader before a vote."],
  ["initial-election-tick-advance", "bool", "true", "works", "Shorten the first election."],
  ["snapshot-count", "uint", "10000", "works", "Log entries after which older log is released."],
  ["snapshot-catchup-entries", "uint", "5000", "works", "Entries kept for slow followers."],
  ["max-wals", "uint", "5", "works", "Log files kept; 0 keeps all."],
  ["max-snapshots", "uint", "5", "moot", "Snapshot files kept; there are none here."],
  ["quota-backend-bytes", "int", "0", "works", "Size of the store that raises NOSPACE; 0 = 2 GiB."],
  ["backend-bbolt-freelist-type", "string", "map", "moot", "Of bbolt, which is not used."],
  ["backend-batch-interval", "duration", "0s", "works", "Time between commits; 0 = 5s."],
  ["backend-batch-limit", "int", "0", "works", "Operations between commits; 0 = 10000."],
  ["max-txn-ops", "uint", "128", "works", "Operations of one transaction."],
  ["max-request-bytes", "uint", "1572864", "works", "Size of one request."],
  ["max-concurrent-streams", "uint", "4294967295", "works", "Calls at once on one connection."],
  ["grpc-keepalive-min-time", "duration", "5s", "works", "Least time between a client's pings."],
  ["grpc-keepalive-interval", "duration", "2h", "works", "Silence before a client is pinged."],
  ["grpc-keepalive-timeout", "duration", "20s", "works", "How long it then has to answer."],
  ["socket-reuse-port", "bool", "false", "works", "Let other processes bind the same port."],
  ["socket-reuse-address", "bool", "false", "works", "Bind while old connections linger."],
  ["enable-grpc-gateway", "bool", "true", "absent", "The JSON gateway.", { off: ["false"] }],
  ["raft-read-timeout", "duration", "5s", "works", "Read timeout between members."],
  ["raft-write-timeout", "duration", "5s", "works", "Write timeout between members."],
  ["memory-mlock", "bool", "false", "absent", "Keep the store's pages in memory."],
]);

const CLUSTERING = rows("Clustering", [
  ["advertise-client-urls", "urls", "http://localhost:2379", "works", "URLs told to clients."],
  [
    "initial-advertise-peer-urls",
    "urls",
    "http://localhost:2380",
    "works",
    "URLs told to members; they and the token make this member's id.",
  ],
  [
    "initial-cluster",
    "string",
    "default=http://localhost:2380",
    "works",
    "Members of the cluster, name=url,name=url; a name repeated for each of its URLs.",
  ],
  [
    "initial-cluster-state",
    "string",
    "new",
    "works",
    "new, or existing to join a cluster that has this member in its list.",
  ],
  ["initial-cluster-token", "string", "etcd-cluster", "works", "Tells clusters apart."],
  ["strict-reconfig-check", "bool", "true", "works", "Refuse changes that would lose the quorum."],
  ["pre-vote", "bool", "true", "works", "Ask before an election."],
  ["max-learners", "int", "1", "works", "Learners at once."],
  ["discovery-token", "string", "", "absent", "Discovery of the first members."],
  ["discovery-endpoints", "list", "", "absent", "Discovery of the first members."],
  ["discovery-dial-timeout", "duration", "2s", "absent", "Of discovery."],
  ["discovery-request-timeout", "duration", "5s", "absent", "Of discovery."],
  ["discovery-keepalive-time", "duration", "2s", "absent", "Of discovery."],
  ["discovery-keepalive-timeout", "duration", "6s", "absent", "Of discovery."],
  ["discovery-insecure-transport", "bool", "true", "absent", "Of discovery."],
  ["discovery-insecure-skip-tls-verify", "bool", "false", "absent", "Of discovery."],
  ["discovery-cert", "string", "", "absent", "Of discovery."],
  ["discovery-key", "string", "", "absent", "Of discovery."],
  ["discovery-cacert", "string", "", "absent", "Of discovery."],
  ["discovery-user", "string", "", "absent", "Of discovery."],
  ["discovery-password", "string", "", "absent", "Of discovery."],
  ["discovery-srv", "string", "", "absent", "DNS domain that lists the first members."],
  ["discovery-srv-name", "string", "", "absent", "Suffix of the name asked for there."],
  ["discovery-fallback", "string", "exit", "absent", "What to do when discovery fails."],
  ["discovery", "string", "", "absent", "Discovery by the v2 protocol.", { untilMinor: 6 }],
  ["discovery-proxy", "string", "", "absent", "Proxy towards it.", { untilMinor: 6 }],
]);

const SECURITY = rows("Security", [
  ["cert-file", "string", "", "works", "Certificate shown to clients, PEM."],
  ["key-file", "string", "", "works", "Its key, PEM."],
  [
    "trusted-ca-file",
    "string",
    "",
    "works",
    "Authorities of clients' certificates; asks for them.",
  ],
  ["client-cert-auth", "bool", "false", "works", "Ask clients for a certificate."],
  ["client-crl-file", "string", "", "works", "Revoked certificates of clients, PEM or DER."],
  [
    "client-cert-allowed-hostname",
    "list",
    "",
    "works",
    "Names that clients' certificates must have.",
  ],
  ["client-cert-file", "string", "", "moot", "For calls of the server to itself; there are none."],
  ["client-key-file", "string", "", "moot", "For calls of the server to itself; there are none."],
  ["auto-tls", "bool", "false", "works", "Make a self-signed certificate for clients."],
  ["self-signed-cert-validity", "uint", "1", "works", "Years it is valid."],
  ["cipher-suites", "list", "", "works", "TLS 1.2 cipher suites, by Go's names."],
  ["tls-min-version", "string", "TLS1.2", "works", "TLS1.2 or TLS1.3."],
  ["tls-max-version", "string", "", "works", "TLS1.2, TLS1.3, or nothing for the newest."],
  ["peer-cert-file", "string", "", "works", "As cert-file, between members."],
  ["peer-key-file", "string", "", "works", "As key-file, between members."],
  ["peer-trusted-ca-file", "string", "", "works", "As trusted-ca-file, between members."],
  ["peer-client-cert-auth", "bool", "false", "works", "As client-cert-auth, between members."],
  ["peer-client-cert-file", "string", "", "works", "Certificate for calls to members."],
  ["peer-client-key-file", "string", "", "works", "Its key."],
  ["peer-cert-allowed-cn", "list", "", "works", "Common names that members must have."],
  ["peer-cert-allowed-hostname", "list", "", "works", "Names that members must have."],
  ["peer-crl-file", "string", "", "works", "Revoked certificates of members."],
  ["peer-auto-tls", "bool", "false", "works", "As auto-tls, between members."],
  ["peer-skip-client-san-verification", "bool", "false", "moot", "Addresses are never looked up."],
  ["cors", "list", "*", "absent", "Origins that browsers may call from."],
  ["host-whitelist", "list", "*", "absent", "Host names that plain HTTP is answered for."],
]);

const AUTH = rows("Auth", [
  ["auth-token", "string", "simple", "absent", "Kind of tokens."],
  ["bcrypt-cost", "uint", "10", "absent", "Cost of password hashes."],
  ["auth-token-ttl", "uint", "300", "absent", "Seconds that a token lives."],
]);

const MONITORING = rows("Monitoring", [
  ["listen-metrics-urls", "urls", "", "works", "URLs for /metrics and the health pages alone."],
  ["metrics", "string", "basic", "absent", "extensive adds latencies of each method."],
  ["enable-pprof", "bool", "false", "absent", "Profiles over HTTP."],
  ["warning-unary-request-duration", "duration", "300ms", "absent", "Log slower requests."],
  ["warning-apply-duration", "duration", "100ms", "absent", "Log slower applies."],
  ["enable-distributed-tracing", "bool", "false", "absent", "OpenTelemetry traces."],
  ["distributed-tracing-address", "string", "localhost:4317", "absent", "Their collector."],
  ["distributed-tracing-service-name", "string", "etcd", "absent", "Of tracing."],
  ["distributed-tracing-instance-id", "string", "", "absent", "Of tracing."],
  ["distributed-tracing-sampling-rate", "int", "0", "absent", "Samples per million."],
]);

const LOGGING = rows("Logging", [
  ["logger", "string", "zap", "works", "zap: one JSON object per line."],
  ["log-outputs", "list", "default", "works", "stderr, stdout, default (stderr) or files."],
  ["log-level", "string", "info", "works", "debug, info, warn, error, panic or fatal."],
  ["log-format", "string", "json", "works", "json or console."],
  ["enable-log-rotation", "bool", "false", "absent", "Rotate a log file."],
  [
    "log-rotation-config-json",
    "string",
    '{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}',
    "absent",
    "How to rotate it.",
  ],
]);

const TUNING = rows("Tuning", [
  ["auto-compaction-mode", "string", "periodic", "works", "periodic or revision."],
  [
    "auto-compaction-retention",
    "string",
    "0",
    "works",
    "History kept: 1 (hour), 30m, or revisions.",
  ],
  ["compaction-batch-limit", "int", "1000", "works", "Records deleted in one step."],
  ["compaction-sleep-interval", "duration", "10ms", "works", "Rest between two steps."],
  ["watch-progress-notify-interval", "duration", "10m", "works", "Progress told to quiet watches."],
  ["corrupt-check-time", "duration", "0s", "moot", "States are compared with every answer."],
  ["compact-hash-check-time", "duration", "1m", "moot", "Of the gate CompactHashCheck."],
  ["downgrade-check-time", "duration", "5s", "moot", "Time between looks at a downgrade."],
  ["bootstrap-defrag-threshold-megabytes", "uint", "0", "absent", "Defragment at the start."],
  ["feature-gates", "string", "", "moot", "Gates by name, A=true,B=false; names are checked."],
]);

const UNSAFE = rows("Unsafe", [
  ["force-new-cluster", "bool", "false", "works", "Keep the data, drop all other members."],
  [
    "accept-rollback",
    "bool",
    "false",
    "works",
    "Go on with a data directory that went back in time; what it lost is lost.",
  ],
  ["unsafe-no-fsync", "bool", "false", "works", "Acknowledge what a power cut may lose."],
]);

const HOLDFAST = rows("Holdfast", [
  ["backup-location", "string", "", "works", "Directory for scheduled backups; none without it."],
  ["backup-period", "duration", "15m", "works", "Time between two backups of the store."],
  ["backup-log-period", "duration", "10s", "works", "Time between two archived parts of the log."],
  ["backup-retention", "duration", "24h", "works", "Backups older than this are removed."],
  [
    "initial-restore-from",
    "string",
    "",
    "works",
    "Backups that a first member starts from when its data directory is empty.",
  ],
  [
    "rollback-protection",
    "string",
    "detect",
    "works",
    "detect, or strict: no vote after a start before enough others were compared with.",
  ],
  [
    "witness-dir",
    "string",
    "",
    "works",
    "Directory on another volume that remembers what this member has promised.",
  ],
  ["compat", "string", "3.7", "works", "Answer as this minor version: 3.4, 3.5, 3.6 or 3.7."],
  [
    "config-file",
    "string",
    "",
    "works",
    "YAML or JSON with these options; flags then do not count.",
  ],
  ["version", "bool", "false", "works", "Print the version and exit."],
]);

const EXPERIMENTAL: readonly [string, FlagKind, string, string?][] = [
  ["corrupt-check-time", "duration", "0s"],
  ["compact-hash-check-time", "duration", "1m"],
  ["compaction-batch-limit", "int", "1000"],
  ["compaction-sleep-interval", "duration", "10ms"],
  ["peer-skip-client-san-verification", "bool", "false"],
  ["watch-progress-notify-interval", "duration", "10m"],
  ["warning-apply-duration", "duration", "100ms"],
  ["warning-unary-request-duration", "duration", "300ms"],
  ["bootstrap-defrag-threshold-megabytes", "uint", "0"],
  ["max-learners", "int", "1"],
  ["memory-mlock", "bool", "false"],
  ["snapshot-catchup-entries", "uint", "5000"],
  ["downgrade-check-time", "duration", "5s"],
  ["enable-distributed-tracing", "bool", "false"],
  ["distributed-tracing-address", "string", "localhost:4317"],
  ["distributed-tracing-service-name", "string", "etcd"],
  ["distributed-tracing-instance-id", "string", ""],
  ["distributed-tracing-sampling-rate", "int", "0"],
  ["backend-bbolt-freelist-type", "string", "map"],
];

/** experimental- names of feature gates; their values join those of feature-gates. */
export const GATE_BY_EXPERIMENTAL: Readonly<Record<string, string>> = {
  "experimental-initial-corrupt-check": "InitialCorruptCheck",
  "experimental-compact-hash-check-enabled": "CompactHashCheck",
  "experimental-enable-lease-checkpoint": "LeaseCheckpoint",
  "experimental-enable-lease-checkpoint-persist": "LeaseCheckpointPersist",
  "experimental-txn-mode-write-with-shared-buffer": "TxnModeWriteWithSharedBuffer",
  "experimental-stop-grpc-service-on-defrag": "StopGRPCServiceOnDefrag",
  "experimental-set-member-localaddr": "SetMemberLocalAddr",
};

const OLD = rows("Obsolete", [
  ...EXPERIMENTAL.map(([name, kind, fallback]): Row => {
    const more = { untilMinor: 6, replacedBy: name };
    return [`experimental-${name}`, kind, fallback, "works", `Now --${name}.`, more];
  }),
  ...Object.entries(GATE_BY_EXPERIMENTAL).map(([name, gate]): Row => {
    const help = `Now --feature-gates=${gate}=true.`;
    return [name, "bool", String(gate.startsWith("Txn")), "moot", help, { untilMinor: 6 }];
  }),
  ["enable-v2", "bool", "false", "absent", "The v2 API.", { untilMinor: 5 }],
  ["experimental-enable-v2v3", "string", "", "absent", "The v2 API.", { untilMinor: 5 }],
  ["v2-deprecation", "string", "write-only", "obsolete", "etcd enforces its default."],
  ["proxy", "string", "off", "absent", "The v2 proxy.", { untilMinor: 5 }],
  ["proxy-failure-wait", "uint", "5000", "absent", "Of the v2 proxy.", { untilMinor: 5 }],
  ["proxy-refresh-interval", "uint", "30000", "absent", "Of the v2 proxy.", { untilMinor: 5 }],
  ["proxy-dial-timeout", "uint", "1000", "absent", "Of the v2 proxy.", { untilMinor: 5 }],
  ["proxy-write-timeout", "uint", "5000", "absent", "Of the v2 proxy.", { untilMinor: 5 }],
  ["proxy-read-timeout", "uint", "0", "absent", "Of the v2 proxy.", { untilMinor: 5 }],
  ["debug", "bool", "false", "obsolete", "Use --log-level=debug.", { untilMinor: 4 }],
  ["log-output", "string", "default", "obsolete", "Use --log-outputs.", { untilMinor: 4 }],
  ["log-package-levels", "string", "", "obsolete", "Use --log-level.", { untilMinor: 4 }],
  ...["cluster-active-size", "cluster-remove-delay", "cluster-sync-interval", "config", "force"]
    .concat(["max-result-buffer", "max-retry-attempts", "peer-heartbeat-interval"])
    .concat(["peer-election-timeout", "retry-interval", "snapshot", "v", "vv"])
    .map((name): Row => [name, "bool", "false", "obsolete", "Of etcd 0.4."]),
]);

export const FLAGS: readonly Flag[] = [
  ...MEMBER,
  ...CLUSTERING,
  ...SECURITY,
  ...AUTH,
  ...MONITORING,
  ...LOGGING,
  ...TUNING,
  ...UNSAFE,
  ...HOLDFAST,
  ...OLD,
];

export const FLAG_BY_NAME: ReadonlyMap<string, Flag> = new Map(
  FLAGS.map((flag) => [flag.name, flag]),
);

/** Feature gates of etcd 3.7 and their defaults (surface 12.2). */
export const FEATURE_GATES: Readonly<Record<string, boolean>> = {
  AllAlpha: false,
  AllBeta: false,
  StopGRPCServiceOnDefrag: false,
  InitialCorruptCheck: false,
  CompactHashCheck: false,
  LeaseCheckpoint: false,
  LeaseCheckpointPersist: false,
  SetMemberLocalAddr: false,
  PriorityRequest: false,
  TxnModeWriteWithSharedBuffer: true,
  FastLeaseKeepAlive: true,
};
