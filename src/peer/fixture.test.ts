/** Members on loopback for the tests of the room: real sockets, a handler that keeps all it got. */
import type { TestContext } from "node:test";
import {
  ConnectionGate,
  type HttpClientOptions,
  listen,
  openHttpClient,
  systemClock,
  systemDigests,
  systemTimers,
  type TlsMaterial,
} from "../host/index.ts";
import type {
  HttpStreamHandler,
  LeaseAnswer,
  LogFields,
  Logger,
  PeerHandler,
  PeerHash,
  PeerMember,
  PeerVersions,
  Receipt,
  SnapshotArrival,
} from "../seam/index.ts";
import { emptyRaftMessage, type Entry, type Message } from "../wire/index.ts";
import { openPeers, type PeerOptions, type Peers } from "./index.ts";

export const CLUSTER_ID = 0xcafe_f00d_1234_5678n;

/** Keeps its lines, and lets a test wait for what goes with one. */
export class RecordingLogger implements Logger {
  readonly lines: string[] = [];
  #waiting: { isTrue: () => boolean; resolve: () => void }[] = [];

  debug(message: string): void {
    this.#add(message);
  }

  info(message: string): void {
    this.#add(message);
  }

  warn(message: string, fields?: LogFields): void {
    this.#add(`${message} ${JSON.stringify(fields)}`);
  }

  error(message: string, fields?: LogFields): void {
    this.#add(`${message} ${JSON.stringify(fields)}`);
  }

  isEnabled(): boolean {
    return true;
  }

  child(): Logger {
    return this;
  }

  #add(line: string): void {
    this.lines.push(line);
    // What the line tells of is done once its caller has gone on.
    queueMicrotask(() => {
      for (const waiting of this.#waiting) if (waiting.isTrue()) waiting.resolve();
    });
  }

  async until(isTrue: () => boolean): Promise<void> {
    if (isTrue()) return;
    await new Promise<void>((resolve) => void this.#waiting.push({ isTrue, resolve }));
  }

  async line(part: string): Promise<void> {
    await this.until(() => this.lines.some((line) => line.includes(part)));
  }
}

/** Values that are waited for in their order, whoever comes first. */
export class Arrivals<T> {
  readonly all: T[] = [];
  #taken = 0;
  #wake: (() => void) | undefined;

  add(value: T): void {
    this.all.push(value);
    this.#wake?.();
  }

  async next(): Promise<T> {
    while (this.#taken === this.all.length) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.all[this.#taken++] as T;
  }
}

export class RecordingHandler implements PeerHandler {
  readonly id: bigint;
  clusterId = CLUSTER_ID;
  readonly messages = new Arrivals<Message>();
  readonly unreachables = new Arrivals<bigint>();
  readonly gone = new Arrivals<bigint>();
  readonly removals = new Arrivals<true>();
  readonly sent = new Arrivals<{ id: bigint; isFailure: boolean }>();
  readonly removed = new Set<bigint>();
  receipt: Receipt = "taken";
  onSnapshot: (arrival: SnapshotArrival) => Promise<void> = () => Promise.resolve();
  offset: (from: bigint, index: number, term: number) => Promise<number> = () => Promise.resolve(0);
  renew: (leaseId: bigint) => Promise<number> = () => Promise.resolve(7);
  lease: LeaseAnswer = { ttlSeconds: 5, grantedTtlSeconds: 10, keys: ["a", "\u00ff"] };
  promoted: () => Promise<readonly PeerMember[]> = () => Promise.resolve(this.members());
  hash: (revision: number) => Promise<PeerHash> = (revision) =>
    Promise.resolve({ hash: 42, revision: 9, compactRevision: 3, hashRevision: revision });

  constructor(id: bigint) {
    this.id = id;
  }

  receive(message: Message): Receipt {
    this.messages.add(message);
    return this.receipt;
  }

  receiveSnapshot(arrival: SnapshotArrival): Promise<void> {
    return this.onSnapshot(arrival);
  }

  snapshotOffset(from: bigint, index: number, term: number): Promise<number> {
    return this.offset(from, index, term);
  }

  isRemoved(id: bigint): boolean {
    return this.removed.has(id);
  }

  members(): readonly PeerMember[] {
    const peerUrls = ["http://127.0.0.1:1"];
    return [
      { id: 2n ** 64n - 1n, name: "one", peerUrls, clientUrls: ["http://c"], isLearner: false },
      { id: 2n, name: "", peerUrls, clientUrls: [], isLearner: true },
    ];
  }

  versions(): PeerVersions {
    return { server: "3.7.1", cluster: "3.7.0" };
  }

  renewForPeer(leaseId: bigint): Promise<number> {
    return this.renew(leaseId);
  }

  leaseTimesForPeer(): Promise<LeaseAnswer> {
    return Promise.resolve(this.lease);
  }

  promoteForPeer(): Promise<readonly PeerMember[]> {
    return this.promoted();
  }

  replaceForPeer(): Promise<never> {
    throw new Error("not asked");
  }

  hashKvForPeer(revision: number): Promise<PeerHash> {
    return this.hash(revision);
  }

  unreachable(id: bigint): void {
    this.unreachables.add(id);
  }

  snapshotSent(id: bigint, isFailure: boolean): void {
    this.sent.add({ id, isFailure });
  }

  processGone(id: bigint): void {
    this.gone.add(id);
  }

  removedByPeers(): void {
    this.removals.add(true);
  }
}

export interface TestMember {
  readonly id: bigint;
  readonly url: string;
  readonly handler: RecordingHandler;
  readonly peers: Peers;
  readonly gate: ConnectionGate;
  readonly log: RecordingLogger;
  /** Answers its requests; may be replaced. */
  route: HttpStreamHandler;
  /** Ends listening and connections at once, as the death of its process would. */
  kill(): Promise<void>;
}

export interface TestMemberOptions extends Partial<PeerOptions> {
  readonly listenUrl?: string;
  readonly listenTls?: TlsMaterial;
  readonly clientTls?: HttpClientOptions;
}

export async function startTestMember(
  t: TestContext,
  id: bigint,
  options: TestMemberOptions = {},
): Promise<TestMember> {
  const gate = new ConnectionGate(1000);
  const log = new RecordingLogger();
  const handler = new RecordingHandler(id);
  const holder: { route?: HttpStreamHandler } = {};
  const listeners = await listen({
    urls: [options.listenUrl ?? "http://127.0.0.1:0"],
    gate,
    logger: log,
    streams: (request, response) => holder.route?.(request, response),
    ...(options.listenTls && { tls: options.listenTls }),
  });
  const url = listeners[0]?.url ?? "";
  const peers = openPeers({
    handler,
    http: openHttpClient(options.clientTls),
    clock: systemClock,
    timers: systemTimers,
    digests: systemDigests,
    logger: log,
    serverVersion: "3.7.1",
    holdfastVersion: "0.1.0",
    peerUrls: [url],
    electionTimeoutMs: 1000,
    ...options,
  });
  const kill = async (): Promise<void> => {
    await Promise.all(listeners.splice(0).map((listener) => listener.close()));
    gate.destroyAll();
    await peers.network.close();
  };
  t.after(kill);
  const member = { id, url, handler, peers, gate, log, route: peers.handle, kill };
  holder.route = (request, response) => member.route(request, response);
  return member;
}

export async function startPair(
  t: TestContext,
  options: TestMemberOptions = {},
): Promise<[TestMember, TestMember]> {
  const a = await startTestMember(t, 0xan, options);
  const b = await startTestMember(t, 0xbn, options);
  a.peers.network.add(b.id, [b.url]);
  b.peers.network.add(a.id, [a.url]);
  return [a, b];
}

export function messageOf(parts: Partial<Message>): Message {
  return { ...emptyRaftMessage(), ...parts };
}

export function entryOf(index: number, term: number, text: string): Entry {
  return { type: 0, term, index, data: Buffer.from(text) };
}

/** Settles when `from` has `count` streams to and from `to`: 4 are all there are. */
export async function connected(from: TestMember, to: TestMember, count = 4): Promise<void> {
  await from.log.until(() => streamsOf(from, to.id) === count);
}

export function streamsOf(member: TestMember, id: bigint): number {
  return member.peers.measures().find((row) => row.id === id)?.streams ?? 0;
}

export async function startConnectedPair(
  t: TestContext,
  options: TestMemberOptions = {},
): Promise<[TestMember, TestMember]> {
  const [a, b] = await startPair(t, options);
  await Promise.all([connected(a, b), connected(b, a)]);
  return [a, b];
}
