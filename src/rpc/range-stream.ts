/**
 * KV.RangeStream (surface 2.2): one range in many messages, each sent as it is read. Merging all
 * messages gives the answer that a unary Range would have given.
 */
import { type EtcdError, errors } from "../errors/index.ts";
import type { ServerStream } from "../grpc/index.ts";
import type { RangeCursor } from "../mvcc/index.ts";
import {
  decodeRangeRequest,
  type EncodedKeyValue,
  encodeRangeStreamResponse,
  type RangeRequest,
  type ResponseHeader,
  SortOrder,
  SortTarget,
  sizeFramedPair,
} from "../wire/index.ts";
import { attempt, failCall, headerOf, type RpcContext } from "./context.ts";
import { checkRange, hasRevisionFilter } from "./validate.ts";

/** Records in the first message; doubled and halved after it by size (RS-03). */
const FIRST_CHUNK_RECORDS = 10;
const SLICE_BYTES = 64 * 1024;

export function serveRangeStream(context: RpcContext, call: ServerStream): void {
  call.onMessage = (bytes) => {
    call.onMessage = undefined;
    const request = decodeRangeRequest(bytes);
    const refusal = checkRange(request) ?? checkStreamable(request);
    if (refusal !== undefined) return failCall(call, refusal);
    const stream = new RangeStream(context, call, request);
    const start = () => attempt(context, call, () => stream.start());
    if (request.serializable) return start();
    context.member.readIndex({ done: start, refused: (error) => failCall(call, error) });
  };
}

function checkStreamable(request: RangeRequest): EtcdError | undefined {
  if (request.sortTarget !== SortTarget.KEY || request.sortOrder === SortOrder.DESCEND) {
    return errors.RangeStreamSort;
  }
  return hasRevisionFilter(request) ? errors.RangeStreamFilter : undefined;
}

class RangeStream {
  readonly #context: RpcContext;
  readonly #call: ServerStream;
  readonly #request: RangeRequest;
  readonly #header: ResponseHeader;
  readonly #revision: number;
  readonly #limit: number;
  #cursor: RangeCursor | undefined;
  #chunkRecords = FIRST_CHUNK_RECORDS;
  /** The message being gathered: sent only when it is known whether it is the last. */
  #chunk: EncodedKeyValue[] = [];
  #chunkBytes = 0;
  #sent = 0;
  /** Keys in the whole range at the pinned revision. */
  #count = 0;

  constructor(context: RpcContext, call: ServerStream, request: RangeRequest) {
    this.#context = context;
    this.#call = call;
    this.#request = request;
    this.#header = headerOf(context.member, context.member.currentRevision);
    this.#revision = request.revision > 0 ? request.revision : this.#header.revision;
    this.#limit = request.limit > 0 ? request.limit : Number.POSITIVE_INFINITY;
  }

  readonly #guardedStep = (): void => attempt(this.#context, this.#call, () => this.#step());

  start(): void {
    const counted = this.#context.member.range({
      ...this.#request,
      revision: this.#revision,
      limit: 0,
      countOnly: true,
    });
    if ("code" in counted) return failCall(this.#call, counted);
    this.#count = counted.count;
    if (this.#request.countOnly) return this.#sendLast([]);
    const cursor = this.#context.member.openRange({
      key: this.#request.key,
      rangeEnd: this.#request.rangeEnd,
      revision: this.#revision,
      limit: this.#request.limit > 0 ? this.#request.limit : 0,
      countOnly: false,
      keysOnly: this.#request.keysOnly,
      keysOnlyWithLease: this.#context.keysOnlyWithLease,
    });
    if ("code" in cursor) return failCall(this.#call, cursor);
    this.#cursor = cursor;
    this.#call.onCancel = () => this.#close();
    this.#call.onDrain = this.#guardedStep;
    this.#step();
  }

  #close(): void {
    this.#cursor?.close();
    this.#cursor = undefined;
    this.#call.onDrain = undefined;
  }

  #step(): void {
    if (this.#cursor === undefined) return;
    const left = this.#limit - this.#sent - this.#chunk.length;
    const wanted = Math.min(this.#chunkRecords - this.#chunk.length, left);
    const kvs = wanted > 0 ? this.#cursor.next(wanted, SLICE_BYTES) : [];
    if (kvs === "compacted") {
      this.#close();
      return failCall(this.#call, errors.Compacted);
    }
    if (kvs.length === 0 && wanted > 0) return this.#sendLast(this.#chunk);
    for (const kv of kvs) {
      this.#chunkBytes += sizeFramedPair(kv.length);
      this.#chunk.push(kv);
    }
    if (this.#sent + this.#chunk.length >= Math.min(this.#limit, this.#count)) {
      return this.#sendLast(this.#chunk);
    }
    if (this.#isChunkFull() && !this.#sendChunk()) return;
    this.#context.timers.soon(this.#guardedStep);
  }

  #isChunkFull(): boolean {
    if (this.#chunk.length >= this.#chunkRecords) return true;
    return this.#chunkBytes >= 2 * this.#context.requestBytesMax;
  }

  #sendChunk(): boolean {
    const { writer, requestBytesMax } = this.#context;
    writer.reset();
    encodeRangeStreamResponse(writer, undefined, {
      revision: 0,
      kvs: this.#chunk,
      more: false,
      count: 0,
    });
    this.#sent += this.#chunk.length;
    if (this.#chunkBytes < requestBytesMax / 2) this.#chunkRecords *= 2;
    if (this.#chunkBytes > 2 * requestBytesMax) {
      this.#chunkRecords = Math.max(1, Math.floor(this.#chunkRecords / 2));
    }
    this.#chunk = [];
    this.#chunkBytes = 0;
    return this.#call.send(writer.view());
  }

  /** Only the last message has header, more and count (RS-04). */
  #sendLast(kvs: EncodedKeyValue[]): void {
    this.#close();
    this.#sent += kvs.length;
    const { writer } = this.#context;
    writer.reset();
    const more = !this.#request.countOnly && this.#sent < this.#count;
    encodeRangeStreamResponse(writer, this.#header, {
      revision: this.#header.revision,
      kvs,
      more,
      count: this.#count,
    });
    this.#call.send(writer.view());
    this.#call.end();
  }
}
