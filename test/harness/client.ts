/**
 * A small gRPC client for tests, on @grpc/grpc-js: a peer that is not ours. Answers and refusals
 * are both values, so that a test can compare them.
 */
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import type { ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import * as m from "./messages.ts";
import { decode, encode } from "./proto.ts";
import type { Part, Schema } from "./proto.ts";

export interface Refusal {
  readonly code: number;
  readonly message: string;
}

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusal: Refusal };

export interface Method<Q extends object, R extends object> {
  readonly path: string;
  readonly request: Schema<Q>;
  readonly response: Schema<R>;
}

function method<Q extends object, R extends object>(
  path: string,
  request: Schema<Q>,
  response: Schema<R>,
): Method<Q, R> {
  return { path: `/etcdserverpb.${path}`, request, response };
}

export const METHODS = {
  range: method("KV/Range", m.RangeRequest, m.RangeResponse),
  put: method("KV/Put", m.PutRequest, m.PutResponse),
  deleteRange: method("KV/DeleteRange", m.DeleteRangeRequest, m.DeleteRangeResponse),
  txn: method("KV/Txn", m.TxnRequest, m.TxnResponse),
  compact: method("KV/Compact", m.CompactionRequest, m.HeaderResponse),
  leaseGrant: method("Lease/LeaseGrant", m.LeaseGrantRequest, m.LeaseGrantResponse),
  leaseRevoke: method("Lease/LeaseRevoke", m.LeaseIdRequest, m.HeaderResponse),
  leaseTimeToLive: method(
    "Lease/LeaseTimeToLive",
    m.LeaseTimeToLiveRequest,
    m.LeaseTimeToLiveResponse,
  ),
  leaseLeases: method("Lease/LeaseLeases", m.Empty, m.LeaseLeasesResponse),
  memberList: method("Cluster/MemberList", m.MemberListRequest, m.MemberListResponse),
  memberAdd: method("Cluster/MemberAdd", m.MemberAddRequest, m.MemberAddResponse),
  memberRemove: method("Cluster/MemberRemove", m.MemberIdRequest, m.MemberListResponse),
  memberUpdate: method("Cluster/MemberUpdate", m.MemberUpdateRequest, m.MemberListResponse),
  memberPromote: method("Cluster/MemberPromote", m.MemberIdRequest, m.MemberListResponse),
  downgrade: method("Maintenance/Downgrade", m.DowngradeRequest, m.DowngradeResponse),
  moveLeader: method("Maintenance/MoveLeader", m.MoveLeaderRequest, m.HeaderResponse),
  alarm: method("Maintenance/Alarm", m.AlarmRequest, m.AlarmResponse),
  status: method("Maintenance/Status", m.Empty, m.StatusResponse),
  defragment: method("Maintenance/Defragment", m.Empty, m.HeaderResponse),
  hashKv: method("Maintenance/HashKV", m.HashKvRequest, m.HashKvResponse),
  health: {
    path: "/grpc.health.v1.Health/Check",
    request: m.HealthCheckRequest,
    response: m.HealthCheckResponse,
  },
} as const;

const DEADLINE_MS_DEFAULT = 10_000;
const RECEIVE_BYTES_MAX = 256 * 1024 * 1024;

function identity(bytes: Buffer): Buffer {
  return bytes;
}

function refusalOf(error: ServiceError): Refusal {
  return { code: error.code, message: error.details };
}

/** One bidirectional stream: what came, in order, and who waits for it. */
export class Duplex<Q extends object, R extends object> {
  readonly received: R[] = [];
  /** Set when the stream is over; code 0 for an orderly end. */
  status: Refusal | undefined;
  readonly #stream: ClientDuplexStream<Buffer, Buffer>;
  readonly #method: Method<Q, R>;
  #wake: (() => void)[] = [];

  constructor(stream: ClientDuplexStream<Buffer, Buffer>, method: Method<Q, R>) {
    this.#stream = stream;
    this.#method = method;
    stream.on("data", (bytes: Buffer) => {
      this.received.push(decode(method.response, bytes));
      this.#notify();
    });
    stream.on("error", () => {
      // The status says it too.
    });
    stream.on("status", (status: { code: number; details: string }) => {
      this.status = { code: status.code, message: status.details };
      this.#notify();
    });
  }

  send(message: Part<Q>): void {
    this.#stream.write(encode(this.#method.request, message));
  }

  halfClose(): void {
    this.#stream.end();
  }

  cancel(): void {
    this.#stream.cancel();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** Resolves when `isDone` holds, which is asked after each message and at the end. */
  async until(isDone: (received: readonly R[]) => boolean, deadlineMs = 10_000): Promise<void> {
    const giveUpAt = performance.now() + deadlineMs;
    while (!isDone(this.received)) {
      if (this.status !== undefined) {
        throw new Error(`stream ended: ${this.status.code} ${this.status.message}`);
      }
      const left = giveUpAt - performance.now();
      if (left <= 0)
        throw new Error(`stream: nothing came that was waited for in ${deadlineMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  async untilEnd(deadlineMs = 10_000): Promise<Refusal> {
    await this.until(() => this.status !== undefined, deadlineMs);
    return this.status ?? { code: -1, message: "" };
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const run of wake) run();
  }
}

export class TestClient {
  readonly #client: Client;
  #isClosed = false;

  /** `address` is host:port. */
  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), {
      "grpc.max_receive_message_length": RECEIVE_BYTES_MAX,
      "grpc.max_send_message_length": RECEIVE_BYTES_MAX,
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_retries": 0,
      // A server that was started again is found soon.
      "grpc.initial_reconnect_backoff_ms": 50,
      "grpc.max_reconnect_backoff_ms": 250,
    });
  }

  call<Q extends object, R extends object>(
    method: Method<Q, R>,
    request: Part<Q>,
    options: { deadlineMs?: number; metadata?: Record<string, string> } = {},
  ): Promise<Answer<R>> {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(options.metadata ?? {})) metadata.set(name, value);
    const deadline = Date.now() + (options.deadlineMs ?? DEADLINE_MS_DEFAULT);
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest(
        method.path,
        identity,
        identity,
        encode(method.request, request),
        metadata,
        { deadline },
        (error, bytes) => {
          if (error !== null) resolve({ ok: false, refusal: refusalOf(error) });
          else resolve({ ok: true, value: decode(method.response, bytes ?? Buffer.alloc(0)) });
        },
      );
    });
  }

  /** The answer, or an exception that names the refusal. */
  async must<Q extends object, R extends object>(
    method: Method<Q, R>,
    request: Part<Q>,
  ): Promise<R> {
    const answer = await this.call(method, request);
    if (answer.ok) return answer.value;
    throw new Error(`${method.path}: ${answer.refusal.code} ${answer.refusal.message}`);
  }

  #duplex<Q extends object, R extends object>(
    method: Method<Q, R>,
    fields: Readonly<Record<string, string>>,
  ): Duplex<Q, R> {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(fields)) metadata.set(name, value);
    const stream = this.#client.makeBidiStreamRequest(method.path, identity, identity, metadata);
    return new Duplex(stream, method);
  }

  watch(metadata: Readonly<Record<string, string>> = {}): Duplex<m.WatchRequest, m.WatchResponse> {
    return this.#duplex(method("Watch/Watch", m.WatchRequest, m.WatchResponse), metadata);
  }

  keepAlive(): Duplex<m.LeaseIdRequest, m.LeaseKeepAliveResponse> {
    const keepAlive = method("Lease/LeaseKeepAlive", m.LeaseIdRequest, m.LeaseKeepAliveResponse);
    return this.#duplex(keepAlive, {});
  }

  /** Server streaming: everything that came, and how it ended. */
  #collect<Q extends object, R extends object>(
    method: Method<Q, R>,
    request: Part<Q>,
  ): Promise<{ messages: R[]; status: Refusal }> {
    const bytes = encode(method.request, request);
    const stream = this.#client.makeServerStreamRequest(method.path, identity, identity, bytes);
    const messages: R[] = [];
    return new Promise((resolve) => {
      stream.on("data", (chunk: Buffer) => messages.push(decode(method.response, chunk)));
      stream.on("error", () => {
        // The status says it too.
      });
      stream.on("status", (status: { code: number; details: string }) => {
        resolve({ messages, status: { code: status.code, message: status.details } });
      });
    });
  }

  rangeStream(request: Part<m.RangeRequest>) {
    return this.#collect(method("KV/RangeStream", m.RangeRequest, m.RangeStreamResponse), request);
  }

  snapshot() {
    return this.#collect(method("Maintenance/Snapshot", m.Empty, m.SnapshotResponse), {});
  }

  /** Nothing may be asked any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  close(): void {
    this.#isClosed = true;
    this.#client.close();
  }
}
