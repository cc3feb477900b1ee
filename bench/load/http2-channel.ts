/**
 * A gRPC channel on src/http2's client side and a plain socket, made to cost the machine little: it
 * reads into one buffer for all connections, makes no promise and no closure per call, and answers
 * to one read leave in one write.
 */
import { connect, type Socket } from "node:net";
import {
  type HeaderBlock,
  HTTP2_LIMITS_DEFAULT,
  Http2Connection,
  type Http2Events,
  type Http2Limits,
  PreparedHeaders,
  type Stream,
} from "../../src/http2/index.ts";
import type { Caller, Channel, OpenStream } from "./channel.ts";

const PREFIX_BYTES = 5;
const READ_BYTES = 256 * 1024;
const TICK_MS = 100;
const UNAVAILABLE = 14;
const UNKNOWN = 2;
const EMPTY = Buffer.alloc(0);

/** Windows as etcd's Go client grows them to, so that no case waits for window updates. */
const LIMITS: Http2Limits = {
  ...HTTP2_LIMITS_DEFAULT,
  streamWindowBytes: 4 * 1024 * 1024,
  connectionWindowBytes: 16 * 1024 * 1024,
};

/** All sockets are read on one thread, one after the other, and nothing read is kept. */
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

/** Buffers for messages in pieces, used again by the next call: making large ones is slow. */
const spares: Buffer[] = [];
const SPARES_MAX = 64;
const SPARE_BYTES_MIN = 1024;

function takeSpare(wantedBytes: number): Buffer {
  const spare = spares.at(-1);
  if (spare === undefined || spare.length < wantedBytes) {
    return Buffer.allocUnsafeSlow(Math.max(wantedBytes, SPARE_BYTES_MIN));
  }
  spares.pop();
  return spare;
}

function giveSpare(buffer: Buffer): void {
  if (buffer.length >= SPARE_BYTES_MIN && spares.length < SPARES_MAX) spares.push(buffer);
}

/** A call under way: what has come of its current message. */
class Call implements OpenStream {
  readonly caller: Caller;
  readonly #channel: Http2Channel;
  stream: Stream<Call> | undefined = undefined;
  /** Bytes of prefix and message that came in pieces. */
  held: Buffer = EMPTY;
  heldBytes = 0;
  /** Of a message that is discarded, or -1. */
  discardLeft = -1;

  constructor(caller: Caller, channel: Http2Channel) {
    this.caller = caller;
    this.#channel = channel;
  }

  send(message: Uint8Array): void {
    if (this.stream !== undefined) this.#channel.sendMessage(this.stream, message, false);
  }
}

export class Http2Channel implements Channel, Http2Events<Call> {
  receivedBytes = 0;
  readonly #socket: Socket;
  readonly #http2: Http2Connection<Call>;
  readonly #headers = new Map<string, PreparedHeaders>();
  readonly #authority: string;
  #isReceiving = false;
  #isFlushPlanned = false;
  #closeReason = "";
  readonly #onReady: () => void;
  readonly #timer: NodeJS.Timeout;

  private constructor(socket: Socket, authority: string, onReady: () => void) {
    this.#onReady = onReady;
    this.#socket = socket;
    this.#authority = authority;
    this.#http2 = new Http2Connection<Call>({ role: "client", limits: LIMITS, events: this });
    this.#timer = setInterval(() => this.#http2.tick(performance.now()), TICK_MS);
    socket.on("error", () => {});
    socket.on("close", () => this.#lost());
    this.#http2.start(performance.now());
  }

  /** Resolves when the server's settings have come, and calls may be made. */
  static connect(port: number): Promise<Http2Channel> {
    return new Promise((resolve, reject) => {
      let channel: Http2Channel | undefined;
      const socket = connect({
        host: "127.0.0.1",
        port,
        noDelay: true,
        onread: {
          buffer: readBuffer,
          callback(count) {
            channel?.receive(count);
            return true;
          },
        },
      });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        channel = new Http2Channel(socket, `127.0.0.1:${port}`, () => {
          if (channel !== undefined) resolve(channel);
        });
        socket.once("close", () => reject(new Error("the connection was closed at once")));
      });
    });
  }

  unary(path: string, message: Uint8Array, caller: Caller): void {
    const stream = this.#open(path, caller);
    if (stream !== undefined) this.sendMessage(stream, message, true);
  }

  stream(path: string, caller: Caller): OpenStream {
    const stream = this.#open(path, caller);
    if (stream?.context === undefined) throw new Error(`${path}: the connection takes no stream`);
    return stream.context;
  }

  /** Whether a call may be made: the connection is there and has room for a stream. */
  get isOpen(): boolean {
    return this.#http2.canOpenStream;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket.destroy();
    this.#http2.connectionLost();
  }

  #open(path: string, caller: Caller): Stream<Call> | undefined {
    if (!this.#http2.canOpenStream) {
      caller.onEnd(UNAVAILABLE, `the connection takes no stream: ${this.#closeReason}`);
      return undefined;
    }
    let headers = this.#headers.get(path);
    if (headers === undefined) {
      headers = this.#makeHeaders(path);
      this.#headers.set(path, headers);
    }
    const stream = this.#http2.openStream(headers, undefined, false);
    const call = new Call(caller, this);
    call.stream = stream;
    stream.context = call;
    return stream;
  }

  #makeHeaders(path: string): PreparedHeaders {
    const list = [":method", "POST", ":scheme", "http", ":path", path];
    list.push(":authority", this.#authority, "content-type", "application/grpc");
    list.push("user-agent", "holdfast-bench", "te", "trailers");
    return new PreparedHeaders(list);
  }

  sendMessage(stream: Stream<Call>, message: Uint8Array, endStream: boolean): void {
    const length = message.length;
    const at = this.#http2.reserveData(stream, PREFIX_BYTES + length, endStream);
    if (at >= 0) {
      const { buffer } = this.#http2.output;
      writePrefix(buffer, at, length);
      buffer.set(message, at + PREFIX_BYTES);
      return;
    }
    const framed = Buffer.allocUnsafeSlow(PREFIX_BYTES + length);
    writePrefix(framed, 0, length);
    framed.set(message, PREFIX_BYTES);
    this.#http2.sendData(stream, framed, endStream);
  }

  receive(count: number): void {
    this.receivedBytes += count;
    this.#isReceiving = true;
    this.#http2.receive(readBuffer.subarray(0, count), performance.now());
    this.#isReceiving = false;
    this.#flush();
  }

  #flush(): void {
    this.#isFlushPlanned = false;
    for (const bytes of this.#http2.takeOutput()) this.#socket.write(bytes);
  }

  #lost(): void {
    clearInterval(this.#timer);
    this.#http2.connectionLost();
  }

  onOutput(): void {
    if (this.#isReceiving || this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    queueMicrotask(() => this.#flush());
  }

  onHeaders(stream: Stream<Call>, block: HeaderBlock, endStream: boolean): void {
    const call = stream.context;
    if (!endStream || call === undefined) return;
    // The block of every OK is the same object, so what it says is worked out once.
    const status = (block.context ??= statusOf(block)) as Status;
    this.#end(stream, call, status.code, status.text);
  }

  onData(stream: Stream<Call>, chunk: Buffer, lo: number, hi: number): void {
    const call = stream.context;
    if (call === undefined) return;
    let at = lo;
    while (at < hi) {
      if (call.discardLeft >= 0) {
        at = discard(call, at, hi);
        continue;
      }
      if (call.heldBytes > 0 || hi - at < PREFIX_BYTES) {
        at = hold(call, chunk, at, hi);
        continue;
      }
      const length = readLength(chunk, at);
      const start = at + PREFIX_BYTES;
      if (call.caller.discards === true) {
        call.discardLeft = length;
        at = discard(call, start, hi);
      } else if (start + length <= hi) {
        call.caller.onMessage(chunk, start, start + length);
        at = start + length;
      } else {
        at = hold(call, chunk, at, hi);
      }
    }
  }

  onReset(stream: Stream<Call>, code: number): void {
    const call = stream.context;
    if (call === undefined) return;
    this.#end(stream, call, UNAVAILABLE, `stream reset, code ${code} ${this.#closeReason}`);
  }

  #end(stream: Stream<Call>, call: Call, code: number, text: string): void {
    stream.context = undefined;
    call.stream = undefined;
    giveSpare(call.held);
    call.held = EMPTY;
    call.caller.onEnd(code, text);
  }

  onDrain(): void {}
  onPing(): void {}
  onPingAck(): void {}
  onGoaway(code: number, _lastStreamId: number, debugText: string): void {
    this.#closeReason = `goaway ${code} ${debugText}`;
  }

  onSettings(): void {
    this.#onReady();
  }

  onClose(code: number, reason: string): void {
    this.#closeReason ||= `${code}: ${reason}`;
    this.#flush();
    this.#socket.end();
  }
}

interface Status {
  readonly code: number;
  readonly text: string;
}

function statusOf(block: HeaderBlock): Status {
  const value = (name: string): string | undefined =>
    block.fields.find((field) => field.name === name)?.value;
  const code = value("grpc-status");
  if (code === undefined) return { code: UNKNOWN, text: `no grpc-status; HTTP ${block.status}` };
  return { code: Number(code), text: value("grpc-message") ?? "" };
}

function writePrefix(into: Buffer, at: number, length: number): void {
  into[at] = 0;
  into[at + 1] = length >>> 24;
  into[at + 2] = length >>> 16;
  into[at + 3] = length >>> 8;
  into[at + 4] = length;
}

function readLength(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at + 1);
}

/** Counts down a message whose bytes nobody wants; returns where the next one starts. */
function discard(call: Call, at: number, hi: number): number {
  const count = Math.min(call.discardLeft, hi - at);
  call.discardLeft -= count;
  if (call.discardLeft === 0) {
    call.discardLeft = -1;
    call.caller.onMessage(EMPTY, 0, 0);
  }
  return at + count;
}

/** Keeps the pieces of a message until it is whole. */
function hold(call: Call, chunk: Buffer, at: number, hi: number): number {
  let wanted = PREFIX_BYTES;
  if (call.heldBytes >= PREFIX_BYTES) wanted += readLength(call.held, 0);
  if (call.held.length < wanted) {
    const larger = takeSpare(wanted);
    call.held.copy(larger, 0, 0, call.heldBytes);
    giveSpare(call.held);
    call.held = larger;
  }
  const count = Math.min(wanted - call.heldBytes, hi - at);
  chunk.copy(call.held, call.heldBytes, at, at + count);
  call.heldBytes += count;
  if (call.heldBytes < PREFIX_BYTES) return at + count;
  const end = PREFIX_BYTES + readLength(call.held, 0);
  if (call.caller.discards === true) {
    call.heldBytes = 0;
    call.discardLeft = end - PREFIX_BYTES;
    return discard(call, at + count, at + count);
  }
  if (call.heldBytes === end) {
    call.heldBytes = 0;
    call.caller.onMessage(call.held, PREFIX_BYTES, end);
  }
  return at + count;
}
