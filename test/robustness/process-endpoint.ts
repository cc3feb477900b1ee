/** Traffic's way to a real member: requests over gRPC, through a client and codecs of the tests. */
import { type Answer, METHODS, type Refusal } from "../harness/client.ts";
import type { ClusterMember } from "../harness/cluster.ts";
import type * as m from "../harness/messages.ts";
import type { Part } from "../harness/proto.ts";
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

const HOUR_MS = 3_600_000;
/** The member was removed for good while somebody still meant to ask it. */
const IS_GONE: Refusal = { code: 14, message: "the member is gone" };
/** Refusals that say for sure that nothing was done, and nothing will be. */
const NEVER_DONE =
  /has been compacted|future revision|requested lease not found|lease already exists|space exceeded/;

export class ProcessEndpoint implements Endpoint {
  readonly name: string;
  readonly #member: ClusterMember;

  constructor(member: ClusterMember) {
    this.name = member.name;
    this.#member = member;
  }

  async call(request: Request, timeoutMs: number): Promise<Outcome> {
    const answer = await this.#ask(request, { deadlineMs: timeoutMs });
    if (answer.ok) return { kind: "ok", response: answer.value };
    const { code, message } = answer.refusal;
    const kind = NEVER_DONE.test(message) ? "refused" : "unknown";
    return { kind, error: `${code} ${message}` };
  }

  async #ask(request: Request, options: { deadlineMs: number }): Promise<Answer<Response>> {
    const { client } = this.#member;
    if (client.isClosed) return { ok: false, refusal: IS_GONE };
    switch (request.kind) {
      case "kv":
        return this.#kv(request, options);
      case "grant": {
        const grant = { id: BigInt(request.lease), ttl: BigInt(request.ttlSeconds) };
        const answer = await client.call(METHODS.leaseGrant, grant, options);
        return told(answer, ({ ttl }) => ({ ttlSeconds: Number(ttl) }));
      }
      case "revoke":
        return told(await client.call(METHODS.leaseRevoke, { id: BigInt(request.lease) }, options));
      case "keepAlive":
        return this.#keepAlive(BigInt(request.lease), options.deadlineMs);
      case "compact":
        return told(
          await client.call(METHODS.compact, { revision: BigInt(request.revision) }, options),
        );
      case "alarm": {
        const alarm = { action: request.isRaised ? 1 : 2, memberId: 0n, alarm: 1 };
        return told(await client.call(METHODS.alarm, alarm, options));
      }
      default:
        return told(await client.call(METHODS.defragment, {}, options));
    }
  }

  async #kv(request: KvRequest, options: { deadlineMs: number }): Promise<Answer<Response>> {
    const { client } = this.#member;
    const [first] = request.success;
    if (request.compares.length > 0 || request.success.length !== 1 || first === undefined) {
      const txn = {
        compare: request.compares.map(compareOf),
        success: request.success.map((operation) => opOf(operation, request.isSerializable)),
        failure: request.failure.map((operation) => opOf(operation, request.isSerializable)),
      };
      const answer = await client.call(METHODS.txn, txn, options);
      return told(answer, ({ succeeded, responses }) => ({
        isSuccess: succeeded,
        results: responses.map(resultOf),
      }));
    }
    const op = opOf(first, request.isSerializable);
    if (op.put !== undefined) {
      const answer = await client.call(METHODS.put, op.put, options);
      return told(answer, (put) => ({ results: [putResult(put)] }));
    }
    if (op.deleteRange !== undefined) {
      const answer = await client.call(METHODS.deleteRange, op.deleteRange, options);
      return told(answer, ({ deleted }) => ({ results: [deleteResult(deleted)] }));
    }
    const answer = await client.call(METHODS.range, op.range ?? {}, options);
    return told(answer, (range) => ({ results: [rangeResult(range)] }));
  }

  /** One renewal on a stream of its own. */
  async #keepAlive(id: bigint, deadlineMs: number): Promise<Answer<Response>> {
    const stream = this.#member.client.keepAlive();
    stream.send({ id });
    try {
      await stream.until((received) => received.length > 0, deadlineMs);
      const ttlSeconds = Number(stream.received[0]?.ttl ?? 0n);
      return { ok: true, value: { ...EMPTY, ttlSeconds } };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { ok: false, refusal: stream.status ?? ({ code: 4, message } satisfies Refusal) };
    } finally {
      stream.cancel();
    }
  }

  watch(request: WatchRequest, handlers: WatchHandlers): WatchHandle {
    const { client } = this.#member;
    if (client.isClosed) {
      queueMicrotask(() => handlers.ended());
      return { requestProgress: () => undefined, close: () => undefined };
    }
    const stream = client.watch();
    let taken = 0;
    let isOpen = true;
    stream.send({
      create: {
        key: latin1(request.key),
        rangeEnd: latin1(request.rangeEnd),
        startRevision: BigInt(request.startRevision),
        progressNotify: request.wantsProgress,
        prevKv: request.wantsPrevious,
        filters: request.filter === "none" ? [] : [request.filter === "noPut" ? 0 : 1],
      },
    });
    const look = (received: readonly m.WatchResponse[]): boolean => {
      for (const response of received.slice(taken)) if (isOpen) give(response, handlers);
      taken = received.length;
      return !isOpen;
    };
    const end = (): void => {
      if (isOpen) handlers.ended();
      isOpen = false;
    };
    stream.until(look, HOUR_MS).then(end, end);
    return {
      requestProgress: () => stream.send({ progress: {} }),
      close: () => {
        isOpen = false;
        stream.cancel();
      },
    };
  }
}

function give(response: m.WatchResponse, handlers: WatchHandlers): void {
  const revision = Number(response.header?.revision ?? 0n);
  if (response.created) handlers.created(revision);
  if (response.created && !response.canceled) return;
  handlers.response({
    revision,
    events: response.events.map(eventOf),
    isProgress: !response.canceled && response.events.length === 0,
    isFragment: response.fragment,
    isCanceled: response.canceled,
    compactRevision: Number(response.compactRevision),
  });
}

const EMPTY: Response = { revision: 0, isSuccess: true, results: [], ttlSeconds: 0 };

function told<R extends { header: m.Header | undefined }>(
  answer: Answer<R>,
  more: (value: R) => Partial<Response> = () => ({}),
): Answer<Response> {
  if (!answer.ok) return answer;
  const revision = Number(answer.value.header?.revision ?? 0n);
  return { ok: true, value: { ...EMPTY, revision, ...more(answer.value) } };
}

function latin1(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

export function pairOf(kv: m.KeyValue): Pair {
  return {
    key: kv.key.toString("latin1"),
    value: kv.value.toString("latin1"),
    createRevision: Number(kv.createRevision),
    modRevision: Number(kv.modRevision),
    version: Number(kv.version),
    lease: String(kv.lease),
  };
}

function eventOf({ type, kv, prevKv }: m.Event): HistoryEvent {
  if (kv === undefined) throw new Error("an event without a key");
  return {
    type: type === 1 ? "delete" : "put",
    pair: pairOf(kv),
    ...(prevKv === undefined ? {} : { previous: pairOf(prevKv) }),
  };
}

function putResult({ prevKv }: m.PutResponse): Result {
  return { kind: "put", previous: prevKv === undefined ? undefined : pairOf(prevKv) };
}

function deleteResult(deleted: bigint): Result {
  return { kind: "delete", deleted: Number(deleted) };
}

function rangeResult({ kvs, count }: m.RangeResponse): Result {
  return { kind: "range", pairs: kvs.map(pairOf), count: Number(count) };
}

function resultOf({ put, deleteRange, range }: m.ResponseOp): Result {
  if (put !== undefined) return putResult(put);
  if (deleteRange !== undefined) return deleteResult(deleteRange.deleted);
  if (range !== undefined) return rangeResult(range);
  throw new Error("transactions do not nest here");
}

const TARGETS = { version: 0, createRevision: 1, modRevision: 2, value: 3 };

function compareOf(compare: Compare): Part<m.Compare> {
  const common = { result: 0, target: TARGETS[compare.target], key: latin1(compare.key) };
  if (compare.target === "value") return { ...common, value: latin1(compare.value) };
  return { ...common, [compare.target]: BigInt(compare.value) };
}

function opOf(
  operation: Operation,
  serializable: boolean,
): {
  readonly put?: Part<m.PutRequest>;
  readonly deleteRange?: Part<m.DeleteRangeRequest>;
  readonly range?: Part<m.RangeRequest>;
} {
  const key = latin1(operation.key);
  if (operation.kind === "put") {
    const { lease, wantsPrevious } = operation;
    const value = latin1(operation.value);
    return { put: { key, value, lease: BigInt(lease), prevKv: wantsPrevious === true } };
  }
  const rangeEnd = latin1(operation.rangeEnd);
  if (operation.kind === "delete") return { deleteRange: { key, rangeEnd } };
  const { revision, limit } = operation;
  return {
    range: { key, rangeEnd, revision: BigInt(revision), limit: BigInt(limit), serializable },
  };
}
