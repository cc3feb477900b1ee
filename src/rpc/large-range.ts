/**
 * A unary Range whose answer may be large. gRPC wants the length of a message before its first
 * byte, so a range that outgrows RANGE_BYTES_WHOLE is walked twice at one revision: once to add up
 * the sizes, once to send. Each walk goes in slices and lets the event loop run between them, so
 * neither memory nor anybody else's latency follows the size of the answer.
 */
import type { ServerStream } from "../grpc/index.ts";
import type { RangeCursor } from "../mvcc/index.ts";
import { errors } from "../errors/index.ts";
import {
  type EncodedKeyValue,
  encodePairFrame,
  encodeRangeHead,
  encodeRangeResponse,
  encodeRangeTail,
  type RangeRequest,
  SortOrder,
  SortTarget,
  sizeFramedPair,
} from "../wire/index.ts";
import { attempt, failCall, headerOf, type RpcContext } from "./context.ts";
import { hasRevisionFilter } from "./validate.ts";

/** An answer up to this size is built at once. */
const RANGE_BYTES_WHOLE = 512 * 1024;
/** Records gathered for a small answer before the loop turns: about 2 ms. */
const GATHER_RECORDS = 512;
/** One slice of a large answer: about 0.1 ms, so that a write in between hardly notices. */
const SLICE_RECORDS = 64;
const SLICE_BYTES = 16 * 1024;
/** Records whose sizes are added up in one turn. */
const SIZES_RECORDS = 64;

/** A range of many keys in key order without filters: all others need the whole result at once. */
export function isStreamable(request: RangeRequest): boolean {
  if (request.rangeEnd.length === 0 || request.countOnly) return false;
  const isKeyOrder =
    request.sortTarget === SortTarget.KEY && request.sortOrder !== SortOrder.DESCEND;
  return isKeyOrder && !hasRevisionFilter(request);
}

export function serveLargeRange(
  context: RpcContext,
  call: ServerStream,
  request: RangeRequest,
): void {
  new LargeRange(context, call, request).start();
}

class LargeRange {
  readonly #context: RpcContext;
  readonly #call: ServerStream;
  readonly #request: RangeRequest;
  /** The store's revision when the read began: the answer's header. */
  readonly #headerRevision: number;
  /** At which the keys are read; pinned so that both walks see the same. */
  readonly #revision: number;
  /** Most records that are sent. */
  readonly #limit: number;
  #cursor: RangeCursor | undefined;
  /** Records gathered while the answer is still small. */
  #gathered: EncodedKeyValue[] = [];
  #isLarge = false;
  #kvBytes = 0;
  #records = 0;
  #count = 0;

  constructor(context: RpcContext, call: ServerStream, request: RangeRequest) {
    this.#context = context;
    this.#call = call;
    this.#request = request;
    this.#headerRevision = context.member.currentRevision;
    this.#revision = request.revision > 0 ? request.revision : this.#headerRevision;
    this.#limit = request.limit > 0 ? request.limit : Number.POSITIVE_INFINITY;
  }

  start(): void {
    if (this.#open()) this.#gather();
  }

  /** Opens the cursor at the pinned revision; false when the call was refused. */
  #open(): boolean {
    const cursor = this.#context.member.openRange({
      key: this.#request.key,
      rangeEnd: this.#request.rangeEnd,
      revision: this.#revision,
      limit: this.#request.limit > 0 ? this.#request.limit : 0,
      countOnly: false,
      keysOnly: this.#request.keysOnly,
      keysOnlyWithLease: this.#context.keysOnlyWithLease,
    });
    if ("code" in cursor) {
      failCall(this.#call, cursor);
      return false;
    }
    this.#cursor = cursor;
    this.#call.onCancel = () => this.#close();
    return true;
  }

  #close(): void {
    this.#cursor?.close();
    this.#cursor = undefined;
  }

  #later(step: () => void): void {
    this.#context.timers.soon(() => attempt(this.#context, this.#call, step));
  }

  /** What is not there any more ends the call. */
  #isGone<T>(items: T[] | "compacted"): items is "compacted" {
    if (items !== "compacted") return false;
    this.#close();
    failCall(this.#call, errors.Compacted);
    return true;
  }

  /** First, as if the answer were small. */
  #gather(): void {
    if (this.#cursor === undefined) return;
    const wanted = Math.min(GATHER_RECORDS, this.#limit - this.#records);
    const kvs = wanted > 0 ? this.#cursor.next(wanted, RANGE_BYTES_WHOLE) : [];
    if (this.#isGone(kvs)) return;
    if (kvs.length === 0) return this.#measured();
    this.#records += kvs.length;
    for (const kv of kvs) {
      this.#kvBytes += sizeFramedPair(kv.length);
      this.#gathered.push(kv);
    }
    if (this.#records >= this.#limit) return this.#measured();
    if (this.#kvBytes <= RANGE_BYTES_WHOLE) return this.#later(() => this.#gather());
    this.#isLarge = true;
    this.#gathered = [];
    this.#later(() => this.#addSizes());
  }

  /** Then, the sizes of the rest. */
  #addSizes(): void {
    if (this.#cursor === undefined) return;
    const wanted = Math.min(SIZES_RECORDS, this.#limit - this.#records);
    const sizes = wanted > 0 ? this.#cursor.sizes(wanted) : [];
    if (this.#isGone(sizes)) return;
    if (sizes.length === 0) return this.#measured();
    this.#records += sizes.length;
    for (const bytes of sizes) this.#kvBytes += sizeFramedPair(bytes);
    this.#later(() => this.#addSizes());
  }

  #measured(): void {
    this.#close();
    const count = this.#countKeys();
    if (count === undefined) return;
    this.#count = count;
    if (!this.#isLarge) return this.#respond(this.#gathered);
    const { writer, member } = this.#context;
    writer.reset();
    encodeRangeHead(writer, headerOf(member, this.#headerRevision));
    const head = writer.take();
    encodeRangeTail(writer, this.#records < count, count);
    const tail = writer.take();
    this.#records = 0;
    if (!this.#open()) return;
    this.#call.onDrain = () => attempt(this.#context, this.#call, () => this.#sendSlices(tail));
    this.#call.beginMessage(head.length + this.#kvBytes + tail.length);
    this.#call.sendPiece(head);
    this.#sendSlices(tail);
  }

  /** Keys in the range whatever the limit (KV-09). */
  #countKeys(): number | undefined {
    if (this.#records < this.#limit) return this.#records;
    const counted = this.#context.member.range({
      ...this.#request,
      revision: this.#revision,
      countOnly: true,
    });
    if (!("code" in counted)) return counted.count;
    failCall(this.#call, counted);
    return undefined;
  }

  #respond(kvs: EncodedKeyValue[]): void {
    const { writer, member } = this.#context;
    writer.reset();
    encodeRangeResponse(writer, headerOf(member, this.#headerRevision), {
      revision: this.#headerRevision,
      kvs,
      more: kvs.length < this.#count,
      count: this.#count,
    });
    this.#call.respond(writer.view());
  }

  /** Last, the records themselves. */
  #sendSlices(tail: Buffer): void {
    if (this.#cursor === undefined) return;
    const { writer } = this.#context;
    const wanted = Math.min(SLICE_RECORDS, this.#limit - this.#records);
    const kvs = wanted > 0 ? this.#cursor.next(wanted, SLICE_BYTES) : [];
    if (this.#isGone(kvs)) return;
    this.#records += kvs.length;
    if (kvs.length === 0) {
      this.#close();
      this.#call.onDrain = undefined;
      this.#call.sendPiece(tail);
      return;
    }
    writer.reset();
    for (const kv of kvs) {
      encodePairFrame(writer, kv.length);
      writer.raw(kv);
    }
    // False: the peer or the socket is behind; `onDrain` goes on from here.
    if (!this.#call.sendPiece(writer.view())) return;
    this.#later(() => this.#sendSlices(tail));
  }
}
