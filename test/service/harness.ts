/**
 * A whole member behind its client port in one process: simulated disk, store in memory, time that
 * the test moves, and a gRPC client of ours on the other end of a connection in memory. The same
 * code as in production from the bytes of a request to the bytes of the log and back.
 */
import { MemoryBackend, MemoryMedium } from "../../src/backend/index.ts";
import { Prng } from "../../src/base/index.ts";
import type { Code } from "../../src/errors/index.ts";
import { ClientGroup, type ClientCall, type GrpcClient, GrpcServer } from "../../src/grpc/index.ts";
import { systemDigests } from "../../src/host/index.ts";
import { type MemberSettings, openMember, type RaftMember } from "../../src/member/index.ts";
import { openRpc, type Rpc } from "../../src/rpc/index.ts";
import type { Logger, PeerNetwork, Timers } from "../../src/seam/index.ts";
import {
  connectionPair,
  ManualTime,
  type PairedConnection,
  SimulatedDisk,
} from "../../src/testing/index.ts";
import {
  emptyDeleteRangeRequest,
  emptyPutRequest,
  emptyRangeRequest,
  type DeleteRangeRequest,
  encodeDeleteRangeRequest,
  encodePutRequest,
  encodeRangeRequest,
  marshal,
  type PutRequest,
  type RangeRequest,
} from "../../src/wire/index.ts";

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  isEnabled: () => false,
  child: () => SILENT,
};

const SETTINGS: MemberSettings = {
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

const FOUNDERS = [{ name: "default", peerUrls: ["http://localhost:2380"] }];

const refuse = () => Promise.reject(new Error("there is no other member"));
/** The network of a cluster of one. */
const LONELY: PeerNetwork = {
  add: () => undefined,
  update: () => undefined,
  remove: () => undefined,
  send: () => undefined,
  flush: () => undefined,
  sendSnapshot: (_message, image) => image.close(),
  connectedSinceMs: () => undefined,
  versions: refuse,
  keepAlive: refuse,
  leaseTimes: refuse,
  promote: refuse,
  hashKv: refuse,
  close: () => Promise.resolve(),
};

/** A new cluster decides its version a moment after it has a leader. */
async function versionDecided(member: RaftMember, timers: Timers): Promise<void> {
  while (member.clusterVersion === undefined) {
    await new Promise<void>((resolve) => timers.soon(resolve));
  }
}

/** Turns of the loop after which a test that still waits is hung. */
const ROUNDS_MAX = 20_000;

export type Answer =
  | { readonly code: 0; readonly bytes: Buffer }
  | { readonly code: Code; readonly message: string };

export interface ServiceOptions {
  readonly settings?: Partial<MemberSettings>;
}

export class Service {
  readonly time = new ManualTime();
  readonly disk = new SimulatedDisk();
  readonly medium = new MemoryMedium();
  readonly fatal: Error[] = [];
  backend: MemoryBackend;
  member!: RaftMember;
  rpc!: Rpc;
  client!: GrpcClient;
  #server!: GrpcServer;
  #ends!: [PairedConnection, PairedConnection];
  readonly #options: ServiceOptions;
  readonly #entropy = new Prng(7);
  readonly #faults = new Prng(11);

  private constructor(options: ServiceOptions) {
    this.#options = options;
    this.backend = new MemoryBackend({ medium: this.medium });
  }

  static async open(options: ServiceOptions = {}): Promise<Service> {
    const service = new Service(options);
    await service.disk.makeDirectory("/data");
    await service.disk.syncDirectory("/");
    await service.#start();
    return service;
  }

  async #start(): Promise<void> {
    const settings = { ...SETTINGS, ...this.#options.settings };
    this.backend = new MemoryBackend({ medium: this.medium });
    this.member = await this.until(
      openMember({
        dataDirectory: "/data/default.etcd",
        walDirectory: undefined,
        name: "default",
        beginning: () => Promise.resolve({ kind: "found", founders: FOUNDERS }),
        clientUrls: ["http://localhost:2379"],
        clusterToken: "etcd-cluster",
        forceNewCluster: false,
        witnessDirectory: undefined,
        acceptsRollback: false,
        onReplaced: () => undefined,
        serverVersion: "3.7.1",
        progressIntervalMs: 600_000,
        settings,
        disk: this.disk,
        clock: this.time,
        timers: this.time,
        entropy: { bytes: (count) => this.#entropy.bytes(count) },
        digests: systemDigests,
        logger: SILENT,
        openBackend: () => Promise.resolve(this.backend),
        openNetwork: () => LONELY,
        onFatal: (error) => this.fatal.push(error),
        onRemoved: () => undefined,
      }),
    );
    await this.until(this.member.introduced);
    await this.until(versionDecided(this.member, this.time));
    this.rpc = openRpc({
      member: this.member,
      timers: this.time,
      logger: SILENT,
      txnOpsMax: 128,
      requestBytesMax: settings.requestBytesMax,
      serverVersion: "3.7.1",
      keysOnlyWithLease: settings.keysOnlyWithLease,
      electionTimeoutMs: settings.electionTimeoutMs,
    });
    this.#server = new GrpcServer({
      methods: this.rpc.methods,
      clock: this.time,
      timers: this.time,
      logger: SILENT,
    });
    this.#ends = connectionPair();
    this.#server.serve(this.#ends[1]);
    const group = new ClientGroup({ clock: this.time, timers: this.time });
    this.client = group.open(this.#ends[0], { authority: "localhost:2379" });
  }

  /** Everything that was not durable is lost; the member starts again on what is left. */
  async crash(): Promise<void> {
    this.disk.crash(this.#faults);
    this.backend.crash();
    this.time.crash();
    await this.#start();
  }

  /** An orderly stop and a new start. */
  async restart(): Promise<void> {
    await this.until(this.member.close());
    await this.#start();
  }

  /** One turn: what was put off runs, bytes travel both ways, promises settle. */
  async round(): Promise<void> {
    this.time.turn();
    this.#ends?.[0].deliver();
    this.#ends?.[1].deliver();
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Goes round until the promise settles. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = promise.finally(() => {
      isSettled = true;
    });
    settled.catch(() => undefined);
    await this.untilTrue(() => isSettled);
    return settled;
  }

  async untilTrue(isTrue: () => boolean): Promise<void> {
    for (let count = 0; count < ROUNDS_MAX; count += 1) {
      if (isTrue()) return;
      await this.round();
    }
    throw new Error("nothing happens any more, and what the test waits for did not");
  }

  /** Moves time on in small steps, with turns between them. */
  async pass(ms: number): Promise<void> {
    const stepMs = 50;
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.time.advance(Math.min(stepMs, ms - passed));
      await this.round();
      await this.round();
    }
  }

  call(path: string, request: Buffer): Promise<Answer> {
    const answer = new Promise<Answer>((resolve) => {
      this.client.unary(path, request, (code, message, response) => {
        resolve(code === 0 ? { code, bytes: response ?? Buffer.alloc(0) } : { code, message });
      });
    });
    return this.until(answer);
  }

  /** The bytes of an answer that must be OK. */
  async ok(path: string, request: Buffer): Promise<Buffer> {
    const answer = await this.call(path, request);
    if ("bytes" in answer) return answer.bytes;
    throw new Error(`${path} failed with code ${answer.code}: ${answer.message}`);
  }

  stream(path: string): StreamRecord {
    return new StreamRecord(this, this.client.stream(path));
  }

  put(request: Partial<PutRequest>): Promise<Answer> {
    return this.call("/etcdserverpb.KV/Put", put(request));
  }

  range(request: Partial<RangeRequest>): Promise<Answer> {
    return this.call("/etcdserverpb.KV/Range", range(request));
  }

  deleteRange(request: Partial<DeleteRangeRequest>): Promise<Answer> {
    const bytes = marshal(encodeDeleteRangeRequest, { ...emptyDeleteRangeRequest(), ...request });
    return this.call("/etcdserverpb.KV/DeleteRange", bytes);
  }
}

export function put(request: Partial<PutRequest>): Buffer {
  return marshal(encodePutRequest, { ...emptyPutRequest(), ...request });
}

export function range(request: Partial<RangeRequest>): Buffer {
  return marshal(encodeRangeRequest, { ...emptyRangeRequest(), ...request });
}

/** A streaming call and all that came of it. */
export class StreamRecord {
  readonly call: ClientCall;
  readonly messages: Buffer[] = [];
  end: { code: Code; message: string } | undefined;
  readonly #service: Service;
  #taken = 0;

  constructor(service: Service, call: ClientCall) {
    this.#service = service;
    this.call = call;
    call.onMessage = (message) => this.messages.push(message);
    call.onEnd = (code, message) => {
      this.end = { code, message };
    };
  }

  send(message: Buffer): void {
    this.call.send(message);
  }

  /** The next message that was not taken yet. */
  async next(): Promise<Buffer> {
    await this.#service.untilTrue(
      () => this.messages.length > this.#taken || this.end !== undefined,
    );
    const message = this.messages[this.#taken];
    if (message === undefined) throw new Error(`the stream ended: ${JSON.stringify(this.end)}`);
    this.#taken += 1;
    return message;
  }

  async ended(): Promise<{ code: Code; message: string }> {
    await this.#service.untilTrue(() => this.end !== undefined);
    return this.end as { code: Code; message: string };
  }
}
