/**
 * Clusters of processes: real etcd and Holdfast, started alike from the same flags. A member can be
 * killed, stopped, frozen, wiped and started again; members can be added and removed. Everything
 * waits for what happens, and nothing outlives the test.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { METHODS, TestClient } from "./client.ts";
import type * as m from "./messages.ts";
import { LoopbackNetwork, type Network, type Place } from "./network.ts";
import {
  cleanEnv,
  type Exit,
  holdfastCommand,
  type Kind,
  poll,
  Server,
  temporaryDirectory,
} from "./process.ts";

const LEADER_MS_MAX = 60_000;
const MEMBERSHIP_MS_MAX = 60_000;
const PROBE_MS = 1_000;

export interface ClusterOptions {
  readonly members: number;
  readonly network?: Network;
  readonly token?: string;
  /** Equal on both kinds; defaults as etcd's, 100 and 1000. */
  readonly heartbeatMs?: number;
  readonly electionMs?: number;
  /** More flags, after ours. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Parent of a member's data directory, by its name. */
  readonly directoryOf?: (name: string) => string;
}

/** One member: an address, a data directory, and at most one process. */
export class ClusterMember {
  readonly kind: Kind;
  readonly name: string;
  readonly place: Place;
  readonly dataDirectory: string;
  readonly #flags: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  #server: Server | undefined;
  #client: TestClient | undefined;

  constructor(
    kind: Kind,
    name: string,
    place: Place,
    options: {
      directory: string;
      initialCluster: string;
      state: "new" | "existing";
      flags: readonly string[];
      env: Readonly<Record<string, string>>;
    },
  ) {
    this.kind = kind;
    this.name = name;
    this.place = place;
    this.dataDirectory = options.directory;
    this.#env = options.env;
    const { clientUrl, peerUrl } = this;
    this.#flags = [
      ["--name", name],
      ["--data-dir", this.dataDirectory],
      ["--listen-client-urls", clientUrl],
      ["--advertise-client-urls", clientUrl],
      ["--listen-peer-urls", peerUrl],
      ["--initial-advertise-peer-urls", peerUrl],
      ["--initial-cluster", options.initialCluster],
      ["--initial-cluster-state", options.state],
      kind === "etcd" ? ["--logger", "zap"] : [],
      options.flags,
    ].flat();
  }

  /** host:port for clients. */
  get address(): string {
    return `${this.place.clientHost}:${this.place.clientPort}`;
  }

  get clientUrl(): string {
    return `http://${this.address}`;
  }

  get peerUrl(): string {
    return peerUrlOf(this.place);
  }

  get isRunning(): boolean {
    return this.#server !== undefined && !this.#server.hasExited;
  }

  /** The process that runs, or that ran last. */
  get server(): Server {
    if (this.#server === undefined) throw new Error(`${this.name} was never started`);
    return this.#server;
  }

  /** A client of this member alone, kept over its restarts. */
  get client(): TestClient {
    this.#client ??= new TestClient(this.address);
    return this.#client;
  }

  /** Starts the process and returns at once. */
  launch(): Server {
    if (this.isRunning) throw new Error(`${this.name} is running`);
    const { place } = this;
    const own = this.kind === "etcd" ? { program: "etcd", args: [] } : holdfastCommand();
    const words = [...place.prefix, own.program, ...own.args, ...this.#flags];
    const [program = "", ...args] = words;
    const child = spawn(program, args, {
      env: cleanEnv(this.#env),
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ports = { client: place.clientPort, peer: place.peerPort };
    const directory = { path: this.dataDirectory, isOurs: true };
    this.#server = new Server(this.kind, child, directory, ports, place.clientHost);
    return this.#server;
  }

  /** Starts the process and waits until it serves linearizable reads. */
  async start(deadlineMs?: number): Promise<void> {
    await this.launch().ready(deadlineMs);
  }

  /** Starts a learner and waits until it answers; it refuses what /health asks for. */
  async startLearner(): Promise<void> {
    const server = this.launch();
    await poll(
      `${this.name} answers`,
      async () => {
        if (server.hasExited) throw new Error(`${this.name} ended:\n${server.tail()}`);
        return (await this.status()) !== undefined;
      },
      MEMBERSHIP_MS_MAX,
    );
  }

  async kill(): Promise<Exit> {
    return await this.server.kill();
  }

  /** SIGTERM, and the end awaited. */
  async stop(): Promise<Exit> {
    return await this.server.stop();
  }

  pause(): void {
    this.server.signal("SIGSTOP");
  }

  resume(): void {
    this.server.signal("SIGCONT");
  }

  /** The data directory is gone, as with a lost disk. The process must have ended. */
  wipe(): void {
    if (this.isRunning) throw new Error(`${this.name} is running`);
    rmSync(this.dataDirectory, { recursive: true, force: true });
  }

  /** undefined when it does not answer. */
  async status(): Promise<m.StatusResponse | undefined> {
    const answer = await this.client.call(METHODS.status, {}, { deadlineMs: PROBE_MS });
    return answer.ok ? answer.value : undefined;
  }

  /** Waits for an answer: one that was just started, or met a fault, may need a moment. */
  async id(): Promise<bigint> {
    let id: bigint | undefined;
    await poll(`${this.name} answers`, async () => {
      id = (await this.status())?.header?.memberId;
      return id !== undefined;
    });
    return id as bigint;
  }

  async dispose(): Promise<void> {
    this.#client?.close();
    if (this.#server !== undefined) await this.#server.kill();
    rmSync(this.dataDirectory, { recursive: true, force: true });
  }
}

function peerUrlOf(place: Place): string {
  return `http://${place.peerHost}:${place.peerPort}`;
}

export class Cluster {
  readonly kind: Kind;
  readonly #options: ClusterOptions;
  readonly #network: Network;
  readonly #members: ClusterMember[] = [];
  readonly #removed: ClusterMember[] = [];
  #named = 0;

  private constructor(kind: Kind, options: ClusterOptions) {
    this.kind = kind;
    this.#options = options;
    this.#network = options.network ?? new LoopbackNetwork();
  }

  /** A new cluster whose members all serve. */
  static async start(kind: Kind, options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(kind, options);
    try {
      const places: [string, Place][] = [];
      for (let i = 0; i < options.members; i += 1) {
        places.push([cluster.#nextName(), await cluster.#network.place()]);
      }
      const initial = places.map(([name, place]) => `${name}=${peerUrlOf(place)}`).join(",");
      for (const [name, place] of places) {
        cluster.#members.push(cluster.#make(name, place, initial, "new"));
      }
      await Promise.all(cluster.#members.map((member) => member.start()));
      return cluster;
    } catch (error) {
      await cluster.dispose();
      throw error;
    }
  }

  #nextName(): string {
    this.#named += 1;
    return `m${this.#named}`;
  }

  #make(
    name: string,
    place: Place,
    initialCluster: string,
    state: "new" | "existing",
  ): ClusterMember {
    const { options } = { options: this.#options };
    const parent = options.directoryOf?.(name) || temporaryDirectory(this.kind);
    mkdirSync(parent, { recursive: true });
    return new ClusterMember(this.kind, name, place, {
      directory: join(parent, "data"),
      initialCluster,
      state,
      env: options.env ?? {},
      flags: [
        ...["--initial-cluster-token", options.token ?? "holdfast-test"],
        ...["--heartbeat-interval", String(options.heartbeatMs ?? 100)],
        ...["--election-timeout", String(options.electionMs ?? 1000)],
        ...(options.flags ?? []),
      ],
    });
  }

  /** Those that belong to the cluster now, whether they run or not. */
  get members(): readonly ClusterMember[] {
    return this.#members;
  }

  get running(): readonly ClusterMember[] {
    return this.#members.filter((member) => member.isRunning);
  }

  get addresses(): readonly string[] {
    return this.#members.map((member) => member.address);
  }

  member(index: number): ClusterMember {
    const member = this.#members[index];
    if (member === undefined) throw new RangeError(`no member ${index}`);
    return member;
  }

  /** The member that says that it leads, in the newest term of those who answer. */
  async leader(deadlineMs = LEADER_MS_MAX): Promise<ClusterMember> {
    let found: ClusterMember | undefined;
    await poll(
      "a leader",
      async () => {
        found = await this.#leaderNow();
        return found !== undefined;
      },
      deadlineMs,
    );
    return found as ClusterMember;
  }

  async #leaderNow(): Promise<ClusterMember | undefined> {
    const running = this.running;
    const answers = await Promise.all(running.map((member) => member.status()));
    let term = 0n;
    let leader: ClusterMember | undefined;
    answers.forEach((status, index) => {
      if (status?.header === undefined || status.raftTerm < term) return;
      if (status.raftTerm > term) leader = undefined;
      term = status.raftTerm;
      if (status.leader === status.header.memberId) leader = running[index];
    });
    return leader;
  }

  async followers(): Promise<ClusterMember[]> {
    const leader = await this.leader();
    return this.running.filter((member) => member !== leader);
  }

  /** Asks the running members in turn until one agrees; a leader may be on its way. */
  async #reconfigure<T>(what: string, ask: (client: TestClient) => Promise<T | string>) {
    const giveUpAt = performance.now() + MEMBERSHIP_MS_MAX;
    for (let attempt = 0; ; attempt += 1) {
      const running = this.running;
      const member = running[attempt % running.length];
      if (member === undefined) throw new Error(`${what}: no member runs`);
      const answer = await ask(member.client);
      if (typeof answer !== "string") return answer;
      if (performance.now() > giveUpAt) throw new Error(`${what}: ${answer}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** undefined when this member does not answer. */
  async #list(client: TestClient): Promise<readonly m.Member[] | undefined> {
    const answer = await client.call(METHODS.memberList, { linearizable: true });
    return answer.ok ? answer.value.members : undefined;
  }

  /** Tells the cluster of a new member and makes it, without starting it. */
  async register(isLearner: boolean): Promise<ClusterMember> {
    const name = this.#nextName();
    const place = await this.#network.place();
    const peerUrls = [peerUrlOf(place)];
    const list = await this.#reconfigure(`add ${name}`, async (client) => {
      const answer = await client.call(METHODS.memberAdd, { peerUrls, isLearner });
      if (answer.ok) return answer.value.members;
      // An earlier attempt may have come through without its answer.
      const members = await this.#list(client);
      if (members?.some((member) => member.peerUrls.includes(peerUrls[0] ?? "")) === true) {
        return members;
      }
      return answer.refusal.message;
    });
    const initial = list.map((member) =>
      member.peerUrls.map((url) => `${url === peerUrls[0] ? name : member.name}=${url}`),
    );
    const member = this.#make(name, place, initial.flat().join(","), "existing");
    this.#members.push(member);
    return member;
  }

  /** HashKV is the same on all, once each has what the others have. */
  async assertAlike(): Promise<void> {
    const hashes = new Set<string>();
    for (const { client } of this.members) {
      await client.must(METHODS.range, { key: Buffer.from("key-0") });
      const { hash, compactRevision } = await client.must(METHODS.hashKv, {});
      hashes.add(`${hash} ${compactRevision}`);
    }
    assert.equal(hashes.size, 1, [...hashes].join(", "));
  }

  /** A new voter that serves. */
  async add(): Promise<ClusterMember> {
    const member = await this.register(false);
    await member.start(MEMBERSHIP_MS_MAX);
    return member;
  }

  async addLearner(): Promise<ClusterMember> {
    const member = await this.register(true);
    await member.startLearner();
    return member;
  }

  /** Asks again while the learner is behind. */
  async promote(member: ClusterMember): Promise<void> {
    const id = await member.id();
    await this.#reconfigure(`promote ${member.name}`, async (client) => {
      const answer = await client.call(METHODS.memberPromote, { id });
      if (answer.ok) return true;
      const members = await this.#list(client);
      const isVoter = members?.some((other) => other.id === id && !other.isLearner) === true;
      return isVoter ? true : answer.refusal.message;
    });
    await member.server.ready(MEMBERSHIP_MS_MAX);
  }

  /** Removes by id, so that a lost member can be removed; a running one ends by itself. */
  async remove(member: ClusterMember, id: bigint): Promise<void> {
    await this.#reconfigure(`remove ${member.name}`, async (client) => {
      const answer = await client.call(METHODS.memberRemove, { id });
      if (answer.ok) return true;
      const members = await this.#list(client);
      const isGone = members?.every((other) => other.id !== id) === true;
      return isGone ? true : answer.refusal.message;
    });
    this.#members.splice(this.#members.indexOf(member), 1);
    this.#removed.push(member);
  }

  async moveLeader(target: ClusterMember): Promise<void> {
    const targetId = await target.id();
    const leader = await this.leader();
    await leader.client.must(METHODS.moveLeader, { targetId });
  }

  /** Kills what runs and removes every directory. */
  async dispose(): Promise<void> {
    for (const member of [...this.#members, ...this.#removed]) await member.dispose();
    this.#network.dispose();
  }
}
