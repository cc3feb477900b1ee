/**
 * A whole cluster in one process: members as in production from the Member interface down to the
 * bytes of the log, on simulated disks, a simulated network and time that the test moves. All of it
 * follows from one seed: the same seed gives the same run, byte for byte.
 *
 * Time moves in `run`, `until` and `settled` alone, from one planned moment to the next.
 */
import type { ApplyResponse } from "../../src/apply/index.ts";
import { Prng } from "../../src/base/index.ts";
import { deriveMemberId } from "../../src/datadir/index.ts";
import { EtcdError, errors } from "../../src/errors/index.ts";
import { systemDigests } from "../../src/host/index.ts";
import type { MembershipChange, MemberSettings, Waiter } from "../../src/member/index.ts";
import { type LinkConditions, ManualTime, SimulatedNetwork } from "../../src/testing/index.ts";
import {
  decodeKeyValue,
  emptyPutRequest,
  emptyRangeRequest,
  MessageType,
  type RaftOperation,
} from "../../src/wire/index.ts";
import { Invariants } from "./invariants.ts";
import { type ClusterMember, ClusterNode, ProcessGone } from "./node.ts";
import { Trace } from "./trace.ts";

export const SETTINGS: MemberSettings = {
  quotaBytes: 0,
  requestBytesMax: 1_572_864,
  commitRhythm: { intervalMs: 500, operations: 10_000 },
  snapshotCount: 10_000,
  snapshotCatchUpEntries: 5_000,
  walsMax: 5,
  electionTimeoutMs: 1_000,
  heartbeatMs: 100,
  electionTickAdvance: true,
  preVote: true,
  strictReconfig: true,
  learnersMax: 1,
  compactStepRecords: 1_000,
  compactRestMs: 10,
  retention: { mode: "off" },
  keysOnlyWithLease: false,
  rollbackProtection: "detect",
};

export interface ClusterOptions {
  readonly seed: number;
  /** Founding members. */
  readonly size: number;
  readonly settings?: Partial<MemberSettings>;
  readonly link?: Partial<LinkConditions>;
  readonly diskDelayMaxMs?: number;
  /** A directory of each host that is not put back with the rest of its disk. */
  readonly witnessDirectory?: string;
  /** Where every line of the trace goes as well. */
  readonly traceFile?: string;
}

/** Simulated time after which a test that still waits has failed. */
const WAIT_MAX_MS = 60_000;
const MADE_ALREADY = new Set<unknown>([
  errors.PeerURLExist,
  errors.MemberNotFound,
  errors.MemberNotLearner,
]);
/** Moments of simulated time between two turns of Node's own loop. */
const STEPS_PER_TURN = 1_000;
/** Between two attempts of a client that retries. */
const RETRY_MS = 50;

export class Cluster {
  readonly seed: number;
  readonly time = new ManualTime();
  readonly prng: Prng;
  readonly network: SimulatedNetwork;
  readonly invariants = new Invariants();
  readonly trace: Trace;
  readonly nodes: ClusterNode[] = [];
  /** Hosts that are no longer looked after, since their members were removed. */
  readonly forgotten: ClusterNode[] = [];
  /** Called when a member has sent its vote to a candidate. */
  onVote: ((host: string) => void) | undefined;
  /** Calls of clients so far, to number them. */
  calls = 0;
  /** Snapshots that arrived whole. */
  snapshotsDelivered = 0;
  /** Who asked for votes, and in which terms. */
  readonly campaigns = new Set<string>();
  /** Appends that a follower could not take: its log is not the leader's there. */
  appendsRefused = 0;
  /** By how much the clock of a member may run fast, as a share: 0.05. */
  driftMax = 0;
  readonly settings: MemberSettings;
  readonly #options: ClusterOptions;
  readonly #startMs: number;
  #steps = 0;

  constructor(options: ClusterOptions) {
    this.seed = options.seed;
    this.#options = options;
    this.trace = new Trace(options.traceFile);
    this.prng = new Prng(options.seed);
    this.settings = { ...SETTINGS, ...options.settings };
    this.#startMs = this.time.monotonicMs();
    this.network = new SimulatedNetwork({
      time: this.time,
      prng: new Prng(this.prng.uint32()),
      digests: systemDigests,
      ...(options.link === undefined ? {} : { link: options.link }),
      observe: (event) => {
        this.invariants.network(event);
        const isSnapshot = event.message.type === MessageType.SNAP;
        if (isSnapshot && event.fate === "delivered") this.snapshotsDelivered += 1;
        const { type, term } = event.message;
        const isCampaign = type === MessageType.VOTE || type === MessageType.PRE_VOTE;
        if (isCampaign && event.fate === "sent")
          this.campaigns.add(`${event.from} ${type} ${term}`);
        const isRefusal = event.message.type === MessageType.APP_RESP && event.message.reject;
        if (isRefusal && event.fate === "delivered") this.appendsRefused += 1;
        this.trace.event(this.nowMs, event);
        const { fate, message } = event;
        const isVote = message.type === MessageType.VOTE_RESP && !message.reject;
        if (isVote && fate === "sent") this.onVote?.(event.from);
      },
    });
    const names = Array.from({ length: options.size }, (_, at) => `m${at + 1}`);
    for (const name of names) this.addHost(name);
    const founders = this.nodes.map(({ host, peerUrls }) => ({ name: host, peerUrls }));
    for (const node of this.nodes) {
      node.beginning = () => Promise.resolve({ kind: "found", founders });
    }
  }

  /** All founders started, a leader elected, and all published. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options);
    await cluster.startAll();
    return cluster;
  }

  async startAll(): Promise<void> {
    const stopped = this.nodes.filter(({ isRunning, wasRemoved }) => !isRunning && !wasRemoved);
    await this.settled(Promise.all(stopped.map((node) => node.start())));
    await this.untilReady(stopped);
  }

  /** The members have introduced themselves to the cluster. */
  async untilReady(nodes: readonly ClusterNode[] = this.live): Promise<void> {
    await this.settled(Promise.all(nodes.map((node) => node.running.introduced)));
  }

  /** Longest time that a call of a disk takes while nothing is wrong with it. */
  get diskDelayMaxMs(): number {
    return this.#options.diskDelayMaxMs ?? 0.5;
  }

  addHost(name: string): ClusterNode {
    const context = {
      time: this.time,
      network: this.network,
      invariants: this.invariants,
      settings: this.settings,
      diskDelayMaxMs: this.diskDelayMaxMs,
      isAnyWrong: () =>
        [...this.nodes, ...this.forgotten].some((node) => node.mayBeAccused || node.hasMisled),
      log: (host: string, level: string, message: string, fields?: object) =>
        this.note(`${host} ${level}: ${message} ${fields === undefined ? "" : text(fields)}`),
    };
    const node = new ClusterNode(name, context, new Prng(this.prng.uint32()));
    node.witnessDirectory = this.#options.witnessDirectory;
    if (this.trace.isRead) {
      node.disk.onCall = (operation, path, offset, bytes) =>
        this.trace.detail(
          this.nowMs,
          `${name} disk ${operation} ${path} at ${offset}, ${bytes} bytes`,
        );
    }
    this.nodes.push(node);
    return node;
  }

  /** It was removed from the cluster: its host is no longer looked after. */
  forget(node: ClusterNode): void {
    if (node.isRunning) node.crash();
    this.nodes.splice(this.nodes.indexOf(node), 1);
    this.forgotten.push(node);
  }

  node(host: string | number): ClusterNode {
    const name = typeof host === "number" ? `m${host}` : host;
    const found = this.nodes.find((node) => node.host === name);
    if (found === undefined) throw new Error(`there is no host ${name}`);
    return found;
  }

  get live(): ClusterNode[] {
    return this.nodes.filter(({ member }) => member !== undefined);
  }

  /** The member that leads in the newest term that any member is in; undefined while none does. */
  leader(): ClusterNode | undefined {
    const leaders = this.live.filter(({ running }) => running.leader === running.id);
    leaders.sort((a, b) => b.running.raftTerm - a.running.raftTerm);
    return leaders[0];
  }

  /** Waits for a leader that a majority follows, other than `but`. */
  async untilLeader(but?: ClusterNode): Promise<ClusterNode> {
    await this.until(() => {
      const leader = this.leader();
      if (leader === undefined || leader === but) return false;
      const followers = this.live.filter(({ running }) => running.leader === leader.id);
      return followers.length * 2 > leader.running.members().length;
    }, "a leader");
    return this.leader() as ClusterNode;
  }

  followers(): ClusterNode[] {
    const leader = this.leader();
    return this.live.filter((node) => node !== leader);
  }

  /** The id that a founder has by its name and the token (ID-05). */
  founderId(node: ClusterNode): bigint {
    return deriveMemberId(node.peerUrls, "simulated", systemDigests);
  }

  note(line: string): void {
    this.trace.add(this.time.monotonicMs() - this.#startMs, line);
  }

  get nowMs(): number {
    return this.time.monotonicMs() - this.#startMs;
  }

  /* Time */

  /**
   * Moves time from one planned moment to the next, not beyond `endMs`, until `isOver` says so
   * between two of them. At each moment everything happens that can, promises included.
   */
  #moveTime(endMs: number, isOver: () => boolean): Promise<void> {
    const { time } = this;
    return new Promise((resolve, reject) => {
      const step = (): void => {
        try {
          if (time.hasSoon) {
            time.turn();
            return process.nextTick(drained);
          }
          this.invariants.check();
          if (isOver()) return resolve();
          const nowMs = time.monotonicMs();
          const next = Math.min(time.nextDueMs ?? endMs, endMs);
          time.advance(Math.max(0, next - nowMs));
          this.#steps += 1;
          // Timeouts of the test runner and signals get their turn.
          if (this.#steps % STEPS_PER_TURN === 0) setImmediate(drained);
          else process.nextTick(drained);
        } catch (error) {
          reject(error);
        }
      };
      // A tick planned by a promise's turn comes when no other promise has anything left to do.
      const drained = (): void => queueMicrotask(step);
      time.turn();
      queueMicrotask(() => process.nextTick(drained));
    });
  }

  /** Everything that can happen now happens. */
  quiesce(): Promise<void> {
    return this.#moveTime(this.time.monotonicMs(), () => true);
  }

  run(ms: number): Promise<void> {
    const { time } = this;
    const endMs = time.monotonicMs() + ms;
    return this.#moveTime(endMs, () => time.monotonicMs() >= endMs);
  }

  async until(isTrue: () => boolean, what: string, maxMs = WAIT_MAX_MS): Promise<void> {
    const { time } = this;
    const endMs = time.monotonicMs() + maxMs;
    await this.#moveTime(endMs, () => isTrue() || time.monotonicMs() >= endMs);
    if (!isTrue()) throw new Error(this.#complaint(what, maxMs));
  }

  async settled<T>(promise: Promise<T>, maxMs = WAIT_MAX_MS): Promise<T> {
    let isSettled = false;
    const watched = promise.finally(() => {
      isSettled = true;
    });
    watched.catch(() => undefined);
    await this.until(() => isSettled, "an answer", maxMs);
    return watched;
  }

  #complaint(what: string, maxMs: number): string {
    const states = this.nodes.map((node) => {
      if (node.member === undefined) return `${node.host}: down`;
      const { leader, raftTerm, raftIndex, raftAppliedIndex } = node.member.status();
      return (
        `${node.host}: id ${node.id.toString(16)} leader ${leader.toString(16)} term ${raftTerm} ` +
        `index ${raftIndex} applied ${raftAppliedIndex}`
      );
    });
    return (
      `seed ${this.seed}: waited ${maxMs} ms for ${what}\n${states.join("\n")}\n` +
      this.trace.last(Number(process.env["SIM_TRACE"] ?? 30), /^(?!.*heartbeat)/)
    );
  }

  /* Clients. Each call is one attempt at one member, unless it says that it retries. */

  /** Rejects with the member's EtcdError, or with ProcessGone. */
  ask<T>(node: ClusterNode, question: (member: ClusterMember, waiter: Waiter<T>) => void) {
    const asked = new Promise<T>((resolve, reject) => {
      question(node.running, { done: resolve, refused: reject });
    });
    const answered = node.whileRunning(asked);
    // Whoever asks may look at the answer late, or never.
    answered.catch(() => undefined);
    return answered;
  }

  propose(node: ClusterNode, operation: RaftOperation): Promise<ApplyResponse> {
    return this.ask(node, (member, waiter) => member.propose(operation, waiter));
  }

  /** Answers the revision. */
  async putOn(node: ClusterNode, key: string, value: string, lease = 0n): Promise<number> {
    const put = { ...emptyPutRequest(), key, value: Buffer.from(value), lease };
    const response = await this.propose(node, { kind: "put", put });
    return response.kind === "put" ? response.put.revision : 0;
  }

  /** Linearizable; undefined = the key is not there. */
  async getOn(node: ClusterNode, key: string): Promise<string | undefined> {
    await this.ask<void>(node, (member, waiter) => member.readIndex(waiter));
    return this.read(node, key);
  }

  /** What the member itself holds at present. */
  read(node: ClusterNode, key: string): string | undefined {
    return readKey(node.running, key);
  }

  /** Retries, at one member after the other, until it is acknowledged. Moves time. */
  put(key: string, value: string, lease = 0n): Promise<number> {
    return this.retried((node) => this.putOn(node, key, value, lease));
  }

  get(key: string): Promise<string | undefined> {
    return this.retried((node) => this.getOn(node, key));
  }

  async retried<T>(attempt: (node: ClusterNode) => Promise<T>): Promise<T> {
    const endMs = this.time.monotonicMs() + WAIT_MAX_MS;
    for (let turn = this.prng.below(this.nodes.length); ; turn += 1) {
      const node = this.live[turn % Math.max(1, this.live.length)];
      try {
        if (node === undefined) throw new ProcessGone("every host");
        return await this.settled(attempt(node));
      } catch (error) {
        if (this.time.monotonicMs() > endMs || !isAnswer(error)) throw error;
        await this.run(RETRY_MS);
      }
    }
  }

  /** The EtcdError that an attempt ends with; fails when it goes well. */
  refusal(attempt: Promise<unknown>, maxMs = WAIT_MAX_MS): Promise<EtcdError> {
    return this.settled(refusalOf(attempt), maxMs);
  }

  /* Membership */

  /** Adds a member on a new host and starts it. Retries; moves time. */
  async join(name: string, options: { isLearner?: boolean } = {}): Promise<ClusterNode> {
    const node = this.addHost(name);
    await this.changed((at) =>
      this.ask(at, (member, waiter) =>
        member.addMember(node.peerUrls, options.isLearner ?? false, waiter),
      ),
    );
    const [url] = node.peerUrls;
    const isRow = (row: { peerUrls: readonly string[] }) => row.peerUrls[0] === url;
    const knowing = this.live.find(({ running }) => running.members().some(isRow));
    if (knowing === undefined) throw new Error(`${name} was not added`);
    const { clusterId } = knowing.running;
    const members = [...knowing.running.members()];
    const id = members.find(isRow)?.id as bigint;
    node.beginning = () => Promise.resolve({ kind: "join", clusterId, id, members });
    await this.settled(node.start());
    return node;
  }

  /** A change of the membership, tried until it is made. Moves time. */
  async changed(attempt: (node: ClusterNode) => Promise<MembershipChange>): Promise<void> {
    await this.retried(async (node) => {
      try {
        await attempt(node);
      } catch (error) {
        // An attempt whose answer was lost.
        if (!MADE_ALREADY.has(error)) throw error;
      }
    });
  }

  remove(id: bigint): Promise<void> {
    return this.changed((node) =>
      this.ask(node, (member, waiter) => member.removeMember(id, waiter)),
    );
  }

  promote(id: bigint): Promise<void> {
    return this.changed((node) =>
      this.ask(node, (member, waiter) => member.promoteMember(id, waiter)),
    );
  }

  /* The end of a run */

  /** All faults end, all hosts run, and all members come to the same state. */
  async heal(): Promise<void> {
    this.network.heal();
    for (const node of this.nodes) if (node.process.isPaused) node.process.resume();
    await this.startAll();
    await this.untilLeader();
    await this.retried((node) => this.#tidyUp(node));
    await this.#promoteLearners();
    await this.untilEven();
  }

  /** As an operator does, so that there is room for a learner in a lost member's place. */
  async #promoteLearners(): Promise<void> {
    const members = this.leader()?.running.members() ?? [];
    for (const { id, isLearner } of members) {
      const node = this.live.find((other) => other.id === id);
      if (isLearner && node?.mayFail === false) await this.promote(id);
    }
  }

  /**
   * As an operator does: hosts whose member was removed while they were down, so that nobody could
   * tell them, are switched off.
   */
  async #tidyUp(node: ClusterNode): Promise<void> {
    await this.ask<void>(node, (member, waiter) => member.readIndex(waiter));
    const ids = new Set(node.running.members().map(({ id }) => id));
    // One whose disk lost something may be between two ids.
    const gone = this.live.filter((other) => !ids.has(other.id) && !other.mayBeAccused);
    for (const other of gone) this.forget(other);
  }

  /** Every live member has applied all that any of them has. */
  async untilEven(nodes?: readonly ClusterNode[]): Promise<void> {
    await this.untilLeader();
    await this.put("even", String(this.nowMs));
    await this.until(() => {
      const states = (nodes ?? this.live).map(({ running }) => running.status());
      const applied = new Set(states.map(({ raftAppliedIndex }) => raftAppliedIndex));
      return applied.size === 1;
    }, "all members to apply the same");
  }

  /** The hash of each live member; throws unless they agree. */
  async sameHash(nodes: readonly ClusterNode[] = this.live): Promise<number> {
    const revision = Math.min(...nodes.map(({ running }) => running.currentRevision));
    const hashes: string[] = [];
    for (const { host, running } of nodes) {
      const outcome = await this.settled(running.hashKv(revision));
      if (outcome instanceof EtcdError) throw outcome;
      hashes.push(`${outcome.hash} at ${outcome.hashRevision}/${outcome.compactRevision}`);
      this.note(`${host} hash ${outcome.hash}`);
    }
    if (new Set(hashes).size !== 1) throw new Error(`hashes differ: ${hashes.join(", ")}`);
    return Number.parseInt(hashes[0] as string, 10);
  }

  /** Ends everything where it stands. */
  abandon(): void {
    for (const { process } of this.nodes) process.end();
    this.trace.close();
  }

  /** Orderly stops for all, so that nothing is left behind. */
  async close(): Promise<void> {
    for (const node of this.live) await this.settled(node.stop()).catch(() => undefined);
    this.trace.close();
  }
}

/** From the member's own store; undefined = the key is not there. */
export function readKey(member: ClusterMember, key: string, revision = 0): string | undefined {
  const found = member.range({ ...emptyRangeRequest(), key, revision });
  if (found instanceof EtcdError) throw found;
  const [kv] = found.kvs;
  return kv === undefined ? undefined : decodeKeyValue(kv).value.toString();
}

/** Looks at once, so that a refusal is never unheard. */
export async function refusalOf(attempt: Promise<unknown>): Promise<EtcdError> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof EtcdError) return error;
    throw error;
  }
  throw new Error("it was expected to be refused");
}

function isAnswer(error: unknown): boolean {
  return error instanceof ProcessGone || error instanceof EtcdError;
}

function text(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "bigint" ? part.toString(16) : part,
  );
}
