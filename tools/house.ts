/** The plan of the house: which room may see which, and the listed exceptions to the rules. */

export interface Room {
  readonly floor: number;
  /** Rooms of the same floor that it may import. */
  readonly friends?: readonly string[];
  /** Rooms below that it must not import all the same. */
  readonly never?: readonly string[];
  /** If given, the only rooms it may import. */
  readonly only?: readonly string[];
  /** May import `node:` modules. */
  readonly usesNode?: boolean;
  /** May use the process, the console, timers, the clock and randomness. */
  readonly touchesWorld?: boolean;
}

const DURABLE_AND_BELOW = ["raft", "wal", "backend", "snapshot"];

/** Floors of ARCHITECTURE.md. A room imports what stands below it, and its listed friends. */
export const ROOMS: Readonly<Record<string, Room>> = {
  base: { floor: 0 },
  errors: { floor: 0, friends: ["base"] },
  wire: { floor: 0, friends: ["base", "errors"] },
  seam: { floor: 1 },
  host: {
    floor: 1,
    friends: ["seam"],
    only: ["base", "errors", "seam"],
    usesNode: true,
    touchesWorld: true,
  },
  testing: {
    floor: 1,
    friends: ["seam"],
    only: ["base", "errors", "wire", "seam"],
    usesNode: true,
  },
  raft: { floor: 2, only: ["base", "errors", "wire", "seam"] },
  http2: { floor: 2, only: ["base", "errors", "seam"] },
  grpc: { floor: 2, friends: ["http2"] },
  wal: { floor: 3, never: ["raft", "http2", "grpc"] },
  // A store gives an image of itself as a bbolt file, made by a thread of its own.
  backend: { floor: 3, friends: ["snapshot"], never: ["raft", "http2", "grpc"], usesNode: true },
  snapshot: { floor: 3, never: ["raft", "http2", "grpc"] },
  mvcc: { floor: 4, never: ["wal", "raft", "http2", "grpc"] },
  watch: { floor: 4, friends: ["mvcc"], never: ["wal", "raft", "http2", "grpc"] },
  lease: { floor: 4, friends: ["mvcc"], never: ["wal", "raft", "http2", "grpc"] },
  auth: { floor: 4, never: ["wal", "raft", "http2", "grpc"] },
  alarm: { floor: 4, never: ["wal", "raft", "http2", "grpc"] },
  apply: { floor: 5, never: ["wal", "raft", "http2", "grpc", "snapshot"] },
  datadir: { floor: 5, friends: ["apply"], never: ["raft", "http2", "grpc"] },
  member: { floor: 6, friends: ["care"], never: ["http2", "grpc"] },
  care: { floor: 6, never: ["http2", "grpc"] },
  rpc: { floor: 7, never: DURABLE_AND_BELOW },
  gateway: { floor: 7, never: DURABLE_AND_BELOW },
  peer: { floor: 7, never: ["backend"] },
  client: { floor: 7, only: ["base", "errors", "wire", "seam", "raft", "http2", "grpc", "host"] },
  // A finished backup is read back by a thread of its own.
  backup: { floor: 7, never: ["raft", "http2", "grpc", "peer", "rpc"], usesNode: true },
  server: {
    floor: 8,
    friends: ["ctl", "dev", "disaster", "utl"],
    usesNode: true,
    touchesWorld: true,
  },
  dev: { floor: 8, only: ["base", "wire"], usesNode: true, touchesWorld: true },
  ctl: {
    floor: 8,
    only: ["base", "errors", "wire", "client", "host"],
    usesNode: true,
    touchesWorld: true,
  },
  disaster: { floor: 8, never: ["member", "rpc", "peer"], usesNode: true, touchesWorld: true },
  utl: { floor: 8, never: ["member", "rpc", "peer"], usesNode: true, touchesWorld: true },
  guard: { floor: 8, only: ["base", "errors", "client", "host"], usesNode: true },
  subnet: { floor: 8, only: ["base", "errors", "client", "host"], usesNode: true },
  agent: { floor: 8, only: ["base", "errors", "client", "host"], usesNode: true },
};

/** Above host, only these may import it: everyone else gets its seams handed in. */
export const HOST_USERS: readonly string[] = [
  "server",
  "client",
  "ctl",
  "utl",
  "disaster",
  "guard",
  "subnet",
  "agent",
];

/** npm packages that more rooms than one may know: those that read command lines. */
export const SHARED_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  commander: ["ctl", "dev", "disaster", "utl"],
};

/** Front doors beside a room's index.ts, for programs that need a small part of a large room. */
export const SIDE_DOORS: readonly string[] = ["src/host/outbound.ts"];

/** Files of `src/` that nobody needs to import, since something outside starts there. */
export const ENTRY_POINTS: readonly string[] = [
  "src/index.ts",
  "src/client/index.ts",
  "src/server/main.ts",
];

/** Files that may have up to 1 500 lines: one state machine each, its control flow in one place. */
export const LARGE_FILES: readonly string[] = ["src/raft/raft.ts", "src/http2/connection.ts"];
export const FILE_LINES_MAX = 800;
export const LARGE_FILE_LINES_MAX = 1500;
export const LINE_COLUMNS_MAX = 100;

/** Source files that have no test of their own, each with what proves them instead. */
export const UNTESTED: Readonly<Record<string, string>> = {
  "src/server/main.ts": "the process tests under test/ start it",
  "src/server/serve.ts": "the process tests under test/ start it",
  "src/server/running-member.ts": "test/e2e/time-travel.test.ts has it start a member again",
  "src/server/print.ts": "src/server/program.test.ts reads what it writes",
  "src/backup/reader-thread.ts": "src/backup/thread-reader.test.ts runs it",
  "src/server/initial-restore.ts": "test/e2e/backup.test.ts starts from backups",
  "src/server/start-member.ts": "every suite under test/e2e/ starts it",
  "src/server/member-options.ts": "every suite under test/e2e/ opens a member with them",
  "src/server/data-path.ts": "src/server/program.test.ts starts without a directory to write",
  "src/dev/dev-cluster.ts": "test/e2e/dev.test.ts runs it",
  "src/server/embed.ts": "test/package.test.ts embeds a member",
  "src/server/help.ts": "test/e2e/lifecycle.test.ts asks for it",
  "src/index.ts": "test/package.test.ts imports it from the installed package",
};

/**
 * Rooms that are proven from outside their folder, each with the suite that goes through its door.
 */
export const SUITES: Readonly<Record<string, string>> = {
  // Its tests stand beside the code, and use it as others do.
  host: "src/host/",
  peer: "src/peer/",
  backend: "test/contract/",
  member: "test/service/",
  rpc: "test/service/",
  gateway: "test/service/",
};
