/** All services on a member that does what a test says, and a client of ours in front of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApplyResponse, DowngradeInfo } from "../apply/index.ts";
import type { EtcdError } from "../errors/index.ts";
import { type ClientCall, ClientGroup, type GrpcClient, GrpcServer } from "../grpc/index.ts";
import type {
  ClusterMember,
  Member,
  MembershipChange,
  MemberStatus,
  Waiter,
} from "../member/index.ts";
import type { LeaseAnswer, Logger } from "../seam/index.ts";
import { connectionPair, ManualTime, type PairedConnection } from "../testing/index.ts";
import {
  type AlarmMember,
  decodeMessage,
  type Fields,
  type MessageShape,
  type Schema,
  type RaftOperation,
  type RangeResponse,
} from "../wire/index.ts";
import type { WatchStream } from "../watch/index.ts";
import { openRpc, type Rpc } from "./services.ts";

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  isEnabled: () => false,
  child: () => SILENT,
};

/** What a waiter is told: the error, or that all went well. */
type Fate<T> = EtcdError | { readonly result: T };

function tell<T>(waiter: Waiter<T>, fate: Fate<T>): void {
  if ("result" in fate) waiter.done(fate.result);
  else waiter.refused(fate);
}

export function memberRow(id: bigint, more: Partial<ClusterMember> = {}): ClusterMember {
  const peerUrls = [`http://m${id}:2380`];
  const clientUrls = [`http://m${id}:2379`];
  return { id, name: `m${id}`, peerUrls, clientUrls, isLearner: false, ...more };
}

/** Member 1 of cluster 77: three voters, of which 2 leads. */
export class FakeMember implements Member {
  readonly id = 1n;
  readonly clusterId = 77n;
  raftTerm = 5;
  leader = 2n;
  isQuarantined = false;
  readonly timeTravel = undefined;
  readonly careLog = [];
  readonly stateDigest = undefined;
  isLearner = false;
  readonly currentRevision = 42;
  incarnation: string | undefined;
  clusterVersion: string | undefined = "3.7.0";
  downgrade: DowngradeInfo = { enabled: false, targetVersion: "" };
  rows: ClusterMember[] = [memberRow(1n), memberRow(2n), memberRow(3n)];
  /** What the services asked for, in order. */
  readonly asked: unknown[] = [];
  change: Fate<MembershipChange> = { result: { member: undefined, members: [] } };
  read: Fate<void> = { result: undefined };
  move: Fate<void> = { result: undefined };
  renewal: Fate<number> = { result: 60 };
  /** Renewals that nobody answered. */
  readonly renewing: Waiter<number>[] = [];
  holdsRenewals = false;
  times: Fate<LeaseAnswer> = { result: { ttlSeconds: -1, grantedTtlSeconds: 0, keys: [] } };
  proposal: (operation: RaftOperation) => Fate<ApplyResponse> = () => ({
    result: { kind: "downgradeInfoSet" },
  });
  watchesClosed = 0;
  readonly #leaderListeners = new Set<(leader: bigint) => void>();

  lead(leader: bigint): void {
    this.leader = leader;
    for (const run of this.#leaderListeners) run(leader);
  }

  get leaderListeners(): number {
    return this.#leaderListeners.size;
  }

  onLeaderChange(run: (leader: bigint) => void): () => void {
    this.#leaderListeners.add(run);
    return () => this.#leaderListeners.delete(run);
  }

  status(): MemberStatus {
    return {
      leader: this.leader,
      raftTerm: this.raftTerm,
      raftIndex: 9,
      raftAppliedIndex: 8,
      isLearner: this.isLearner,
      dbSizeBytes: 4096,
      dbSizeInUseBytes: 2048,
      quotaBytes: 1_000_000,
    };
  }

  members(): readonly ClusterMember[] {
    return this.rows;
  }

  alarms(): readonly AlarmMember[] {
    return [];
  }

  addMember(urls: readonly string[], isLearner: boolean, waiter: Waiter<MembershipChange>): void {
    this.asked.push(["add", [...urls], isLearner]);
    tell(waiter, this.change);
  }

  removeMember(id: bigint, waiter: Waiter<MembershipChange>): void {
    this.asked.push(["remove", id]);
    tell(waiter, this.change);
  }

  updateMember(id: bigint, urls: readonly string[], waiter: Waiter<MembershipChange>): void {
    this.asked.push(["update", id, [...urls]]);
    tell(waiter, this.change);
  }

  promoteMember(id: bigint, waiter: Waiter<MembershipChange>): void {
    this.asked.push(["promote", id]);
    tell(waiter, this.change);
  }

  moveLeader(target: bigint, waiter: Waiter<void>): void {
    this.asked.push(["move", target]);
    tell(waiter, this.move);
  }

  propose(operation: RaftOperation, waiter: Waiter<ApplyResponse>): void {
    this.asked.push(operation);
    tell(waiter, this.proposal(operation));
  }

  readIndex(waiter: Waiter<void>): void {
    tell(waiter, this.read);
  }

  range(): RangeResponse {
    return { revision: 42, kvs: [], more: false, count: 0 };
  }

  openWatchStream(): WatchStream {
    return {
      create: () => undefined,
      cancel: () => undefined,
      requestProgress: () => undefined,
      ready: () => undefined,
      close: () => {
        this.watchesClosed += 1;
      },
      watchCount: 0,
    };
  }

  keepAlive(_leaseId: bigint, waiter: Waiter<number>): void {
    if (this.holdsRenewals) this.renewing.push(waiter);
    else tell(waiter, this.renewal);
  }

  leaseTimes(_leaseId: bigint, _withKeys: boolean, waiter: Waiter<LeaseAnswer>): void {
    tell(waiter, this.times);
  }

  openRange(): never {
    return unused();
  }

  readTxn(): never {
    return unused();
  }

  newLeaseId(): bigint {
    return unused();
  }

  effectiveTtlSeconds(): number {
    return unused();
  }

  leases(): bigint[] {
    return [];
  }

  hash(): Promise<number> {
    return Promise.resolve(1);
  }

  hashKv(): never {
    return unused();
  }

  defragment(): Promise<void> {
    return Promise.resolve();
  }

  snapshot(): never {
    return unused();
  }

  compactionFinished(): Promise<void> {
    return Promise.resolve();
  }

  reportCorruption(): void {
    unused();
  }

  get measures(): never {
    return unused();
  }
}

function unused(): never {
  throw new Error("no test of this room needs it");
}

export interface Answer {
  readonly code: number;
  readonly message: string;
  readonly bytes: Buffer;
}

export class Desk {
  readonly time = new ManualTime();
  readonly member = new FakeMember();
  readonly rpc: Rpc;
  readonly client: GrpcClient;
  readonly #ends: [PairedConnection, PairedConnection];

  constructor() {
    this.rpc = openRpc({
      member: this.member,
      timers: this.time,
      logger: SILENT,
      txnOpsMax: 128,
      requestBytesMax: 1_572_864,
      serverVersion: "3.7.1",
      keysOnlyWithLease: false,
      electionTimeoutMs: 1_000,
    });
    const parts = { clock: this.time, timers: this.time };
    const server = new GrpcServer({ ...parts, methods: this.rpc.methods, logger: SILENT });
    this.#ends = connectionPair();
    server.serve(this.#ends[1]);
    this.client = new ClientGroup(parts).open(this.#ends[0], { authority: "localhost:2379" });
  }

  /** What is on its way arrives. */
  async settle(): Promise<void> {
    for (let round = 0; round < 10; round += 1) {
      this.time.turn();
      this.#ends[0].deliver();
      this.#ends[1].deliver();
      await Promise.resolve();
    }
  }

  async pass(ms: number): Promise<void> {
    this.time.advance(ms);
    await this.settle();
  }

  async call(path: string, request: Buffer, metadata: string[] = []): Promise<Answer> {
    let answer: Answer | undefined;
    const onDone = (code: number, message: string, response: Buffer | undefined) => {
      answer = { code, message, bytes: response ?? Buffer.alloc(0) };
    };
    this.client.unary(`/etcdserverpb.${path}`, request, onDone, { metadata });
    await this.settle();
    assert.ok(answer !== undefined, `${path} was not answered`);
    return answer;
  }

  /** The message of an answer that must be OK. */
  async ok<F extends Fields>(
    path: string,
    request: Buffer,
    schema: Schema<F>,
  ): Promise<MessageShape<F>> {
    const { code, message, bytes } = await this.call(path, request);
    assert.equal(code, 0, message);
    return decodeMessage(schema, bytes);
  }

  stream(path: string, metadata: string[] = []): StreamEnd {
    return new StreamEnd(this.client.stream(`/etcdserverpb.${path}`, { metadata }));
  }
}

export class StreamEnd {
  readonly call: ClientCall;
  readonly messages: Buffer[] = [];
  end: { code: number; message: string } | undefined = undefined;

  constructor(call: ClientCall) {
    this.call = call;
    call.onMessage = (message) => this.messages.push(message);
    call.onEnd = (code, message) => {
      this.end = { code, message };
    };
  }
}

/** What a client sees of a refusal. */
export function seen({ code, message }: EtcdError): { code: number; message: string } {
  return { code, message };
}

test("desk: an unknown method is answered", async () => {
  const desk = new Desk();
  assert.equal((await desk.call("Cluster/None", Buffer.alloc(0))).code, 12);
});
