/** Traffic's way to the members of a simulated cluster: requests become operations and reads. */
import { EtcdError, errors } from "../../src/errors/index.ts";
import type { ApplyResponse } from "../../src/apply/index.ts";
import {
  AlarmAction,
  AlarmType,
  CompareResult,
  CompareTarget,
  decodeKeyValue,
  decodeWatchResponse,
  emptyDeleteRangeRequest,
  emptyPutRequest,
  emptyRangeRequest,
  type EncodedKeyValue,
  type Compare as WireCompare,
  type RaftOperation,
  type RangeRequest,
  type RequestOp,
  type ResponseOp,
  type TxnRequest,
  type TxnResponse,
} from "../../src/wire/index.ts";
import type { Endpoint, WatchHandle, WatchHandlers } from "../model/endpoint.ts";
import type {
  Compare,
  HistoryEvent,
  KvRequest,
  Operation,
  Outcome,
  Pair,
  Request,
  Response,
  Result,
  WatchRequest,
} from "../model/history.ts";
import { briefly, outcomeText, responseText, watchText } from "./call-text.ts";
import type { Cluster } from "./harness.ts";
import type { ClusterMember, ClusterNode } from "./node.ts";

/** Refusals that say for sure that nothing was done, and nothing will be. */
const NEVER_DONE = new Set<unknown>([
  errors.TooManyRequests,
  errors.NoSpace,
  errors.Compacted,
  errors.FutureRev,
  errors.LeaseNotFound,
  errors.LeaseExist,
]);
/** As soon as a connection that was full has room again. */
const DRAIN_MAX_MS = 400;

export class MemberEndpoint implements Endpoint {
  readonly name: string;
  readonly #cluster: Cluster;
  readonly #node: ClusterNode;
  /** Share of watch responses after which the connection is full for a while. */
  readonly #slowness: number;

  constructor(cluster: Cluster, node: ClusterNode, slowness: number) {
    this.name = node.host;
    this.#cluster = cluster;
    this.#node = node;
    this.#slowness = slowness;
  }

  async call(request: Request, timeoutMs: number): Promise<Outcome> {
    const cluster = this.#cluster;
    cluster.calls += 1;
    const number = cluster.calls;
    cluster.note(`${this.name} call ${number}: ${briefly(request)}`);
    const answer = await this.#attempt(request, timeoutMs);
    // Of a state that went wrong a moment ago: that it is found is checked, not what it says.
    const outcome: Outcome = this.#node.mayLie
      ? { kind: "unknown", error: `not believed: ${outcomeText(answer)}` }
      : answer;
    cluster.note(`${this.name} call ${number} ${outcomeText(outcome)}`);
    return outcome;
  }

  #attempt(request: Request, timeoutMs: number): Promise<Outcome> {
    const asked = this.#ask(request).then((response): Outcome => {
      if (response instanceof EtcdError) return outcomeOf(response);
      return { kind: "ok", response };
    }, outcomeOf);
    return new Promise((resolve, reject) => {
      const give = (): void => resolve({ kind: "unknown", error: "no answer in time" });
      const timer = this.#cluster.time.after(timeoutMs, give);
      asked.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  async #ask(request: Request): Promise<Response | EtcdError> {
    const { member } = this.#node;
    if (member === undefined) throw new Error("no process");
    switch (request.kind) {
      case "kv":
        return this.#kv(member, request);
      case "grant": {
        const id = BigInt(request.lease);
        const { ttlSeconds } = request;
        const ttl = member.effectiveTtlSeconds(ttlSeconds);
        return this.#propose({ kind: "leaseGrant", leaseGrant: { id, ttlSeconds: ttl } });
      }
      case "revoke":
        return this.#propose({ kind: "leaseRevoke", leaseRevoke: { id: BigInt(request.lease) } });
      case "keepAlive": {
        const id = BigInt(request.lease);
        const ttlSeconds = await this.#cluster.ask<number>(this.#node, (at, waiter) =>
          at.keepAlive(id, waiter),
        );
        return plain(0, ttlSeconds);
      }
      case "compact": {
        const compaction = { revision: request.revision, physical: false };
        return this.#propose({ kind: "compaction", compaction });
      }
      case "alarm":
        return request.isRaised ? this.#raise(member) : this.#disarm(member);
      default:
        await this.#node.whileRunning(member.defragment());
        return plain(0);
    }
  }

  #raise({ id }: ClusterMember): Promise<Response> {
    const alarm = { action: AlarmAction.ACTIVATE, memberId: id, alarm: AlarmType.NOSPACE };
    return this.#propose({ kind: "alarm", alarm });
  }

  async #disarm(member: ClusterMember): Promise<Response> {
    await this.#cluster.ask<void>(this.#node, (at, waiter) => at.readIndex(waiter));
    for (const { memberId, alarm } of member.alarms()) {
      if (alarm !== AlarmType.NOSPACE) continue;
      await this.#propose({
        kind: "alarm",
        alarm: { action: AlarmAction.DEACTIVATE, memberId, alarm },
      });
    }
    return plain(0);
  }

  async #propose(operation: RaftOperation): Promise<Response> {
    return responseOf(await this.#cluster.propose(this.#node, operation));
  }

  /** As src/rpc/kv.ts does it. */
  #kv(member: ClusterMember, request: KvRequest): Promise<Response | EtcdError> {
    const [first] = request.success;
    const isPlain = request.compares.length === 0 && request.success.length === 1;
    if (isPlain && first?.kind === "range") {
      const wire = rangeOf(first, request.isSerializable);
      return this.#read(member, request, () => {
        const range = member.range(wire);
        return range instanceof EtcdError ? range : rangeAnswer(range);
      });
    }
    if (isPlain && first !== undefined) {
      const op = opOf(first, false);
      if (op.kind === "put") return this.#propose({ kind: "put", put: op.put });
      if (op.kind === "deleteRange") {
        return this.#propose({ kind: "deleteRange", deleteRange: op.deleteRange });
      }
    }
    const txn = txnOf(request);
    const operations = [...request.success, ...request.failure];
    if (!operations.every(({ kind }) => kind === "range"))
      return this.#propose({ kind: "txn", txn });
    return this.#read(member, request, () => {
      const answer = member.readTxn(txn);
      return answer instanceof EtcdError ? answer : txnAnswer(answer);
    });
  }

  async #read(
    member: ClusterMember,
    request: KvRequest,
    look: () => Response | EtcdError,
  ): Promise<Response | EtcdError> {
    if (request.isSerializable) return look();
    return this.#cluster.ask<Response | EtcdError>(this.#node, (_at, waiter) =>
      member.readIndex({
        // In the turn in which it may read, as the services do.
        done: () => waiter.done(look()),
        refused: (error) => waiter.refused(error),
      }),
    );
  }

  watch(request: WatchRequest, handlers: WatchHandlers): WatchHandle {
    const { member, process } = this.#node;
    if (member === undefined) throw new Error(`${this.name} has no process`);
    this.#cluster.calls += 1;
    const number = `watch ${this.#cluster.calls}`;
    this.#cluster.note(`${this.name} ${number}: ${watchText(request)}`);
    let isOpen = true;
    const isFull = (): boolean => {
      if (!this.#cluster.prng.chance(this.#slowness)) return false;
      const delayMs = 1 + this.#cluster.prng.below(DRAIN_MAX_MS);
      void process.after(delayMs, () => stream.ready());
      return true;
    };
    const tell = (revision: number, more: Partial<Parameters<WatchHandlers["response"]>[0]>) => {
      const response = { ...EMPTY_RESPONSE, revision, ...more };
      const { trace, nowMs } = this.#cluster;
      if (trace.isRead) trace.detail(nowMs, `${this.name} ${number}: ${responseText(response)}`);
      if (isOpen) handlers.response(response);
      return !isFull();
    };
    const stream = member.openWatchStream({
      created: (_id, revision) => {
        if (isOpen) handlers.created(revision);
        return true;
      },
      refused: (_reason, revision) => tell(revision, { isCanceled: true }),
      canceled: (_id, revision, compactRevision) =>
        tell(revision, { isCanceled: true, compactRevision }),
      events: (_id, revision, bytes, isFragment) =>
        tell(revision, { events: eventsOf(bytes), isFragment }),
      progress: (_id, revision) => tell(revision, { isProgress: true }),
    });
    const end = (): void => {
      if (isOpen) handlers.ended();
      isOpen = false;
      forget();
    };
    const forget = this.#node.onStrike(end);
    process.onEnd(end);
    stream.create({
      key: request.key,
      rangeEnd: request.rangeEnd,
      startRevision: request.startRevision,
      progressNotify: request.wantsProgress,
      filters: request.filter === "none" ? [] : [request.filter === "noPut" ? 0 : 1],
      prevKv: request.wantsPrevious,
      watchId: 0,
      fragment: false,
    });
    return {
      requestProgress: () => stream.requestProgress(),
      close: () => {
        isOpen = false;
        forget();
        stream.close();
      },
    };
  }
}

const EMPTY_RESPONSE = {
  revision: 0,
  events: [],
  isProgress: false,
  isFragment: false,
  isCanceled: false,
  compactRevision: 0,
};

function outcomeOf(error: unknown): Outcome {
  const text = error instanceof Error ? error.message : String(error);
  return { kind: NEVER_DONE.has(error) ? "refused" : "unknown", error: text };
}

function plain(revision: number, ttlSeconds = 0): Response {
  return { revision, isSuccess: true, results: [], ttlSeconds };
}

function responseOf(response: ApplyResponse): Response {
  switch (response.kind) {
    case "put":
      return { ...plain(response.put.revision), results: [resultOf(response)] };
    case "deleteRange":
      return { ...plain(response.deleteRange.revision), results: [resultOf(response)] };
    case "txn":
      return txnAnswer(response.txn);
    case "leaseGrant":
      return plain(response.revision, response.ttlSeconds);
    case "leaseRevoke":
    case "compaction":
      return plain(response.revision);
    default:
      return plain(0);
  }
}

function txnAnswer({ revision, succeeded, responses }: TxnResponse): Response {
  return { revision, isSuccess: succeeded, results: responses.map(resultOf), ttlSeconds: 0 };
}

function rangeAnswer(range: {
  revision: number;
  kvs: readonly EncodedKeyValue[];
  count: number;
}): Response {
  const pairs = range.kvs.map((kv) => pairOf(kv));
  return { ...plain(range.revision), results: [{ kind: "range", pairs, count: range.count }] };
}

function resultOf(response: ResponseOp): Result {
  if (response.kind === "put") {
    const { prevKv } = response.put;
    return { kind: "put", previous: prevKv === undefined ? undefined : pairOf(prevKv) };
  }
  if (response.kind === "deleteRange") {
    return { kind: "delete", deleted: response.deleteRange.deleted };
  }
  if (response.kind === "range") {
    const pairs = response.range.kvs.map((kv) => pairOf(kv));
    return { kind: "range", pairs, count: response.range.count };
  }
  throw new Error("transactions do not nest here");
}

export function pairOf(record: EncodedKeyValue): Pair {
  const { key, value, createRevision, modRevision, version, lease } = decodeKeyValue(record);
  return {
    key,
    value: value.toString(),
    createRevision,
    modRevision,
    version,
    lease: String(lease),
  };
}

function eventsOf(bytes: Buffer): HistoryEvent[] {
  return decodeWatchResponse(bytes).events.map(({ type, kv, prevKv }) => ({
    type,
    pair: pairOf(kv),
    ...(prevKv === undefined ? {} : { previous: pairOf(prevKv) }),
  }));
}

function txnOf({ compares, success, failure, isSerializable }: KvRequest): TxnRequest {
  return {
    compare: compares.map(compareOf),
    success: success.map((operation) => opOf(operation, isSerializable)),
    failure: failure.map((operation) => opOf(operation, isSerializable)),
  };
}

const TARGETS = {
  version: CompareTarget.VERSION,
  createRevision: CompareTarget.CREATE,
  modRevision: CompareTarget.MOD,
};

function compareOf(compare: Compare): WireCompare {
  const common = { result: CompareResult.EQUAL, key: compare.key, rangeEnd: "" };
  if (compare.target === "value") {
    const operand = { kind: "value", value: Buffer.from(compare.value) } as const;
    return { ...common, target: CompareTarget.VALUE, operand };
  }
  const operand = { kind: compare.target, value: compare.value };
  return { ...common, target: TARGETS[compare.target], operand };
}

function rangeOf(
  operation: Extract<Operation, { kind: "range" }>,
  serializable: boolean,
): RangeRequest {
  const { key, rangeEnd, revision, limit } = operation;
  return { ...emptyRangeRequest(), key, rangeEnd, revision, limit, serializable };
}

function opOf(operation: Operation, serializable: boolean): RequestOp {
  if (operation.kind === "range") return { kind: "range", range: rangeOf(operation, serializable) };
  if (operation.kind === "delete") {
    const { key, rangeEnd } = operation;
    return { kind: "deleteRange", deleteRange: { ...emptyDeleteRangeRequest(), key, rangeEnd } };
  }
  const { key, lease, wantsPrevious } = operation;
  const value = Buffer.from(operation.value);
  const prevKv = wantsPrevious === true;
  return { kind: "put", put: { ...emptyPutRequest(), key, value, lease: BigInt(lease), prevKv } };
}
