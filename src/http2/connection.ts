/**
 * One HTTP/2 connection, server or client side, without any I/O (RFC 9113).
 *
 * Bytes go in by `receive`, what they mean comes out as `Http2Events`; calls such as `sendHeaders`
 * append frames to `output`, which the driver takes once a turn. Time is a number handed in. There
 * are no promises, no timers and no per-frame objects: the path of a small request makes a `Stream`
 * and nothing else.
 *
 * Leaf logic stands in hpack-*.ts (header blocks), output.ts (bytes out), flood-guard.ts (abuse)
 * and frame.ts (layout). Limits: limits.ts. Server push, priorities and CONNECT tunnels are left
 * out.
 *
 * Invariant: each stream in `#streams` has `isClosed` false; all others have it true.
 * Invariant: `#queuedBytes` is the sum of the streams' `queuedBytes`.
 */
import { assert } from "../base/index.ts";
import { ConnectionError, ErrorCode } from "./error-code.ts";
import { FloodGuard } from "./flood-guard.ts";
import {
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  INITIAL_WINDOW_BYTES,
  PREFACE,
  readUint31,
  readUint32,
  Setting,
  writeFrameHeader,
  writeUint32,
} from "./frame.ts";
import type { HeaderBlock } from "./header-block.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { type HeaderList, HpackEncoder, PreparedHeaders } from "./hpack-encoder.ts";
import {
  FRAME_BYTES_MAX,
  HANDSHAKE_MS,
  type Http2Limits,
  OUTPUT_BULK_BYTES,
  OUTPUT_DIRECT_BYTES,
  RAPID_RESET_MS,
  RESET_STREAMS_REMEMBERED,
  SENT_FRAME_BYTES_MAX,
  STREAM_QUEUE_HIGH_BYTES,
  STREAM_QUEUE_LOW_BYTES,
  WINDOW_BYTES_MAX,
} from "./limits.ts";
import { Output } from "./output.ts";
import { Stream } from "./stream.ts";

/** What the owner of a connection is told, from inside `receive`, `takeOutput` and `tick`. */
export interface Http2Events<C> {
  /**
   * A request, a response or trailers; a 1xx response is not told. `block` is shared and immutable.
   */
  onHeaders(stream: Stream<C>, block: HeaderBlock, endStream: boolean): void;
  /** `chunk[lo, hi)` may be kept and is never written to again; it may be empty at the end. */
  onData(stream: Stream<C>, chunk: Buffer, lo: number, hi: number, endStream: boolean): void;
  /** The peer reset the stream, broke its rules, or the connection is over. Once; it is closed. */
  onReset(stream: Stream<C>, code: number): void;
  /** After a `sendData` that returned false: most of the stream's queue has gone out. */
  onDrain(stream: Stream<C>): void;
  /** A PING of the peer, already answered. */
  onPing(): void;
  onPingAck(value: number): void;
  /** The peer will take no streams above `lastStreamId`; those were reset with REFUSED_STREAM. */
  onGoaway(code: number, lastStreamId: number, debugText: string): void;
  /** The peer's settings have changed (`peerStreamsMax`). */
  onSettings(): void;
  /** Output is pending where there was none: take it by the end of this turn. */
  onOutput(): void;
  /** Over, after `onReset` of each stream. Send what is pending (a GOAWAY), then close. Once. */
  onClose(code: number, reason: string): void;
}

export interface Http2Options<C> {
  readonly role: "server" | "client";
  readonly limits: Http2Limits;
  readonly events: Http2Events<C>;
}

/** A block of header fields to send: prepared for many uses, or for this one. */
export type HeaderSource = PreparedHeaders | HeaderList;

const FRAME_HEADERS = FrameType.HEADERS << 8;
const FRAME_DATA = FrameType.DATA << 8;
const DRAIN_PING = 0x6472_6169;
const STREAM_ID_MAX = 0x7fff_ffff;
/** A drain goes on without the peer's answer to its PING after this. */
const DRAIN_PING_MS = 1_000;

export class Http2Connection<C> {
  /** Read `output.buffer` only right after `reserveData`. */
  readonly output: Output;
  /** The driver's clock, monotonic; moved by `receive` and `tick`. */
  nowMs = 0;
  /** Streams that the peer lets us open at once. */
  peerStreamsMax = Number.POSITIVE_INFINITY;
  /** No bytes in or out any more, but for what is pending in `output`. */
  isClosed = false;
  /** When bytes last came from the peer. */
  receivedMs = 0;
  /** HEADERS or DATA were sent since this was last set to false (gRPC's keepalive policy asks). */
  sentSincePing = false;

  readonly #isServer: boolean;
  readonly #limits: Http2Limits;
  readonly #events: Http2Events<C>;
  readonly #decoder: HpackDecoder;
  readonly #encoder = new HpackEncoder();
  readonly #guard: FloodGuard;
  readonly #streams = new Map<number, Stream<C>>();

  #prefaceLeft: number;
  #settingsReceived = false;
  #startedMs = 0;
  /** An incomplete frame that is not DATA, or less than a frame header. */
  #held = Buffer.alloc(0);
  #heldLength = 0;
  /**
   * Header block under way: its stream (0: none), flags of its HEADERS, and what has come of it.
   */
  #blockStreamId = 0;
  #blockFlags = 0;
  #blockParts: Buffer[] = [];
  #blockBytes = 0;
  /**
   * A DATA frame under way: bytes left of its payload with padding, of which padding (-1: not yet
   * known).
   */
  #dataLeft = 0;
  #dataPadding = 0;
  #dataStream: Stream<C> | undefined = undefined;
  #dataEndStream = false;

  #lastPeerStreamId = 0;
  #nextStreamId: number;
  /** Ids of streams reset here, the oldest overwritten first. */
  readonly #resetIds: number[] = [];
  #resetIdsNext = 0;

  #sendWindow = INITIAL_WINDOW_BYTES;
  #peerInitialWindow = INITIAL_WINDOW_BYTES;
  #peerFrameBytesMax = FRAME_BYTES_MAX;
  /** Received since the last WINDOW_UPDATE of the connection. */
  #receivedBytes = 0;
  #queuedBytes = 0;
  /** Streams that have queued data and window, in turn; from `#waitingHead` on. */
  #waiting: Stream<C>[] = [];
  #waitingHead = 0;
  #isPumping = false;
  #isOutputBlocked = false;

  /** Streams of the peer above this are refused, because a GOAWAY said so. */
  #peerStreamIdMax = STREAM_ID_MAX;
  #drainStartedMs = -1;
  #isDrained = false;
  #goawayReceived = false;

  constructor(options: Http2Options<C>) {
    this.#isServer = options.role === "server";
    this.#limits = options.limits;
    this.#events = options.events;
    this.#decoder = new HpackDecoder(options.limits.headerListBytesMax);
    this.#guard = new FloodGuard(options.limits);
    this.#prefaceLeft = this.#isServer ? PREFACE.length : 0;
    this.#nextStreamId = this.#isServer ? 2 : 1;
    this.output = new Output(() => options.events.onOutput());
  }

  /** Streams open now. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** Stream data that waits for window or for the socket, on all streams. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * Whether `openStream` may be called: not before the peer's settings say how many there may be.
   */
  get canOpenStream(): boolean {
    return (
      this.#settingsReceived &&
      !this.isClosed &&
      !this.#goawayReceived &&
      this.#nextStreamId < STREAM_ID_MAX &&
      this.#streams.size < this.peerStreamsMax
    );
  }

  get isGoingAway(): boolean {
    return this.#goawayReceived || this.#drainStartedMs >= 0 || this.isClosed;
  }

  streams(): Iterable<Stream<C>> {
    return this.#streams.values();
  }

  /** Sends this side's preface. Before anything else. */
  start(nowMs: number): void {
    this.nowMs = nowMs;
    this.#startedMs = nowMs;
    this.receivedMs = nowMs;
    this.#guard.tick(nowMs);
    const { output } = this;
    if (!this.#isServer) {
      const offset = this.#reserveRaw(PREFACE.length);
      output.buffer.set(PREFACE, offset);
    }
    const settings: number[] = this.#isServer
      ? [Setting.MAX_CONCURRENT_STREAMS, Math.min(this.#limits.concurrentStreamsMax, 0xffff_ffff)]
      : [Setting.ENABLE_PUSH, 0];
    settings.push(Setting.INITIAL_WINDOW_SIZE, this.#limits.streamWindowBytes);
    settings.push(Setting.MAX_HEADER_LIST_SIZE, this.#limits.headerListBytesMax);
    let at = this.#frame(settings.length * 3, FrameType.SETTINGS << 8, 0);
    for (let position = 0; position < settings.length; position += 2) {
      output.buffer[at] = 0;
      output.buffer[at + 1] = settings[position] as number;
      writeUint32(output.buffer, at + 2, settings[position + 1] as number);
      at += 6;
    }
    const more = this.#limits.connectionWindowBytes - INITIAL_WINDOW_BYTES;
    if (more > 0) this.#writeUint32Frame(FrameType.WINDOW_UPDATE << 8, 0, more);
  }

  // ---- bytes in ----

  /**
   * `chunk` is given away. Errors of the peer end in `onReset` or `onClose`; never throws for them.
   */
  receive(chunk: Buffer, nowMs: number): void {
    if (this.isClosed) return;
    this.nowMs = nowMs;
    this.receivedMs = nowMs;
    try {
      this.#receive(chunk);
      if (this.output.pendingBytes > this.#limits.outputBytesMax) this.#overflow();
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.fail(error.code, error.message);
    }
  }

  #receive(chunk: Buffer): void {
    const end = chunk.length;
    let at = this.#prefaceLeft > 0 ? this.#receivePreface(chunk) : 0;
    while (at < end && !this.isClosed) {
      if (this.#dataLeft > 0) {
        at = this.#continueData(chunk, at, end);
        continue;
      }
      if (this.#heldLength > 0) {
        at = this.#fillHeld(chunk, at, end);
        continue;
      }
      if (end - at < FRAME_HEADER_BYTES) {
        this.#hold(chunk, at, end, FRAME_HEADER_BYTES);
        return;
      }
      const length = this.#frameLength(chunk, at);
      const next = at + FRAME_HEADER_BYTES + length;
      if (next <= end) {
        this.#receiveFrame(chunk, at, length);
        at = next;
      } else if (chunk[at + 3] === FrameType.DATA) {
        this.#beginData(chunk, at, length);
        at += FRAME_HEADER_BYTES;
      } else {
        this.#hold(chunk, at, end, FRAME_HEADER_BYTES + length);
        return;
      }
    }
  }

  #receivePreface(chunk: Buffer): number {
    const length = Math.min(this.#prefaceLeft, chunk.length);
    const lo = PREFACE.length - this.#prefaceLeft;
    if (chunk.compare(PREFACE, lo, lo + length, 0, length) !== 0) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "not an HTTP/2 client preface");
    }
    this.#prefaceLeft -= length;
    return length;
  }

  #frameLength(bytes: Buffer, at: number): number {
    const length =
      ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
    if (length > FRAME_BYTES_MAX) {
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "frame larger than allowed");
    }
    return length;
  }

  #hold(chunk: Buffer, at: number, end: number, wantedBytes: number): void {
    if (this.#held.length < wantedBytes) {
      this.#held = Buffer.allocUnsafeSlow(Math.max(wantedBytes, 64));
    }
    chunk.copy(this.#held, 0, at, end);
    this.#heldLength = end - at;
  }

  /** Takes bytes for the frame that is held; handles it when it is whole. */
  #fillHeld(chunk: Buffer, start: number, end: number): number {
    let at = start;
    if (this.#heldLength < FRAME_HEADER_BYTES) {
      at = this.#holdMore(chunk, at, end, FRAME_HEADER_BYTES);
      if (this.#heldLength < FRAME_HEADER_BYTES) return at;
    }
    const length = this.#frameLength(this.#held, 0);
    if (this.#held[3] === FrameType.DATA && length > 0) {
      this.#heldLength = 0;
      this.#beginData(this.#held, 0, length);
      return at;
    }
    const wanted = FRAME_HEADER_BYTES + length;
    if (this.#held.length < wanted) {
      const larger = Buffer.allocUnsafeSlow(wanted);
      this.#held.copy(larger, 0, 0, this.#heldLength);
      this.#held = larger;
    }
    at = this.#holdMore(chunk, at, end, wanted);
    if (this.#heldLength === wanted) {
      this.#heldLength = 0;
      this.#receiveFrame(this.#held, 0, length);
    }
    return at;
  }

  #holdMore(chunk: Buffer, at: number, end: number, wanted: number): number {
    const next = Math.min(end, at + wanted - this.#heldLength);
    chunk.copy(this.#held, this.#heldLength, at, next);
    this.#heldLength += next - at;
    return next;
  }

  /** One whole frame, its header at `at`. */
  #receiveFrame(chunk: Buffer, at: number, length: number): void {
    const type = chunk[at + 3] as number;
    const flags = chunk[at + 4] as number;
    const id = readUint31(chunk, at + 5);
    const lo = at + FRAME_HEADER_BYTES;
    if (!this.#settingsReceived) this.#expectSettings(type, flags);
    if (this.#blockStreamId !== 0 && type !== FrameType.CONTINUATION) {
      throw protocolError("a frame inside a header block");
    }
    switch (type) {
      case FrameType.DATA:
        this.#receiveData(chunk, lo, length, flags, id);
        break;
      case FrameType.HEADERS:
        this.#receiveHeaders(chunk, lo, lo + length, flags, id);
        break;
      case FrameType.PRIORITY:
        this.#guard.overhead();
        if (id === 0) throw protocolError("PRIORITY on stream 0");
        if (length !== 5) this.#breakStream(id, ErrorCode.FRAME_SIZE_ERROR);
        break;
      case FrameType.RST_STREAM:
        this.#receiveRstStream(chunk, lo, length, id);
        break;
      case FrameType.SETTINGS:
        this.#receiveSettings(chunk, lo, length, flags, id);
        break;
      case FrameType.PUSH_PROMISE:
        throw protocolError("PUSH_PROMISE");
      case FrameType.PING:
        this.#receivePing(chunk, lo, length, flags, id);
        break;
      case FrameType.GOAWAY:
        this.#receiveGoaway(chunk, lo, length, id);
        break;
      case FrameType.WINDOW_UPDATE:
        this.#receiveWindowUpdate(chunk, lo, length, id);
        break;
      case FrameType.CONTINUATION:
        this.#receiveContinuation(chunk, lo, lo + length, flags, id);
        break;
      default:
        // RFC 9113 4.1: unknown types are ignored.
        this.#guard.overhead();
    }
  }

  #expectSettings(type: number, flags: number): void {
    if (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0) {
      throw protocolError("the first frame is not SETTINGS");
    }
    this.#settingsReceived = true;
  }

  // ---- DATA ----

  #receiveData(chunk: Buffer, lo: number, length: number, flags: number, id: number): void {
    const stream = this.#acceptData(length, id);
    if (stream !== undefined) {
      let start = lo;
      let padding = 0;
      if ((flags & Flag.PADDED) !== 0) {
        padding = length > 0 ? (chunk[lo] as number) + 1 : 1;
        if (padding > length) throw protocolError("padding longer than its frame");
        padding -= 1;
        start += 1;
      }
      const endStream = (flags & Flag.END_STREAM) !== 0;
      this.#deliverData(stream, chunk, start, lo + length - padding, endStream);
    }
    if (this.#receivedBytes * 2 >= this.#limits.connectionWindowBytes) this.#returnWindow();
  }

  /** Accounts for a DATA frame; undefined when its bytes go nowhere. */
  #acceptData(length: number, id: number): Stream<C> | undefined {
    this.#receivedBytes += length;
    if (this.#receivedBytes > this.#limits.connectionWindowBytes) {
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "connection window exceeded");
    }
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.remoteEnded || !stream.headersReceived) {
      this.#strayData(id, stream);
      return undefined;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      this.#streamError(stream, ErrorCode.FLOW_CONTROL_ERROR);
      return undefined;
    }
    return stream;
  }

  #strayData(id: number, stream: Stream<C> | undefined): void {
    if (id === 0 || this.#isIdle(id)) throw protocolError("DATA on an idle stream");
    this.#guard.overhead();
    if (stream === undefined) {
      if (!this.#resetIds.includes(id)) this.#writeReset(id, ErrorCode.STREAM_CLOSED);
    } else {
      const isEarly = !stream.headersReceived;
      this.#streamError(stream, isEarly ? ErrorCode.PROTOCOL_ERROR : ErrorCode.STREAM_CLOSED);
    }
  }

  #deliverData(stream: Stream<C>, chunk: Buffer, lo: number, hi: number, endStream: boolean): void {
    if (stream.contentLengthLeft >= 0) {
      stream.contentLengthLeft -= hi - lo;
      if (stream.contentLengthLeft < 0 || (endStream && stream.contentLengthLeft > 0)) {
        this.#streamError(stream, ErrorCode.PROTOCOL_ERROR);
        return;
      }
    }
    if (hi > lo) this.#guard.useful();
    else if (!endStream) this.#guard.overhead();
    if (endStream) this.#endRemote(stream);
    this.#events.onData(stream, chunk, lo, hi, endStream);
    if (endStream) this.#closeIfDrained();
    else if (!stream.isClosed && !stream.isPaused) this.#returnStreamWindow(stream);
  }

  /**
   * Before the owner is told, so that a client can use the stream's place from inside the event.
   */
  #endRemote(stream: Stream<C>): void {
    stream.remoteEnded = true;
    if (!stream.localEnded) return;
    this.#streams.delete(stream.id);
    this.#forget(stream);
  }

  /** A DATA frame of which only a part has come: its payload is handed up as it comes. */
  #beginData(bytes: Buffer, at: number, length: number): void {
    if (!this.#settingsReceived) throw protocolError("the first frame is not SETTINGS");
    if (this.#blockStreamId !== 0) throw protocolError("a frame inside a header block");
    const flags = bytes[at + 4] as number;
    this.#dataStream = this.#acceptData(length, readUint31(bytes, at + 5));
    this.#dataLeft = length;
    this.#dataPadding = (flags & Flag.PADDED) !== 0 ? -1 : 0;
    this.#dataEndStream = (flags & Flag.END_STREAM) !== 0;
  }

  #continueData(chunk: Buffer, start: number, end: number): number {
    let lo = start;
    if (this.#dataPadding < 0) {
      this.#dataPadding = chunk[lo] as number;
      this.#dataLeft -= 1;
      lo += 1;
      if (this.#dataPadding > this.#dataLeft) throw protocolError("padding longer than its frame");
    }
    const next = Math.min(end, lo + this.#dataLeft);
    const payloadLeft = this.#dataLeft - this.#dataPadding;
    const hi = Math.min(next, lo + payloadLeft);
    this.#dataLeft -= next - lo;
    const stream = this.#dataStream;
    const endStream = this.#dataLeft === 0 && this.#dataEndStream;
    if (stream !== undefined && !stream.isClosed && (hi > lo || endStream)) {
      this.#deliverData(stream, chunk, lo, Math.max(lo, hi), endStream);
    }
    if (this.#dataLeft === 0) {
      this.#dataStream = undefined;
      if (this.#receivedBytes * 2 >= this.#limits.connectionWindowBytes) this.#returnWindow();
    }
    return next;
  }

  #returnWindow(): void {
    this.#writeUint32Frame(FrameType.WINDOW_UPDATE << 8, 0, this.#receivedBytes);
    this.#receivedBytes = 0;
  }

  #returnStreamWindow(stream: Stream<C>): void {
    const full = this.#limits.streamWindowBytes;
    if (stream.receiveWindow * 2 > full) return;
    const update = full - stream.receiveWindow;
    this.#writeUint32Frame(FrameType.WINDOW_UPDATE << 8, stream.id, update);
    stream.receiveWindow = full;
  }

  // ---- HEADERS, CONTINUATION ----

  #receiveHeaders(chunk: Buffer, start: number, end: number, flags: number, id: number): void {
    let lo = start;
    let hi = end;
    if ((flags & (Flag.PADDED | Flag.PRIORITY)) !== 0) {
      if ((flags & Flag.PADDED) !== 0) {
        if (lo >= hi) throw sizeError("HEADERS too short");
        hi -= chunk[lo] as number;
        lo += 1;
      }
      if ((flags & Flag.PRIORITY) !== 0) lo += 5;
      if (lo > end) throw sizeError("HEADERS too short");
      if (lo > hi) throw protocolError("padding longer than its frame");
    }
    if (id === 0) throw protocolError("HEADERS on stream 0");
    if ((flags & Flag.END_HEADERS) === 0) {
      this.#blockStreamId = id;
      this.#blockFlags = flags;
      this.#blockBytes = hi - lo;
      this.#blockParts.push(Buffer.from(chunk.subarray(lo, hi)));
      return;
    }
    this.#headerBlock(id, this.#decoder.decode(chunk, lo, hi), (flags & Flag.END_STREAM) !== 0);
  }

  #receiveContinuation(chunk: Buffer, lo: number, hi: number, flags: number, id: number): void {
    if (this.#blockStreamId === 0 || id !== this.#blockStreamId) {
      throw protocolError("CONTINUATION without its HEADERS");
    }
    this.#blockBytes += hi - lo;
    const { headerBlockBytesMax, continuationFramesMax } = this.#limits;
    if (this.#blockBytes > headerBlockBytesMax || this.#blockParts.length > continuationFramesMax) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "header block too large");
    }
    this.#blockParts.push(Buffer.from(chunk.subarray(lo, hi)));
    if ((flags & Flag.END_HEADERS) === 0) return;
    const whole = Buffer.concat(this.#blockParts, this.#blockBytes);
    this.#blockParts = [];
    this.#blockStreamId = 0;
    const endStream = (this.#blockFlags & Flag.END_STREAM) !== 0;
    this.#headerBlock(id, this.#decoder.decode(whole, 0, whole.length), endStream);
  }

  #headerBlock(id: number, block: HeaderBlock, endStream: boolean): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      if (this.#isServer && this.#isIdle(id)) this.#openByPeer(id, block, endStream);
      else this.#strayHeaders(id);
      return;
    }
    if (stream.remoteEnded) {
      this.#guard.overhead();
      this.#streamError(stream, ErrorCode.STREAM_CLOSED);
      return;
    }
    if (!stream.headersReceived) {
      this.#response(stream, block, endStream);
      return;
    }
    // A message may end with content missing only if it has a content-length to be measured by.
    if (block.trailersFault() !== undefined || !endStream || stream.contentLengthLeft > 0) {
      this.#streamError(stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    if (block.isTooLarge) {
      this.#streamError(stream, ErrorCode.ENHANCE_YOUR_CALM);
      return;
    }
    this.#deliverHeaders(stream, block, true);
  }

  #response(stream: Stream<C>, block: HeaderBlock, endStream: boolean): void {
    if (block.isTooLarge) {
      this.#streamError(stream, ErrorCode.ENHANCE_YOUR_CALM);
    } else if (block.responseFault() !== undefined) {
      this.#streamError(stream, ErrorCode.PROTOCOL_ERROR);
    } else if (block.status >= 200) {
      stream.headersReceived = true;
      this.#deliverHeaders(stream, block, endStream);
    } else if (endStream || block.status === 101) {
      this.#streamError(stream, ErrorCode.PROTOCOL_ERROR);
    } else {
      this.#guard.overhead();
    }
  }

  #deliverHeaders(stream: Stream<C>, block: HeaderBlock, endStream: boolean): void {
    if (endStream) this.#endRemote(stream);
    else if (block.contentLength >= 0) stream.contentLengthLeft = block.contentLength;
    this.#events.onHeaders(stream, block, endStream);
    if (endStream) this.#closeIfDrained();
  }

  #strayHeaders(id: number): void {
    if (this.#isIdle(id)) throw protocolError("HEADERS on an idle stream");
    this.#guard.overhead();
    // Late trailers on a stream that was reset here are expected; a client may have cancelled
    // anything.
    if (!this.#isServer || this.#resetIds.includes(id)) return;
    throw new ConnectionError(ErrorCode.STREAM_CLOSED, "HEADERS on a closed stream");
  }

  #openByPeer(id: number, block: HeaderBlock, endStream: boolean): void {
    if ((id & 1) === 0) throw protocolError("a client's stream with an even id");
    this.#lastPeerStreamId = id;
    const limits = this.#limits;
    if (
      id > this.#peerStreamIdMax ||
      this.#streams.size >= limits.concurrentStreamsMax ||
      this.#queuedBytes > limits.queuedBytesRefuse
    ) {
      this.#guard.overhead();
      this.#writeReset(id, ErrorCode.REFUSED_STREAM);
      return;
    }
    const isBroken = block.requestFault() !== undefined || (endStream && block.contentLength > 0);
    if (isBroken || block.isTooLarge) {
      this.#guard.rapidReset();
      const code = isBroken ? ErrorCode.PROTOCOL_ERROR : ErrorCode.ENHANCE_YOUR_CALM;
      this.#writeReset(id, code);
      return;
    }
    this.#guard.useful();
    const stream = new Stream<C>(id, limits.streamWindowBytes, this.nowMs);
    stream.headersReceived = true;
    this.#streams.set(id, stream);
    this.#deliverHeaders(stream, block, endStream);
  }

  // ---- the other frames ----

  #receiveRstStream(chunk: Buffer, lo: number, length: number, id: number): void {
    if (length !== 4) throw sizeError("RST_STREAM is not 4 bytes long");
    if (id === 0 || this.#isIdle(id)) throw protocolError("RST_STREAM on an idle stream");
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      this.#guard.overhead();
      return;
    }
    const isRapid = !stream.headersSent && this.nowMs - stream.openedMs < RAPID_RESET_MS;
    this.#remove(stream);
    this.#events.onReset(stream, readUint32(chunk, lo));
    if (this.#isServer && isRapid) this.#guard.rapidReset();
  }

  #receiveSettings(chunk: Buffer, lo: number, length: number, flags: number, id: number): void {
    if (id !== 0) throw protocolError("SETTINGS on a stream");
    this.#guard.overhead();
    if ((flags & Flag.ACK) !== 0) {
      if (length !== 0) throw sizeError("SETTINGS acknowledgement with a payload");
      return;
    }
    if (length % 6 !== 0) throw sizeError("SETTINGS is not a multiple of 6 bytes long");
    for (let at = lo; at < lo + length; at += 6) {
      const name = ((chunk[at] as number) << 8) | (chunk[at + 1] as number);
      this.#applySetting(name, readUint32(chunk, at + 2));
    }
    this.#frame(0, (FrameType.SETTINGS << 8) | Flag.ACK, 0);
    this.#events.onSettings();
  }

  #applySetting(name: number, value: number): void {
    switch (name) {
      case Setting.HEADER_TABLE_SIZE:
        this.#encoder.setTableBytesMax(value);
        break;
      case Setting.ENABLE_PUSH:
        if (value > 1 || (value === 1 && !this.#isServer)) throw protocolError("ENABLE_PUSH");
        break;
      case Setting.MAX_CONCURRENT_STREAMS:
        this.peerStreamsMax = value;
        break;
      case Setting.INITIAL_WINDOW_SIZE:
        this.#setPeerInitialWindow(value);
        break;
      case Setting.MAX_FRAME_SIZE:
        if (value < FRAME_BYTES_MAX || value > 0xff_ffff) throw protocolError("MAX_FRAME_SIZE");
        this.#peerFrameBytesMax = Math.min(value, SENT_FRAME_BYTES_MAX);
        break;
      default:
        // RFC 9113 6.5.2: unknown settings are ignored.
        break;
    }
  }

  #setPeerInitialWindow(bytes: number): void {
    if (bytes > WINDOW_BYTES_MAX) {
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE too large");
    }
    const isMore = bytes > this.#peerInitialWindow;
    this.#peerInitialWindow = bytes;
    if (!isMore) return;
    // All streams are visited, so that many of these in a row must cost the peer something.
    this.#guard.overhead(this.#streams.size >>> 6);
    for (const stream of this.#streams.values()) {
      if (stream.sendWindowDelta + bytes > WINDOW_BYTES_MAX) {
        throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "a stream's window overflows");
      }
      if (stream.queuedBytes > 0) this.#await(stream);
    }
    this.#pump();
  }

  #receivePing(chunk: Buffer, lo: number, length: number, flags: number, id: number): void {
    if (id !== 0) throw protocolError("PING on a stream");
    if (length !== 8) throw sizeError("PING is not 8 bytes long");
    this.#guard.overhead();
    if ((flags & Flag.ACK) === 0) {
      const at = this.#frame(8, (FrameType.PING << 8) | Flag.ACK, 0);
      chunk.copy(this.output.buffer, at, lo, lo + 8);
      this.#events.onPing();
      return;
    }
    const value = readUint32(chunk, lo + 4);
    if (value === DRAIN_PING && this.#drainStartedMs >= 0) this.#finishDrain();
    else this.#events.onPingAck(value);
  }

  #receiveGoaway(chunk: Buffer, lo: number, length: number, id: number): void {
    if (id !== 0) throw protocolError("GOAWAY on a stream");
    if (length < 8) throw sizeError("GOAWAY is shorter than 8 bytes");
    this.#guard.overhead();
    const lastStreamId = readUint31(chunk, lo);
    const code = readUint32(chunk, lo + 4);
    this.#goawayReceived = true;
    for (const stream of this.#streams.values()) {
      if (this.#isOwn(stream.id) && stream.id > lastStreamId) {
        this.#remove(stream);
        this.#events.onReset(stream, ErrorCode.REFUSED_STREAM);
      }
    }
    const debugText = chunk.latin1Slice(lo + 8, Math.min(lo + length, lo + 8 + 256));
    this.#events.onGoaway(code, lastStreamId, debugText);
    this.#closeIfDrained();
  }

  #receiveWindowUpdate(chunk: Buffer, lo: number, length: number, id: number): void {
    if (length !== 4) throw sizeError("WINDOW_UPDATE is not 4 bytes long");
    const increment = readUint31(chunk, lo);
    this.#guard.overhead();
    if (id === 0) {
      if (increment === 0) throw protocolError("WINDOW_UPDATE of 0");
      this.#sendWindow += increment;
      if (this.#sendWindow > WINDOW_BYTES_MAX) {
        throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "connection window overflows");
      }
      this.#pump();
      return;
    }
    if (this.#isIdle(id)) throw protocolError("WINDOW_UPDATE on an idle stream");
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.sendWindowDelta += increment;
    if (increment === 0) {
      this.#streamError(stream, ErrorCode.PROTOCOL_ERROR);
    } else if (stream.sendWindowDelta + this.#peerInitialWindow > WINDOW_BYTES_MAX) {
      this.#streamError(stream, ErrorCode.FLOW_CONTROL_ERROR);
    } else if (stream.queuedBytes > 0) {
      this.#await(stream);
      this.#pump();
    }
  }

  #isOwn(id: number): boolean {
    return (id & 1) === (this.#isServer ? 0 : 1);
  }

  #isIdle(id: number): boolean {
    return this.#isOwn(id) ? id >= this.#nextStreamId : id > this.#lastPeerStreamId;
  }

  // ---- calls in ----

  /**
   * Opens a stream with a request's fields: `headers`, then `rest` fields of this request alone.
   * Only while `canOpenStream`.
   */
  openStream(
    headers: PreparedHeaders,
    rest: HeaderList | undefined,
    endStream: boolean,
  ): Stream<C> {
    assert(this.canOpenStream, "openStream on a connection that takes no streams");
    const stream = new Stream<C>(this.#nextStreamId, this.#limits.streamWindowBytes, this.nowMs);
    this.#nextStreamId += 2;
    this.#streams.set(stream.id, stream);
    const block =
      rest === undefined
        ? this.#encoder.encodePrepared(headers)
        : this.#encoder.encodeWith(headers, rest);
    this.#writeHeaderBlock(stream, block, endStream);
    return stream;
  }

  /** A response's fields, or trailers with `endStream`; trailers wait behind queued data. */
  sendHeaders(stream: Stream<C>, headers: HeaderSource, endStream: boolean): void {
    if (stream.isClosed) return;
    assert(!stream.endPending, "headers after the end of a stream");
    if (stream.queuedBytes > 0) {
      assert(endStream, "headers in the middle of a stream");
      stream.trailers = headers;
      stream.endPending = true;
      return;
    }
    this.#writeHeaders(stream, headers, endStream);
  }

  #writeHeaders(stream: Stream<C>, headers: HeaderSource, endStream: boolean): void {
    const block =
      headers instanceof PreparedHeaders
        ? this.#encoder.encodePrepared(headers)
        : this.#encoder.encode(headers);
    this.#writeHeaderBlock(stream, block, endStream);
  }

  #writeHeaderBlock(stream: Stream<C>, block: Uint8Array, endStream: boolean): void {
    const length = block.length;
    const endFlag = endStream ? Flag.END_STREAM : 0;
    if (length <= 64) {
      const at = this.#frame(length, FRAME_HEADERS | Flag.END_HEADERS | endFlag, stream.id);
      const { buffer } = this.output;
      for (let position = 0; position < length; position += 1) {
        buffer[at + position] = block[position] as number;
      }
    } else {
      this.#writeLongHeaderBlock(stream.id, block, endFlag);
    }
    stream.headersSent = true;
    this.sentSincePing = true;
    if (endStream) this.#endLocal(stream);
  }

  #writeLongHeaderBlock(id: number, block: Uint8Array, endFlag: number): void {
    let type = FRAME_HEADERS | endFlag;
    for (let lo = 0; lo < block.length; ) {
      const hi = Math.min(block.length, lo + this.#peerFrameBytesMax);
      const at = this.#frame(hi - lo, type | (hi === block.length ? Flag.END_HEADERS : 0), id);
      this.output.buffer.set(block.subarray(lo, hi), at);
      type = FrameType.CONTINUATION << 8;
      lo = hi;
    }
  }

  /**
   * The quick way for a small message: room for one DATA frame of `length` bytes that goes out now.
   * Returns the offset in `output.buffer` at which the caller writes them before any other call, or
   * -1 when window or the socket do not allow it: then `sendData`.
   */
  reserveData(stream: Stream<C>, length: number, endStream: boolean): number {
    if (
      length > this.#peerFrameBytesMax ||
      length > this.#sendWindow ||
      length > this.#peerInitialWindow + stream.sendWindowDelta ||
      stream.queuedBytes > 0 ||
      stream.isClosed ||
      this.#isOutputBlocked ||
      this.output.pendingBytes >= OUTPUT_DIRECT_BYTES
    ) {
      return -1;
    }
    assert(!endStream || !this.#isServer, "a server ends a stream by trailers or sendData");
    const at = this.#dataFrame(stream, length, endStream);
    if (endStream) this.#endLocal(stream);
    return at;
  }

  /**
   * Sends `bytes`, now as far as the windows allow and later the rest. `bytes` is given away, or
   * with `isBorrowed` only lent until this returns. False: enough is waiting on this stream,
   * `onDrain` will come.
   */
  sendData(stream: Stream<C>, bytes: Buffer, endStream: boolean, isBorrowed = false): boolean {
    if (stream.isClosed) return true;
    assert(!stream.endPending, "data after the end of a stream");
    if (endStream) stream.endPending = true;
    const sent = stream.queuedBytes === 0 ? this.#sendNow(stream, bytes, endStream) : 0;
    if (sent < bytes.length && !stream.isClosed) {
      const rest = isBorrowed ? Buffer.from(bytes.subarray(sent)) : bytes.subarray(sent);
      stream.queue ??= [];
      stream.queue.push(rest);
      stream.queuedBytes += rest.length;
      this.#queuedBytes += rest.length;
      if (this.#queuedBytes > this.#limits.queuedBytesMax) {
        this.fail(ErrorCode.ENHANCE_YOUR_CALM, "too much data waits for window");
        return true;
      }
      this.#await(stream);
    }
    if (stream.queuedBytes < STREAM_QUEUE_HIGH_BYTES) return true;
    stream.wantsDrain = true;
    return false;
  }

  /** Frames from `bytes` while all is open; returns how many bytes went out. */
  #sendNow(stream: Stream<C>, bytes: Buffer, endStream: boolean): number {
    if (bytes.length === 0) {
      if (!endStream) return 0;
      this.#frame(0, FRAME_DATA | Flag.END_STREAM, stream.id);
      this.#endLocal(stream);
      return 0;
    }
    const outputMax = bytes.length > FRAME_BYTES_MAX ? OUTPUT_BULK_BYTES : OUTPUT_DIRECT_BYTES;
    let sent = 0;
    while (sent < bytes.length && !this.#isOutputBlocked && this.output.pendingBytes < outputMax) {
      const length = Math.min(
        bytes.length - sent,
        this.#sendWindow,
        this.#peerInitialWindow + stream.sendWindowDelta,
        this.#peerFrameBytesMax,
      );
      if (length <= 0) break;
      const isLast = endStream && sent + length === bytes.length;
      const at = this.#dataFrame(stream, length, isLast);
      bytes.copy(this.output.buffer, at, sent, sent + length);
      sent += length;
      if (isLast) this.#endLocal(stream);
    }
    return sent;
  }

  /** A DATA frame within all windows; the caller writes its payload at the offset returned. */
  #dataFrame(stream: Stream<C>, length: number, endStream: boolean): number {
    this.#sendWindow -= length;
    stream.sendWindowDelta -= length;
    this.sentSincePing = true;
    this.#guard.useful();
    return this.#frame(length, endStream ? FRAME_DATA | Flag.END_STREAM : FRAME_DATA, stream.id);
  }

  /** RST_STREAM; no event follows. Also after the stream has ended here. */
  resetStream(stream: Stream<C>, code: number): void {
    if (stream.isClosed) return;
    this.#remove(stream);
    this.#writeReset(stream.id, code);
  }

  /** While paused the peer gets no more window on this stream. */
  pauseStream(stream: Stream<C>): void {
    stream.isPaused = true;
  }

  resumeStream(stream: Stream<C>): void {
    stream.isPaused = false;
    if (!stream.isClosed && !stream.remoteEnded) this.#returnStreamWindow(stream);
  }

  sendPing(value: number): void {
    if (this.isClosed) return;
    const at = this.#frame(8, FrameType.PING << 8, 0);
    writeUint32(this.output.buffer, at, 0);
    writeUint32(this.output.buffer, at + 4, value);
  }

  /**
   * Lets the streams that are open end and takes no new ones: GOAWAY for all ids, a PING to learn
   * that the peer has read it, GOAWAY with the last id; then `onClose` once no stream is left.
   */
  drain(): void {
    if (this.isClosed || this.#drainStartedMs >= 0) return;
    this.#drainStartedMs = this.nowMs;
    this.#writeGoaway(STREAM_ID_MAX, ErrorCode.NO_ERROR, "graceful_stop");
    this.sendPing(DRAIN_PING);
  }

  #finishDrain(): void {
    if (this.#isDrained) return;
    this.#isDrained = true;
    this.#peerStreamIdMax = this.#lastPeerStreamId;
    this.#writeGoaway(this.#lastPeerStreamId, ErrorCode.NO_ERROR, "");
    this.#closeIfDrained();
  }

  #closeIfDrained(): void {
    if (this.#streams.size > 0 || this.isClosed) return;
    if (this.#isDrained || (this.#goawayReceived && !this.#isServer)) {
      this.isClosed = true;
      this.#events.onClose(ErrorCode.NO_ERROR, "drained");
    }
  }

  /** Ends the connection: GOAWAY with `code`, every stream reset, `onClose`. */
  fail(code: number, reason: string): void {
    if (this.isClosed) return;
    this.#writeGoaway(this.#lastPeerStreamId, code, reason);
    this.#close(code, reason);
  }

  /** The driver lost the connection: every stream is reset, then `onClose`. */
  connectionLost(): void {
    if (!this.isClosed) this.#close(ErrorCode.CANCEL, "connection lost");
  }

  #close(code: number, reason: string): void {
    this.isClosed = true;
    for (const stream of this.#streams.values()) {
      this.#forget(stream);
      this.#events.onReset(stream, code === ErrorCode.NO_ERROR ? ErrorCode.CANCEL : code);
    }
    this.#streams.clear();
    this.#held = Buffer.alloc(0);
    this.#blockParts = [];
    this.#waiting = [];
    this.#waitingHead = 0;
    this.#events.onClose(code, reason);
  }

  /** Now and then, some ten times a second. */
  tick(nowMs: number): void {
    this.nowMs = nowMs;
    this.#guard.tick(nowMs);
    if (this.isClosed) return;
    if (this.output.pendingBytes > this.#limits.outputBytesMax) this.#overflow();
    if (!this.#settingsReceived && nowMs - this.#startedMs > HANDSHAKE_MS) {
      this.fail(ErrorCode.SETTINGS_TIMEOUT, "no SETTINGS");
    }
    if (this.#drainStartedMs >= 0 && nowMs - this.#drainStartedMs > DRAIN_PING_MS) {
      this.#finishDrain();
    }
    if (this.output.pendingBytes === 0 && nowMs - this.receivedMs > 5_000) this.output.release();
  }

  // ---- bytes out ----

  /** All that is pending, in order, given away. The driver writes it to the socket at once. */
  takeOutput(): Buffer[] {
    const taken = this.output.take();
    if (this.#waiting.length > this.#waitingHead) this.#pump();
    return taken;
  }

  /** While blocked, stream data waits in the streams' queues instead of in the output. */
  setOutputBlocked(isBlocked: boolean): void {
    this.#isOutputBlocked = isBlocked;
    if (!isBlocked) this.#pump();
  }

  /** The peer does not read: nothing more is kept for it. */
  #overflow(): void {
    this.fail(ErrorCode.ENHANCE_YOUR_CALM, "the peer does not read what it asked for");
  }

  #canSendQueued(stream: Stream<C>): boolean {
    return (
      stream.queuedBytes > 0 &&
      this.#sendWindow > 0 &&
      this.#peerInitialWindow + stream.sendWindowDelta > 0
    );
  }

  /** Puts a stream with queued data in the line of those that may send. */
  #await(stream: Stream<C>): void {
    if (stream.isWaiting || this.#peerInitialWindow + stream.sendWindowDelta <= 0) return;
    stream.isWaiting = true;
    this.#waiting.push(stream);
  }

  /** One frame of each waiting stream in turn, while windows and the socket allow. */
  #pump(): void {
    if (this.#isPumping || this.isClosed) return;
    this.#isPumping = true;
    while (
      this.#waitingHead < this.#waiting.length &&
      this.#sendWindow > 0 &&
      !this.#isOutputBlocked &&
      this.output.pendingBytes < OUTPUT_BULK_BYTES
    ) {
      const stream = this.#waiting[this.#waitingHead] as Stream<C>;
      this.#waitingHead += 1;
      stream.isWaiting = false;
      if (stream.isClosed) continue;
      if (this.#canSendQueued(stream)) this.#sendQueued(stream);
      if (stream.queuedBytes > 0) this.#await(stream);
      if (stream.wantsDrain && stream.queuedBytes <= STREAM_QUEUE_LOW_BYTES && !stream.isClosed) {
        stream.wantsDrain = false;
        this.#events.onDrain(stream);
      }
    }
    if (this.#waitingHead * 2 >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#waitingHead);
      this.#waitingHead = 0;
    }
    this.#isPumping = false;
  }

  /** One DATA frame from the queue, and what follows the queue when it is empty. */
  #sendQueued(stream: Stream<C>): void {
    const length = Math.min(
      stream.queuedBytes,
      this.#sendWindow,
      this.#peerInitialWindow + stream.sendWindowDelta,
      this.#peerFrameBytesMax,
    );
    const isLast = length === stream.queuedBytes;
    const endStream = isLast && stream.endPending && stream.trailers === undefined;
    const trailers = stream.trailers;
    const at = this.#dataFrame(stream, length, endStream);
    this.#dequeue(stream, at, length);
    if (!isLast) return;
    stream.queue = undefined;
    stream.queueHead = 0;
    if (trailers !== undefined) this.#writeHeaders(stream, trailers, true);
    else if (endStream) this.#endLocal(stream);
  }

  #dequeue(stream: Stream<C>, offset: number, length: number): void {
    const { buffer } = this.output;
    const queue = stream.queue as Buffer[];
    let at = offset;
    const end = offset + length;
    while (at < end) {
      const piece = queue[stream.queueHead] as Buffer;
      const hi = Math.min(piece.length, stream.queueOffset + end - at);
      at += piece.copy(buffer, at, stream.queueOffset, hi);
      stream.queueOffset = hi;
      if (hi === piece.length) {
        stream.queueOffset = 0;
        stream.queueHead += 1;
      }
    }
    if (stream.queueHead > 64 && stream.queueHead * 2 > queue.length) {
      stream.queue = queue.slice(stream.queueHead);
      stream.queueHead = 0;
    }
    stream.queuedBytes -= length;
    this.#queuedBytes -= length;
  }

  #endLocal(stream: Stream<C>): void {
    stream.localEnded = true;
    stream.endPending = true;
    if (stream.isClosed) return;
    if (stream.remoteEnded) this.#remove(stream);
    // RFC 9113 8.1: the whole response is out, so the rest of the request is not wanted.
    else if (this.#isServer) this.resetStream(stream, ErrorCode.NO_ERROR);
  }

  #remove(stream: Stream<C>): void {
    this.#streams.delete(stream.id);
    this.#forget(stream);
    if (this.#streams.size === 0) this.#closeIfDrained();
  }

  #forget(stream: Stream<C>): void {
    stream.isClosed = true;
    this.#queuedBytes -= stream.queuedBytes;
    stream.queuedBytes = 0;
    stream.queue = undefined;
    stream.trailers = undefined;
  }

  /** The peer broke a rule on a stream. */
  #streamError(stream: Stream<C>, code: number): void {
    this.#remove(stream);
    this.#writeReset(stream.id, code);
    this.#events.onReset(stream, code);
    if (this.#isServer) this.#guard.rapidReset();
  }

  #breakStream(id: number, code: number): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.#streamError(stream, code);
  }

  #writeReset(id: number, code: number): void {
    this.#resetIds[this.#resetIdsNext] = id;
    this.#resetIdsNext = (this.#resetIdsNext + 1) % RESET_STREAMS_REMEMBERED;
    this.#writeUint32Frame(FrameType.RST_STREAM << 8, id, code);
  }

  #writeGoaway(lastStreamId: number, code: number, debugText: string): void {
    const at = this.#frame(8 + debugText.length, FrameType.GOAWAY << 8, 0);
    const { buffer } = this.output;
    writeUint32(buffer, at, lastStreamId);
    writeUint32(buffer, at + 4, code);
    buffer.latin1Write(debugText, at + 8, debugText.length);
  }

  #writeUint32Frame(typeAndFlags: number, id: number, value: number): void {
    const at = this.#frame(4, typeAndFlags, id);
    writeUint32(this.output.buffer, at, value);
  }

  /**
   * Header of a frame with room for its payload; returns the payload's offset in `output.buffer`.
   */
  #frame(length: number, typeAndFlags: number, id: number): number {
    const at = this.#reserveRaw(FRAME_HEADER_BYTES + length);
    writeFrameHeader(this.output.buffer, at, length, typeAndFlags, id);
    return at + FRAME_HEADER_BYTES;
  }

  #reserveRaw(bytes: number): number {
    return this.output.reserve(bytes);
  }
}

function protocolError(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.PROTOCOL_ERROR, message);
}

function sizeError(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, message);
}
