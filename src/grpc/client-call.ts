/** One call of a client, unary or streaming. */
import { assert } from "../base/index.ts";
import { Code } from "../errors/index.ts";
import {
  ErrorCode,
  type HeaderBlock,
  type HeaderList,
  type Http2Connection,
  type PreparedHeaders,
  type Stream,
} from "../http2/index.ts";
import { type GrpcLimits, MESSAGE_PREFIX_BYTES } from "./limits.ts";
import { type BufferBudget, compact, MessageReader } from "./message-reader.ts";
import { ResponseHead } from "./response-head.ts";
import { writePrefix } from "./server-call.ts";
import { codeOfReset } from "./status.ts";

/** The end of a unary call: `response` is there exactly when `code` is OK. */
export type UnaryDone = (
  code: Code,
  message: string,
  response: Buffer | undefined,
  call: ClientCall,
) => void;

/** What the calls of one connection share. */
export interface ClientHost {
  readonly http2: Http2Connection<ClientCall>;
  readonly limits: GrpcLimits;
  readonly budget: BufferBudget;
  readonly closeReason: string;
  /** The call has ended; others may wait for its place. */
  callEnded(): void;
}

/**
 * A call under way. Events are set right after `stream` returned it; none comes before. A unary
 * call tells its end by the callback that was given with it.
 */
export class ClientCall {
  /** The response's header fields have come. */
  onHeaders: (() => void) | undefined = undefined;
  /** `message` belongs to the receiver. */
  onMessage: ((message: Buffer) => void) | undefined = undefined;
  /** After `send` returned false. */
  onDrain: (() => void) | undefined = undefined;
  /** Once; nothing follows. */
  onEnd: ((code: Code, message: string) => void) | undefined = undefined;
  /** Monotonic milliseconds. */
  readonly deadlineMs: number;
  /** The response's header fields and trailers, when they have come. */
  headers: HeaderBlock | undefined = undefined;
  trailers: HeaderBlock | undefined = undefined;
  isDone = false;
  /**
   * The server has certainly not acted on the request: it was never sent, or refused unread
   * (RFC 9113 8.7).
   */
  isUnprocessed = false;

  readonly #host: ClientHost;
  readonly #prepared: PreparedHeaders;
  readonly #extra: HeaderList | undefined;
  readonly #onDone: UnaryDone | undefined;
  #stream: Stream<ClientCall> | undefined = undefined;
  #response: Buffer | undefined = undefined;
  #reader: MessageReader | undefined = undefined;
  #encoding = "";
  #isPaused = false;
  #inbox: Buffer[] = [];
  #inboxBytes = 0;
  #heldEnd: { code: Code; message: string } | undefined = undefined;
  /** Framed messages from before the stream could be opened. */
  #unsent: Buffer[] | undefined = undefined;
  #unsentEnd = false;

  constructor(
    host: ClientHost,
    prepared: PreparedHeaders,
    options: { deadlineMs: number; extra: HeaderList | undefined; onDone?: UnaryDone },
  ) {
    this.#host = host;
    this.#prepared = prepared;
    this.#extra = options.extra;
    this.#onDone = options.onDone;
    this.deadlineMs = options.deadlineMs;
  }

  get queuedBytes(): number {
    return this.#stream?.queuedBytes ?? 0;
  }

  /** Opens the stream with what was sent so far. */
  start(): void {
    this.#open();
    const unsent = this.#unsent;
    this.#unsent = undefined;
    if (unsent === undefined) return;
    const { http2 } = this.#host;
    const stream = this.#stream as Stream<ClientCall>;
    for (const [position, framed] of unsent.entries()) {
      http2.sendData(stream, framed, this.#unsentEnd && position === unsent.length - 1);
    }
    if (this.#unsentEnd && unsent.length === 0) http2.sendData(stream, Buffer.alloc(0), true);
  }

  #open(): Stream<ClientCall> {
    const stream = this.#host.http2.openStream(this.#prepared, this.#extra, false);
    stream.context = this;
    this.#stream = stream;
    return stream;
  }

  /** Opens the stream and sends the only message with it. */
  startWith(message: Uint8Array): void {
    const stream = this.#open();
    const { http2 } = this.#host;
    const at = http2.reserveData(stream, MESSAGE_PREFIX_BYTES + message.length, true);
    if (at < 0) {
      http2.sendData(stream, frame(message), true);
      return;
    }
    const { buffer } = http2.output;
    writePrefix(buffer, at, message.length);
    buffer.set(message, at + MESSAGE_PREFIX_BYTES);
  }

  /** Keeps the call until a stream can be opened. */
  wait(message: Uint8Array | undefined): void {
    this.#unsent = message === undefined ? [] : [frame(message)];
    this.#unsentEnd = message !== undefined;
  }

  /** One message, copied. False: wait for `onDrain`. */
  send(message: Uint8Array): boolean {
    if (this.isDone) return true;
    const framed = frame(message);
    if (this.#stream === undefined) {
      assert(this.#unsent !== undefined, "send on a call that was not started");
      this.#unsent.push(framed);
      return true;
    }
    this.#host.http2.sendData(this.#stream, framed, false);
    return !this.#stream.wantsDrain;
  }

  /** No more messages from this side. */
  halfClose(): void {
    if (this.isDone) return;
    if (this.#stream === undefined) this.#unsentEnd = true;
    else this.#host.http2.sendData(this.#stream, Buffer.alloc(0), true);
  }

  cancel(): void {
    this.#abort(Code.CANCELLED, "context canceled");
  }

  /** While paused, the server is given no more window. */
  pauseMessages(): void {
    this.#isPaused = true;
    if (this.#stream !== undefined) this.#host.http2.pauseStream(this.#stream);
  }

  resumeMessages(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    const inbox = this.#inbox;
    this.#inbox = [];
    this.#host.budget.give(this.#inboxBytes);
    this.#inboxBytes = 0;
    for (const message of inbox) this.#receive(message);
    if (this.#isPaused || this.isDone) return;
    if (this.#stream !== undefined) this.#host.http2.resumeStream(this.#stream);
    if (this.#heldEnd !== undefined) this.#end(this.#heldEnd.code, this.#heldEnd.message);
  }

  // ---- events of the connection ----

  streamHeaders(block: HeaderBlock, endStream: boolean): void {
    if (this.isDone) return;
    const isTrailers = this.headers !== undefined;
    if (!(block.context instanceof ResponseHead)) {
      block.context = new ResponseHead(block, isTrailers);
    }
    const head = block.context as ResponseHead;
    if (head.fault !== undefined) {
      this.#abort(head.fault.code, head.fault.message);
      return;
    }
    if (!isTrailers) {
      this.headers = block;
      this.#encoding = head.encoding;
      this.onHeaders?.();
    }
    if (!endStream || this.isDone) return;
    this.trailers = block;
    if (head.code === undefined) this.#end(Code.INTERNAL, NO_STATUS);
    else this.#end(head.code, head.message);
  }

  streamData(chunk: Buffer, lo: number, hi: number, endStream: boolean): void {
    if (this.isDone) return;
    if (hi > lo) this.#read(chunk, lo, hi);
    if (endStream) this.#end(Code.INTERNAL, NO_STATUS);
  }

  #read(chunk: Buffer, lo: number, hi: number): void {
    if (this.#reader === undefined && this.#readWhole(chunk, lo, hi)) return;
    const { limits, budget } = this.#host;
    this.#reader ??= new MessageReader(limits.receiveMessageBytesMax, budget, this.#encoding);
    const reader = this.#reader;
    reader.feed(chunk, lo, hi);
    for (let message = reader.read(); message !== undefined; message = reader.read()) {
      this.#receive(message);
      if (this.isDone) return;
    }
    if (reader.fault !== undefined) this.#abort(reader.fault.code, reader.fault.message);
  }

  /** The usual response: one message alone in one DATA frame that lies whole in one chunk. */
  #readWhole(chunk: Buffer, lo: number, hi: number): boolean {
    const length = hi - lo - MESSAGE_PREFIX_BYTES;
    if (
      length < 0 ||
      length > this.#host.limits.receiveMessageBytesMax ||
      chunk[lo] !== 0 ||
      chunk.readUInt32BE(lo + 1) !== length
    ) {
      return false;
    }
    this.#receive(chunk.subarray(lo + MESSAGE_PREFIX_BYTES, hi));
    return true;
  }

  #receive(message: Buffer): void {
    if (this.#onDone !== undefined) {
      if (this.#response === undefined) this.#response = message;
      else this.#abort(Code.INTERNAL, "more than one message in answer to a unary call");
    } else if (this.#isPaused) {
      const kept = compact(message);
      if (!this.#host.budget.take(kept.length)) {
        this.#abort(Code.RESOURCE_EXHAUSTED, "too many messages wait on this connection");
        return;
      }
      this.#inboxBytes += kept.length;
      this.#inbox.push(kept);
    } else {
      this.onMessage?.(message);
    }
  }

  streamReset(code: number): void {
    if (this.isDone) return;
    this.isUnprocessed = code === ErrorCode.REFUSED_STREAM;
    if (this.#host.http2.isClosed) this.#end(Code.UNAVAILABLE, this.#host.closeReason);
    else this.#end(codeOfReset(code), `stream terminated by RST_STREAM with error code ${code}`);
  }

  expire(): void {
    this.#abort(Code.DEADLINE_EXCEEDED, "context deadline exceeded");
  }

  /** Ends the call from this side. */
  #abort(code: Code, message: string): void {
    if (this.isDone) return;
    this.isUnprocessed = this.#stream === undefined;
    if (this.#stream !== undefined) this.#host.http2.resetStream(this.#stream, ErrorCode.CANCEL);
    this.#inbox = [];
    this.#isPaused = false;
    this.#end(code, message);
  }

  /** For a call that never had a stream. */
  refuse(code: Code, message: string): void {
    this.#abort(code, message);
  }

  #end(code: Code, message: string): void {
    if (this.isDone) return;
    if (this.#isPaused && this.#inbox.length > 0) {
      this.#heldEnd = { code, message };
      return;
    }
    this.isDone = true;
    if (this.#reader !== undefined) this.#reader.close();
    this.#host.budget.give(this.#inboxBytes);
    this.#inboxBytes = 0;
    const stream = this.#stream;
    if (stream !== undefined && !stream.isClosed && !stream.localEnded) {
      // The server has answered all it will, so the rest of the request is void.
      this.#host.http2.resetStream(stream, ErrorCode.CANCEL);
    }
    if (this.#onDone === undefined) this.onEnd?.(code, message);
    else this.#endUnary(this.#onDone, code, message);
    this.#host.callEnded();
  }

  #endUnary(onDone: UnaryDone, code: Code, message: string): void {
    if (code !== Code.OK) onDone(code, message, undefined, this);
    else if (this.#response !== undefined) onDone(code, message, this.#response, this);
    else onDone(Code.INTERNAL, "a unary call was answered without a message", undefined, this);
  }
}

const NO_STATUS = "server closed the stream without sending trailers";

function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(MESSAGE_PREFIX_BYTES + message.length);
  writePrefix(framed, 0, message.length);
  framed.set(message, MESSAGE_PREFIX_BYTES);
  return framed;
}
