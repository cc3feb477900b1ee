/** A client and the servers it knows in one process: time and bytes move when a test says so. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Code } from "../errors/index.ts";
import {
  GrpcServer,
  type GrpcServerOptions,
  type Method,
  type ServerStream,
} from "../grpc/index.ts";
import type { Logger } from "../seam/index.ts";
import { connectionPair, ManualTime, type PairedConnection } from "../testing/index.ts";
import type { ByteWriter } from "../base/index.ts";
import {
  decodeWatchRequest,
  encodeHeaderField,
  encodeLeaseKeepAliveResponse,
  encodeRangeResponse,
  encodeWatchResponse,
  marshal,
  marshalKeyValue,
  type ResponseHeader,
  type WatchCreateRequest,
  type WatchRequest,
  type WatchResponse,
} from "../wire/index.ts";
import { Client, type ClientOptions } from "./client.ts";
import type { Opened } from "./link.ts";

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  isEnabled: () => false,
  child: () => SILENT,
};

/** Turns after which a test that still waits is hung. */
const ROUNDS_MAX = 2_000;

export const HEADER: ResponseHeader = { clusterId: 7n, memberId: 1n, revision: 10, raftTerm: 2 };

const UNARY = [
  "/etcdserverpb.KV/Range",
  "/etcdserverpb.KV/Put",
  "/etcdserverpb.Maintenance/Status",
  "/etcdserverpb.Lease/LeaseRevoke",
  "/etcdserverpb.Auth/Authenticate",
];

/** What a server does with a call: a response, a refusal, or nothing at all. */
export type Fate = Buffer | { readonly code: Code; readonly message: string } | "silence";

export function rangeAnswer(value: string): Buffer {
  const kv = marshalKeyValue({
    key: "k",
    createRevision: 2,
    modRevision: 3,
    version: 1,
    value: Buffer.from(value),
    lease: 0n,
  });
  const write = (writer: ByteWriter): void => {
    encodeRangeResponse(writer, HEADER, { revision: 10, kvs: [kv], more: false, count: 1 });
  };
  return marshal(write, undefined);
}

export function headerAnswer(revision = 10): Buffer {
  return marshal((writer) => encodeHeaderField(writer, { ...HEADER, revision }), undefined);
}

export function renewal(id: bigint, ttlSeconds: number): Buffer {
  const write = (writer: ByteWriter): void => {
    encodeLeaseKeepAliveResponse(writer, HEADER, { id, ttlSeconds });
  };
  return marshal(write, undefined);
}

/** A watch stream as its server sees it. */
export class WatchEnd {
  readonly creates: WatchCreateRequest[] = [];
  readonly cancels: number[] = [];
  progressRequests = 0;
  readonly call: ServerStream;

  constructor(call: ServerStream) {
    this.call = call;
    call.onMessage = (bytes) => this.#receive(decodeWatchRequest(bytes));
  }

  #receive(request: WatchRequest): void {
    if (request.kind === "create") this.creates.push(request.create);
    else if (request.kind === "cancel") this.cancels.push(request.watchId);
    else this.progressRequests += 1;
  }

  send(response: Partial<WatchResponse>): void {
    const whole: WatchResponse = {
      header: HEADER,
      watchId: 0,
      created: false,
      canceled: false,
      compactRevision: 0,
      cancelReason: "",
      fragment: false,
      events: [],
      ...response,
    };
    this.call.send(marshal(encodeWatchResponse, whole));
  }

  created(watchId: number, revision = 10): void {
    this.send({ watchId, created: true, header: { ...HEADER, revision } });
  }

  /** One put of `k` at each revision. */
  events(watchId: number, revisions: readonly number[], more: Partial<WatchResponse> = {}): void {
    const events = revisions.map((modRevision) => ({
      type: "put" as const,
      kv: marshalKeyValue({
        key: "k",
        createRevision: 1,
        modRevision,
        version: modRevision,
        value: Buffer.alloc(more.fragment === undefined ? 8 : 64 * 1024),
        lease: 0n,
      }),
      prevKv: undefined,
    }));
    this.send({ watchId, events, header: { ...HEADER, revision: 1_000 }, ...more });
  }
}

export class FakeServer {
  /** What was asked for, in order: names of methods. */
  readonly asked: string[] = [];
  cancelled = 0;
  readonly metadata: (string | undefined)[] = [];
  readonly watches: WatchEnd[] = [];
  readonly renewals: ServerStream[] = [];
  /** Refuses connections. */
  isDown = false;
  /** What is sent to it waits, as with a process that was stopped. */
  isStopped = false;
  /** Takes connections and says nothing on them. */
  isMute = false;
  opened = 0;
  fate: (path: string) => Fate = () => rangeAnswer("v");
  readonly #held: ServerStream[] = [];
  readonly #world: World;
  #server: GrpcServer;
  readonly #ends: PairedConnection[] = [];

  constructor(world: World) {
    this.#world = world;
    this.#server = this.#start({});
  }

  /** The server starts anew, with these limits. */
  restart(options: Partial<GrpcServerOptions>): void {
    this.#server = this.#start(options);
  }

  #start(options: Partial<GrpcServerOptions>): GrpcServer {
    const { time } = this.#world;
    const methods = new Map<string, Method>();
    for (const path of UNARY) {
      methods.set(path, { kind: "unary", handle: (call) => this.#answer(path, call) });
    }
    methods.set("/etcdserverpb.Watch/Watch", {
      kind: "stream",
      handle: (call) => {
        this.metadata.push(call.metadata("hasleader"));
        this.watches.push(new WatchEnd(call));
      },
    });
    methods.set("/etcdserverpb.Lease/LeaseKeepAlive", {
      kind: "stream",
      handle: (call) => {
        call.onMessage = () => this.asked.push("renewal");
        this.renewals.push(call);
      },
    });
    return new GrpcServer({ methods, clock: time, timers: time, logger: SILENT, ...options });
  }

  #answer(path: string, call: ServerStream): void {
    this.asked.push(path.slice(path.lastIndexOf("/") + 1));
    this.metadata.push(call.metadata("token"));
    call.onCancel = () => {
      this.cancelled += 1;
    };
    const fate = this.fate(path);
    if (fate === "silence") {
      this.#held.push(call);
      return;
    }
    if (Buffer.isBuffer(fate)) call.respond(fate);
    else call.fail(fate.code, fate.message);
  }

  /** Answers what was met with silence. */
  answerHeld(): void {
    for (const call of this.#held.splice(0)) call.respond(rangeAnswer("late"));
  }

  open(): Promise<Opened> {
    this.opened += 1;
    if (this.isDown) return Promise.reject(new Error("cannot connect: ECONNREFUSED"));
    const [ours, theirs] = connectionPair();
    this.#ends.push(ours, theirs);
    if (!this.isMute) this.#server.serve(theirs);
    return Promise.resolve(Object.assign(ours, { start: () => undefined }));
  }

  deliver(): boolean {
    if (this.isStopped) return false;
    let hasMoved = false;
    for (const end of this.#ends) if (!end.isClosed && end.deliver()) hasMoved = true;
    return hasMoved;
  }

  get connections(): number {
    return this.#ends.filter(({ isClosed }) => !isClosed).length / 2;
  }

  /** Its connections break, as when it is killed. */
  kill(): void {
    this.isDown = true;
    for (const end of this.#ends.splice(0)) end.destroy();
  }

  drain(): void {
    this.#server.drain(() => undefined);
  }
}

export class World {
  readonly time = new ManualTime();
  readonly servers: readonly FakeServer[];
  readonly client: Client;

  constructor(count: number, options: Partial<ClientOptions> = {}) {
    this.servers = Array.from({ length: count }, () => new FakeServer(this));
    const endpoints = this.servers.map((_, index) => `http://s${index}:1`);
    this.client = new Client(
      { endpoints, ...options },
      {
        clock: this.time,
        timers: this.time,
        backgroundTimers: this.time,
        entropy: { bytes: (bytes) => Buffer.alloc(bytes, 1) },
        open: (endpoint) => {
          return this.server(endpoints.indexOf(endpoint)).open();
        },
      },
    );
  }

  server(index: number): FakeServer {
    const server = this.servers[index];
    if (server === undefined) throw new RangeError(`no server ${index}`);
    return server;
  }

  /** Everything that was asked of any server. */
  get asked(): string[] {
    return this.servers.flatMap(({ asked }) => asked);
  }

  /** Every server that is up is connected to, and nothing was asked of any. */
  async connectAll(): Promise<void> {
    const calls = this.client.endpoints.map((endpoint) => {
      return this.client.at(endpoint).status({ failFast: true });
    });
    await this.end(Promise.allSettled(calls));
    for (const server of this.servers) server.asked.length = 0;
  }

  /** Lets bytes travel and promises settle until nothing moves. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 2; ) {
      this.time.turn();
      const hasMoved = this.servers.map((server) => server.deliver()).includes(true);
      quiet = hasMoved ? 0 : quiet + 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 50) {
      this.time.advance(Math.min(50, ms - passed));
      await this.settle();
    }
  }

  /** Lets time pass until the promise settles; what became of it. */
  async end<T>(promise: Promise<T>): Promise<T> {
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
      await this.settle();
      if (isTrue()) return;
      this.time.advance(50);
    }
    throw new Error("nothing happens any more, and what the test waits for did not");
  }
}

test("fixture: a call goes to a server and comes back", async () => {
  const world = new World(1);
  const { kvs, header } = await world.end(world.client.kv.get("k"));
  assert.equal(kvs[0]?.value.toString(), "v");
  assert.deepEqual(header, HEADER);
  world.client.close();
});
