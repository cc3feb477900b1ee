/**
 * Several servers that are one cluster, each with a data directory in which it is started once or
 * several times, always at the same addresses.
 */
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  decodeMessage,
  encodeMessage,
  MemberAddRequestSchema,
  MemberAddResponseSchema,
  StatusRequestSchema,
  StatusResponseSchema,
} from "../src/wire/index.ts";
import { callOnce } from "./load/channel.ts";
import { Http2Channel } from "./load/http2-channel.ts";
import { awaitReady } from "./load/ready.ts";
import {
  freePorts,
  liveDirectories,
  type RunningServer,
  type ServerProgram,
  startServer,
} from "./targets.ts";

const STATUS = "/etcdserverpb.Maintenance/Status";
const MEMBER_ADD = "/etcdserverpb.Cluster/MemberAdd";
const READY_SECONDS = 120;
const STATUS_MS = 500;
const LEADER_MS_MAX = 30_000;
const RETRY_MS = 10;
/** Equal on both sides: etcd's defaults. */
const TIMEOUTS = ["--heartbeat-interval=100", "--election-timeout=1000"];

export interface MemberStatus {
  readonly isLeader: boolean;
  readonly term: bigint;
  readonly index: bigint;
  readonly appliedIndex: bigint;
}

export class BenchMember {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly #directory: string;
  readonly #program: ServerProgram;
  readonly #flags: readonly string[];
  #starts = 0;
  #running: RunningServer | undefined;

  constructor(
    program: ServerProgram,
    place: { name: string; clientPort: number; peerPort: number; directory: string },
    flags: readonly string[],
  ) {
    this.name = place.name;
    this.clientPort = place.clientPort;
    this.peerPort = place.peerPort;
    this.#directory = place.directory;
    this.#program = program;
    this.#flags = flags;
  }

  get peerUrl(): string {
    return `http://127.0.0.1:${this.peerPort}`;
  }

  get running(): RunningServer {
    if (this.#running === undefined) throw new Error(`${this.name} was not started`);
    return this.#running;
  }

  /** Starts the process and returns at once. */
  launch(): RunningServer {
    this.#starts += 1;
    const client = `http://127.0.0.1:${this.clientPort}`;
    const args = [
      ...this.#program.args,
      `--name=${this.name}`,
      `--data-dir=${join(this.#directory, "data")}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${this.peerUrl}`,
      `--initial-advertise-peer-urls=${this.peerUrl}`,
      ...TIMEOUTS,
      ...this.#flags,
    ];
    const logPath = join(this.#directory, `log-${this.#starts}`);
    this.#running = startServer(this.#program, args, this.clientPort, logPath);
    return this.#running;
  }

  /** Resolves with the first linearizable range that succeeds, or rejects when the process ends. */
  async ready(): Promise<void> {
    const { port, startedNs, ended } = this.running;
    const started = String(startedNs);
    const job = { kind: "await-ready", port, startedNs: started } as const;
    await Promise.race([awaitReady({ ...job, timeoutSeconds: READY_SECONDS }), ended]);
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
  }

  async kill(): Promise<void> {
    await this.#running?.kill();
  }

  /** undefined when it does not answer in time. */
  async status(): Promise<MemberStatus | undefined> {
    const bytes = await this.#ask(STATUS, encodeMessage(StatusRequestSchema, {}), STATUS_MS);
    if (bytes === undefined) return undefined;
    const status = decodeMessage(StatusResponseSchema, bytes);
    return {
      isLeader: status.leader === status.header?.memberId,
      term: status.raftTerm,
      index: status.raftIndex,
      appliedIndex: status.raftAppliedIndex,
    };
  }

  /** Tells this member's cluster of a learner; undefined when it does not answer. */
  async addLearner(peerUrl: string): Promise<readonly (readonly [string, string])[]> {
    const request = encodeMessage(MemberAddRequestSchema, {
      peerURLs: [peerUrl],
      isLearner: true,
    });
    const bytes = await this.#ask(MEMBER_ADD, request, LEADER_MS_MAX);
    if (bytes === undefined) throw new Error(`${this.name} did not add a member`);
    const { members } = decodeMessage(MemberAddResponseSchema, bytes);
    return members.map((member) => [member.name, member.peerURLs[0] ?? ""] as const);
  }

  async #ask(path: string, request: Buffer, timeoutMs: number): Promise<Buffer | undefined> {
    const channel = await Http2Channel.connect(this.clientPort).catch(() => undefined);
    if (channel === undefined) return undefined;
    try {
      const late = pause(timeoutMs).then(() => undefined);
      return await Promise.race([callOnce(channel, path, request).catch(() => undefined), late]);
    } finally {
      channel.close();
    }
  }
}

export class ClusterHome {
  readonly #program: ServerProgram;
  readonly #directory: string;
  readonly #flags: readonly string[];
  readonly #members: BenchMember[] = [];

  private constructor(program: ServerProgram, directory: string, flags: readonly string[]) {
    this.#program = program;
    this.#directory = directory;
    this.#flags = flags;
  }

  static async make(
    program: ServerProgram,
    count: number,
    parent: string | undefined,
    flags: readonly string[] = [],
  ): Promise<ClusterHome> {
    const directory = await mkdtemp(join(parent ?? tmpdir(), "holdfast-bench-"));
    liveDirectories.add(directory);
    const home = new ClusterHome(program, directory, flags);
    const places = [];
    for (let index = 0; index < count; index += 1) places.push(await home.#place());
    const initial = places.map((place) => [place.name, urlOf(place.peerPort)] as const);
    for (const place of places) home.#members.push(home.#make(place, initial, "new"));
    return home;
  }

  async #place() {
    const name = `b${this.#members.length + this.#places + 1}`;
    this.#places += 1;
    const [clientPort, peerPort] = await freePorts();
    const directory = join(this.#directory, name);
    await mkdir(directory);
    return { name, clientPort, peerPort, directory };
  }

  #places = 0;

  #make(
    place: { name: string; clientPort: number; peerPort: number; directory: string },
    initial: readonly (readonly [string, string])[],
    state: "new" | "existing",
  ): BenchMember {
    const cluster = initial.map(([name, url]) => `${name}=${url}`).join(",");
    return new BenchMember(this.#program, place, [
      `--initial-cluster=${cluster}`,
      `--initial-cluster-state=${state}`,
      ...this.#flags,
    ]);
  }

  get members(): readonly BenchMember[] {
    return this.#members;
  }

  get ports(): number[] {
    return this.#members.map((member) => member.clientPort);
  }

  get pids(): number[] {
    return this.#members.map((member) => member.running.pid);
  }

  /** Rejects when a member ends by itself. */
  get ended(): Promise<never> {
    return Promise.race(this.#members.map((member) => member.running.ended));
  }

  async start(): Promise<void> {
    for (const member of this.#members) member.launch();
    await Promise.all(this.#members.map((member) => member.ready()));
  }

  async restart(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.stop()));
    await this.start();
  }

  async leader(): Promise<BenchMember> {
    const giveUpAt = performance.now() + LEADER_MS_MAX;
    while (performance.now() < giveUpAt) {
      const found = await Promise.all(this.#members.map((member) => member.status()));
      const newest = found.reduce((max, status) => {
        return status !== undefined && status.term > max ? status.term : max;
      }, 0n);
      const at = found.findIndex((status) => status?.isLeader === true && status.term === newest);
      const leader = this.#members[at];
      if (leader !== undefined) return leader;
      await pause(RETRY_MS);
    }
    throw new Error("the cluster has no leader");
  }

  /** A learner with an empty disk, not yet started, and not among `members`. */
  async learner(): Promise<BenchMember> {
    const place = await this.#place();
    const url = urlOf(place.peerPort);
    const members = await (await this.leader()).addLearner(url);
    const initial = members.map(([name, peerUrl]) => [name === "" ? place.name : name, peerUrl]);
    return this.#make(place, initial as [string, string][], "existing");
  }

  /** Stops what still runs and removes the directory. */
  async remove(): Promise<void> {
    // In order, so that a CPU profile is written.
    await Promise.all(this.#members.map((member) => member.stop()));
    await rm(this.#directory, { recursive: true, force: true }).catch(() => {
      rmSync(this.#directory, { recursive: true, force: true });
    });
    liveDirectories.delete(this.#directory);
  }
}

function urlOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
