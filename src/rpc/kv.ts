/**
 * etcdserverpb.KV: decode, validate, propose or read, encode. A write and a point read make one
 * small object each and nothing else; a large range is streamed (large-range.ts).
 */
import { type EtcdError, errors } from "../errors/index.ts";
import type { ApplyResponse } from "../apply/index.ts";
import type { Method, ServerCall, ServerStream } from "../grpc/index.ts";
import type { Waiter } from "../member/index.ts";
import {
  decodeCompactionRequest,
  decodeDeleteRangeRequest,
  decodePutRequest,
  decodeRangeRequest,
  decodeTxnRequest,
  encodeCompactionResponse,
  encodeDeleteRangeResponse,
  encodePutResponse,
  encodeRangeResponse,
  encodeTxnResponse,
  type RangeRequest,
  type RequestOp,
  type TxnRequest,
} from "../wire/index.ts";
import { attempt, failCall, headerOf, type RpcContext } from "./context.ts";
import { isStreamable, serveLargeRange } from "./large-range.ts";
import { serveRangeStream } from "./range-stream.ts";
import { checkDeleteRange, checkPut, checkRange, checkTxn } from "./validate.ts";

export function kvMethods(context: RpcContext): [string, Method][] {
  const unary = (name: string, handle: (call: ServerStream, request: Buffer) => void) =>
    [`/etcdserverpb.KV/${name}`, { kind: "unary", handle }] as [string, Method];
  return [
    unary("Range", (call, request) => range(context, call, request)),
    unary("Put", (call, request) => put(context, call, request)),
    unary("DeleteRange", (call, request) => deleteRange(context, call, request)),
    unary("Txn", (call, request) => txn(context, call, request)),
    unary("Compact", (call, request) => compact(context, call, request)),
    [
      "/etcdserverpb.KV/RangeStream",
      {
        kind: "stream",
        type: "server_stream",
        handle: (call) => serveRangeStream(context, call),
      },
    ],
  ];
}

/** Answers a write when it was applied. */
class WriteCall implements Waiter<ApplyResponse> {
  readonly #context: RpcContext;
  readonly #call: ServerCall;

  constructor(context: RpcContext, call: ServerCall) {
    this.#context = context;
    this.#call = call;
  }

  done(response: ApplyResponse): void {
    const { member, writer } = this.#context;
    writer.reset();
    switch (response.kind) {
      case "put":
        encodePutResponse(writer, headerOf(member, response.put.revision), response.put);
        break;
      case "deleteRange":
        encodeDeleteRangeResponse(
          writer,
          headerOf(member, response.deleteRange.revision),
          response.deleteRange,
        );
        break;
      case "txn":
        encodeTxnResponse(writer, headerOf(member, response.txn.revision), response.txn);
        break;
      default:
        failCall(this.#call, errors.Stopped);
        return;
    }
    this.#call.respond(writer.view());
  }

  refused(error: EtcdError): void {
    failCall(this.#call, error);
  }
}

function put(context: RpcContext, call: ServerStream, bytes: Buffer): void {
  const request = decodePutRequest(bytes);
  const refusal = checkPut(request);
  if (refusal !== undefined) return failCall(call, refusal);
  context.member.propose({ kind: "put", put: request }, new WriteCall(context, call));
}

function deleteRange(context: RpcContext, call: ServerStream, bytes: Buffer): void {
  const request = decodeDeleteRangeRequest(bytes);
  const refusal = checkDeleteRange(request);
  if (refusal !== undefined) return failCall(call, refusal);
  const waiter = new WriteCall(context, call);
  context.member.propose({ kind: "deleteRange", deleteRange: request }, waiter);
}

function range(context: RpcContext, call: ServerStream, bytes: Buffer): void {
  const request = decodeRangeRequest(bytes);
  const refusal = checkRange(request);
  if (refusal !== undefined) return failCall(call, refusal);
  if (request.serializable) return serveRange(context, call, request);
  context.member.readIndex(new RangeCall(context, call, request));
}

class RangeCall implements Waiter<void> {
  readonly #context: RpcContext;
  readonly #call: ServerStream;
  readonly #request: RangeRequest;

  constructor(context: RpcContext, call: ServerStream, request: RangeRequest) {
    this.#context = context;
    this.#call = call;
    this.#request = request;
  }

  done(): void {
    attempt(this.#context, this.#call, () => {
      serveRange(this.#context, this.#call, this.#request);
    });
  }

  refused(error: EtcdError): void {
    failCall(this.#call, error);
  }
}

function serveRange(context: RpcContext, call: ServerStream, request: RangeRequest): void {
  if (isStreamable(request)) return serveLargeRange(context, call, request);
  const { member, writer } = context;
  const response = member.range(request);
  if ("code" in response) return failCall(call, response);
  writer.reset();
  encodeRangeResponse(writer, headerOf(member, response.revision), response);
  call.respond(writer.view());
}

function txn(context: RpcContext, call: ServerStream, bytes: Buffer): void {
  const request = decodeTxnRequest(bytes);
  const refusal = checkTxn(request, context.txnOpsMax);
  if (refusal !== undefined) return failCall(call, refusal);
  if (!isReadOnly(request)) {
    context.member.propose({ kind: "txn", txn: request }, new WriteCall(context, call));
    return;
  }
  const serve = () => attempt(context, call, () => serveReadTxn(context, call, request));
  if (isSerializable(request)) return serve();
  context.member.readIndex({ done: serve, refused: (error) => failCall(call, error) });
}

function serveReadTxn(context: RpcContext, call: ServerStream, request: TxnRequest): void {
  const { member, writer } = context;
  const response = member.readTxn(request);
  if ("code" in response) return failCall(call, response);
  writer.reset();
  encodeTxnResponse(writer, headerOf(member, response.revision), response);
  call.respond(writer.view());
}

/** Only top-level ranges; a nested transaction goes through the log (TX-12). */
function isReadOnly(request: TxnRequest): boolean {
  const isRange = (op: RequestOp) => op.kind === "range";
  return request.success.every(isRange) && request.failure.every(isRange);
}

function isSerializable(request: TxnRequest): boolean {
  const isSerializableRange = (op: RequestOp) => op.kind === "range" && op.range.serializable;
  return request.success.every(isSerializableRange) && request.failure.every(isSerializableRange);
}

function compact(context: RpcContext, call: ServerStream, bytes: Buffer): void {
  const request = decodeCompactionRequest(bytes);
  const { member, writer } = context;
  const answer = (revision: number) => {
    writer.reset();
    encodeCompactionResponse(writer, headerOf(member, revision));
    call.respond(writer.view());
  };
  const stopped = () => failCall(call, errors.Stopped);
  member.propose(
    { kind: "compaction", compaction: request },
    {
      done: (response) => {
        if (response.kind !== "compaction") return stopped();
        if (!request.physical) return answer(response.revision);
        member.compactionFinished().then(() => answer(member.currentRevision), stopped);
      },
      refused: (error) => failCall(call, error),
    },
  );
}
