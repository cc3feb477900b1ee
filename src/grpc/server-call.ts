/**
 * One gRPC call on a server: message framing, status and cancellation over one HTTP/2 stream.
 *
 * Invariant: after `#isDone` nothing is sent and no event but the end of the stream is told.
 */
import { assert } from "../base/index.ts";
import { Code } from "../errors/index.ts";
import {
  ErrorCode,
  type HeaderBlock,
  type Http2Connection,
  PreparedHeaders,
  type Stream,
} from "../http2/index.ts";
import type { PeerInfo } from "../seam/index.ts";
import type { Exchange } from "./exchange.ts";
import { type GrpcLimits, MESSAGE_PREFIX_BYTES } from "./limits.ts";
import { type BufferBudget, compact, MessageReader } from "./message-reader.ts";
import type { RequestHead } from "./request-head.ts";
import { decodeBinary } from "./metadata.ts";
import { encodeStatusMessage } from "./status.ts";
import type { MethodEntry } from "./request-head.ts";
import type { ServerStream } from "./types.ts";

/** What the calls of one connection share. */
export interface CallHost {
  readonly http2: Http2Connection<Exchange>;
  readonly peer: PeerInfo;
  readonly limits: GrpcLimits;
  readonly budget: BufferBudget;
  /** `:status 200`, `content-type application/grpc`. */
  readonly responseHeaders: PreparedHeaders;
  /** `grpc-status 0`. */
  readonly okTrailers: PreparedHeaders;
}

const RESPONSE_FIELDS = [":status", "200", "content-type", "application/grpc"];

export function newResponseHeaders(): PreparedHeaders {
  return new PreparedHeaders(RESPONSE_FIELDS);
}

export class Call implements Exchange, ServerStream {
  readonly path: string;
  readonly deadlineMs: number;
  cancelled = false;
  onMessage: ((message: Buffer) => void) | undefined = undefined;
  onHalfClose: (() => void) | undefined = undefined;
  onDrain: (() => void) | undefined = undefined;
  onCancel: (() => void) | undefined = undefined;
  onEnd: (() => void) | undefined = undefined;

  readonly #host: CallHost;
  readonly #stream: Stream<Exchange>;
  readonly #block: HeaderBlock;
  readonly #entry: MethodEntry;
  readonly #encoding: string;
  #reader: MessageReader | undefined = undefined;
  /** The request of a unary call, until the client has half-closed. */
  #request: Buffer | undefined = undefined;
  /** Messages that came while paused, in order, and their bytes. */
  #inbox: Buffer[] | undefined = undefined;
  #inboxBytes = 0;
  #isPaused = false;
  #isHalfCloseHeld = false;
  #hasHeaders = false;
  #isDone = false;
  /** Left to send of the message that `beginMessage` announced. */
  #pieceBytesLeft = 0;
  #extraHeaders: string[] | undefined = undefined;
  #extraTrailers: string[] | undefined = undefined;

  constructor(
    host: CallHost,
    stream: Stream<Exchange>,
    block: HeaderBlock,
    head: RequestHead,
    entry: MethodEntry,
  ) {
    this.#host = host;
    this.#stream = stream;
    this.#block = block;
    this.#entry = entry;
    this.#encoding = head.encoding;
    this.path = head.path;
    this.deadlineMs = host.http2.nowMs + head.timeoutMs;
    entry.stats.started += 1;
  }

  get peer(): PeerInfo {
    return this.#host.peer;
  }

  get queuedBytes(): number {
    return this.#stream.queuedBytes;
  }

  metadata(name: string): string | undefined {
    return this.#block.get(name);
  }

  metadataBinary(name: string): Buffer | undefined {
    const text = this.#block.get(name);
    return text === undefined ? undefined : decodeBinary(text);
  }

  metadataAll(): readonly { readonly name: string; readonly value: string }[] {
    return this.#block.fields;
  }

  // ---- answers ----

  addHeader(name: string, value: string): void {
    assert(!this.#hasHeaders, "addHeader after the headers were sent");
    this.#extraHeaders ??= [];
    this.#extraHeaders.push(name, value);
  }

  addTrailer(name: string, value: string): void {
    this.#extraTrailers ??= [];
    this.#extraTrailers.push(name, value);
  }

  respond(message: Uint8Array): void {
    if (this.#isDone) return;
    if (!this.#write(message)) return;
    this.#finish(Code.OK, "");
  }

  send(message: Uint8Array): boolean {
    if (this.#isDone) return true;
    this.#write(message);
    return !this.#stream.wantsDrain;
  }

  /** Prefix and message in one DATA frame when it fits, else through the queue. False: refused. */
  #write(message: Uint8Array): boolean {
    const length = message.length;
    if (length > this.#host.limits.sendMessageBytesMax) return this.#refuseToSend(length);
    assert(this.#pieceBytesLeft === 0, "a message inside a message that is sent in pieces");
    const { http2 } = this.#host;
    if (!this.#hasHeaders) this.#sendHeaders();
    const at = http2.reserveData(this.#stream, MESSAGE_PREFIX_BYTES + length, false);
    this.#entry.stats.messagesSent += 1;
    if (at >= 0) {
      const { buffer } = http2.output;
      writePrefix(buffer, at, length);
      if (length > 0) buffer.set(message, at + MESSAGE_PREFIX_BYTES);
      return true;
    }
    const prefix = Buffer.allocUnsafe(MESSAGE_PREFIX_BYTES);
    writePrefix(prefix, 0, length);
    http2.sendData(this.#stream, prefix, false);
    if (length > 0) http2.sendData(this.#stream, asBuffer(message), false, true);
    return true;
  }

  #refuseToSend(length: number): false {
    const max = this.#host.limits.sendMessageBytesMax;
    const text = `grpc: trying to send message larger than max (${length} vs. ${max})`;
    this.fail(Code.RESOURCE_EXHAUSTED, text);
    return false;
  }

  beginMessage(lengthBytes: number): boolean {
    if (this.#isDone) return true;
    if (lengthBytes > this.#host.limits.sendMessageBytesMax)
      return !this.#refuseToSend(lengthBytes);
    assert(this.#pieceBytesLeft === 0, "a message inside a message that is sent in pieces");
    if (!this.#hasHeaders) this.#sendHeaders();
    this.#entry.stats.messagesSent += 1;
    this.#pieceBytesLeft = lengthBytes;
    const prefix = Buffer.allocUnsafe(MESSAGE_PREFIX_BYTES);
    writePrefix(prefix, 0, lengthBytes);
    const isOpen = this.#host.http2.sendData(this.#stream, prefix, false);
    if (lengthBytes === 0) this.#endUnary();
    return isOpen;
  }

  sendPiece(piece: Uint8Array): boolean {
    if (this.#isDone) return true;
    assert(
      piece.length <= this.#pieceBytesLeft,
      "more pieces than the message was announced to have",
    );
    this.#pieceBytesLeft -= piece.length;
    const isOpen =
      piece.length === 0 || this.#host.http2.sendData(this.#stream, asBuffer(piece), false, true);
    if (this.#pieceBytesLeft === 0) this.#endUnary();
    return isOpen;
  }

  #endUnary(): void {
    if (this.#entry.method.kind === "unary") this.#finish(Code.OK, "");
  }

  end(): void {
    if (this.#isDone) return;
    assert(this.#pieceBytesLeft === 0, "the end inside a message");
    this.#finish(Code.OK, "");
  }

  fail(code: Code, message: string): void {
    if (this.#isDone) return;
    if (this.#pieceBytesLeft > 0) {
      // The announced message can no longer be completed, so a status after it would not be read.
      this.#done(code);
      this.#host.http2.resetStream(this.#stream, ErrorCode.INTERNAL_ERROR);
      return;
    }
    this.#finish(code, message);
  }

  #sendHeaders(): void {
    this.#hasHeaders = true;
    const { http2, responseHeaders } = this.#host;
    const extra = this.#extraHeaders;
    const headers = extra === undefined ? responseHeaders : [...RESPONSE_FIELDS, ...extra];
    http2.sendHeaders(this.#stream, headers, false);
  }

  #finish(code: Code, message: string): void {
    this.#done(code);
    const { http2, okTrailers } = this.#host;
    if (code === Code.OK && this.#hasHeaders && this.#extraTrailers === undefined) {
      http2.sendHeaders(this.#stream, okTrailers, true);
      return;
    }
    const list = this.#hasHeaders ? [] : [...RESPONSE_FIELDS, ...(this.#extraHeaders ?? [])];
    list.push("grpc-status", String(code));
    if (message !== "") list.push("grpc-message", encodeStatusMessage(message));
    if (this.#extraTrailers !== undefined) list.push(...this.#extraTrailers);
    http2.sendHeaders(this.#stream, list, true);
  }

  #done(code: Code): void {
    this.#isDone = true;
    this.#entry.stats.handled[code] = (this.#entry.stats.handled[code] as number) + 1;
    if (this.#reader !== undefined) this.#reader.close();
    this.#reader = undefined;
    this.#request = undefined;
    if (this.#inbox !== undefined) this.#host.budget.give(this.#inboxBytes);
    this.#inbox = undefined;
    this.onEnd?.();
  }

  // ---- the request ----

  streamData(chunk: Buffer, lo: number, hi: number, endStream: boolean): void {
    if (this.#isDone) return;
    if (this.#reader === undefined && endStream && this.#isWholeUnary(chunk, lo, hi)) {
      this.#entry.stats.messagesReceived += 1;
      this.#dispatch(chunk.subarray(lo + MESSAGE_PREFIX_BYTES, hi));
      return;
    }
    if (hi > lo) this.#read(chunk, lo, hi);
    if (endStream && !this.#isDone) this.streamEnd();
  }

  /** The usual request: one message, alone in one DATA frame that lies whole in one chunk. */
  #isWholeUnary(chunk: Buffer, lo: number, hi: number): boolean {
    const length = hi - lo - MESSAGE_PREFIX_BYTES;
    return (
      length >= 0 &&
      this.#entry.method.kind === "unary" &&
      this.#request === undefined &&
      length <= this.#host.limits.receiveMessageBytesMax &&
      chunk[lo] === 0 &&
      chunk[lo + 1] === length >>> 24 &&
      chunk[lo + 2] === ((length >>> 16) & 0xff) &&
      chunk[lo + 3] === ((length >>> 8) & 0xff) &&
      chunk[lo + 4] === (length & 0xff)
    );
  }

  #dispatch(request: Buffer): void {
    const { method } = this.#entry;
    if (method.kind === "unary") method.handle(this, request);
  }

  #read(chunk: Buffer, lo: number, hi: number): void {
    const { limits, budget } = this.#host;
    this.#reader ??= new MessageReader(limits.receiveMessageBytesMax, budget, this.#encoding);
    const reader = this.#reader;
    reader.feed(chunk, lo, hi);
    for (let message = reader.read(); message !== undefined; message = reader.read()) {
      this.#entry.stats.messagesReceived += 1;
      this.#receive(message);
      if (this.#isDone) return;
    }
    if (reader.fault !== undefined) this.fail(reader.fault.code, reader.fault.message);
  }

  #receive(message: Buffer): void {
    if (this.#entry.method.kind === "unary") {
      if (this.#request === undefined) this.#request = message;
      else this.fail(Code.INTERNAL, TOO_MANY_REQUESTS);
    } else if (this.#isPaused) {
      this.#keep(message);
    } else {
      this.onMessage?.(message);
    }
  }

  #keep(message: Buffer): void {
    const kept = compact(message);
    const bytes = kept.length + KEPT_MESSAGE_BYTES;
    if (!this.#host.budget.take(bytes)) {
      this.fail(Code.RESOURCE_EXHAUSTED, "grpc: too many messages wait on this connection");
      return;
    }
    this.#inboxBytes += bytes;
    this.#inbox ??= [];
    this.#inbox.push(kept);
  }

  streamEnd(): void {
    if (this.#isDone) return;
    if (this.#reader?.isInside === true) {
      this.fail(Code.INTERNAL, "unexpected EOF");
    } else if (this.#entry.method.kind === "unary") {
      const request = this.#request;
      this.#request = undefined;
      if (request === undefined) this.fail(Code.INTERNAL, NO_REQUEST);
      else this.#dispatch(request);
    } else if (this.#isPaused) {
      this.#isHalfCloseHeld = true;
    } else {
      this.onHalfClose?.();
    }
  }

  pauseMessages(): void {
    this.#isPaused = true;
    this.#host.http2.pauseStream(this.#stream);
  }

  resumeMessages(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    const inbox = this.#inbox;
    this.#inbox = undefined;
    const keptBytes = this.#inboxBytes;
    this.#inboxBytes = 0;
    this.#host.budget.give(keptBytes);
    for (let at = 0; inbox !== undefined && at < inbox.length; at += 1) {
      if (this.#isDone) return;
      // The handler may pause again at any message.
      if (this.#isPaused) this.#keep(inbox[at] as Buffer);
      else this.onMessage?.(inbox[at] as Buffer);
    }
    if (this.#isPaused || this.#isDone) return;
    this.#host.http2.resumeStream(this.#stream);
    if (!this.#isHalfCloseHeld) return;
    this.#isHalfCloseHeld = false;
    this.onHalfClose?.();
  }

  streamReset(): void {
    if (this.#isDone) return;
    this.#done(Code.CANCELLED);
    this.#cancel();
  }

  streamDrain(): void {
    if (!this.#isDone) this.onDrain?.();
  }

  expire(): void {
    if (this.#isDone) return;
    if (this.#stream.queuedBytes > 0 || this.#pieceBytesLeft > 0) {
      // The client has not taken what came before the status, so it would not get the status
      // either.
      this.#done(Code.DEADLINE_EXCEEDED);
      this.#host.http2.resetStream(this.#stream, ErrorCode.CANCEL);
    } else {
      this.fail(Code.DEADLINE_EXCEEDED, "context deadline exceeded");
    }
    this.#cancel();
  }

  #cancel(): void {
    this.cancelled = true;
    this.onCancel?.();
  }
}

/** What a kept message costs beside its bytes. */
const KEPT_MESSAGE_BYTES = 64;
// grpc-go's words.
const NO_REQUEST =
  "cardinality violation: received no request message from non-client-streaming RPC";
const TOO_MANY_REQUESTS =
  "cardinality violation: received multiple request messages for non-client-streaming RPC";

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function writePrefix(into: Uint8Array, at: number, length: number): void {
  into[at] = 0;
  into[at + 1] = length >>> 24;
  into[at + 2] = length >>> 16;
  into[at + 3] = length >>> 8;
  into[at + 4] = length;
}
