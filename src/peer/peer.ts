/**
 * One other member: the streams in both directions, and what stands in for them.
 *
 * A message goes by the stream made for it, by the other one, or as a POST (PE-36). What cannot go
 * is dropped and reported; the consensus sends it again.
 */
import { formatId } from "../datadir/index.ts";
import type { HttpHeaders, HttpStreamResponse, SnapshotImage } from "../seam/index.ts";
import { type Message, MessageType } from "../wire/index.ts";
import type { Context } from "./context.ts";
import type { StreamKind } from "./frame-encoder.ts";
import { Measures } from "./measures.ts";
import { Pipeline } from "./pipeline.ts";
import { Prober } from "./prober.ts";
import { SnapshotSender } from "./snapshot-sender.ts";
import { StreamReader } from "./stream-reader.ts";
import { StreamWriter } from "./stream-writer.ts";
import { UrlPicker } from "./url-picker.ts";
import { HEADER, takesStores } from "./versions.ts";

/** What peers of one transport share. */
export interface PeerEvents {
  readonly schedule: (writer: StreamWriter) => void;
  readonly onMessage: (from: Peer, message: Message) => void;
  /** A peer says that this member was removed. */
  readonly onRemoved: () => void;
}

export class Peer {
  readonly id: bigint;
  readonly picker: UrlPicker;
  readonly measures: Measures;
  /** Monotonic ms since when a stream is up, in either direction. */
  activeSinceMs: number | undefined;
  /** One of our own kind. */
  isHoldfast = false;
  /** Takes a store's own file as a snapshot. */
  takesStores = false;
  readonly #context: Context;
  readonly #events: PeerEvents;
  readonly #readers: readonly StreamReader[];
  readonly #pipeline: Pipeline;
  readonly #snapshots: SnapshotSender;
  readonly #prober: Prober;
  #msgapp: StreamWriter | undefined;
  #message: StreamWriter | undefined;
  /** A stream of ours was up since the process was last seen gone. */
  #wasUp = false;
  #isReporting = false;
  #isStopped = false;

  /** A remote is sent to by POST alone: it is no member here (surface 15.2, X-PeerURLs). */
  constructor(
    context: Context,
    events: PeerEvents,
    options: { id: bigint; urls: readonly string[]; isRemote: boolean },
  ) {
    const { id } = options;
    this.id = id;
    this.#context = context;
    this.#events = events;
    const picker = new UrlPicker(options.urls);
    const measures = new Measures(id);
    const { onRemoved } = events;
    this.picker = picker;
    this.measures = measures;
    this.#pipeline = new Pipeline(context, {
      id,
      picker,
      sentBytes: measures.sentBytes,
      sentFailures: measures.sentFailures,
      onUnreachable: () => this.#reportUnreachable(),
      onRemoved,
    });
    const isHoldfast = (): boolean => this.isHoldfast;
    this.#snapshots = new SnapshotSender(context, { id, picker, measures, isHoldfast, onRemoved });
    this.#prober = new Prober(context, { id, picker, measures });
    this.#readers = options.isRemote ? [] : [this.#reader("msgapp"), this.#reader("message")];
    for (const reader of this.#readers) reader.start();
  }

  #reader(kind: StreamKind): StreamReader {
    const { receivedBytes } = this.measures;
    const events = {
      onUp: (reader: StreamReader) => {
        this.#wasUp = true;
        this.#context.logger.info("opened a stream from a peer", this.#fields(reader.kind));
        this.#changed();
      },
      onDown: (reader: StreamReader, reason: string) => {
        if (!this.#isStopped) this.measures.receivedFailures.add();
        this.#context.logger.info("lost a stream from a peer", this.#fields(reader.kind, reason));
        this.#changed();
      },
      onRefused: () => this.#onRefused(),
      onMessage: (message: Message) => this.#events.onMessage(this, message),
      onBytes: (count: number) => receivedBytes.add(count),
      onKnown: (headers: HttpHeaders) => this.know(headers),
      onRemoved: this.#events.onRemoved,
    };
    return new StreamReader(this.#context, { kind, id: this.id, picker: this.picker, events });
  }

  /** What it says of itself: with another process it may become another. */
  know(headers: HttpHeaders): void {
    this.isHoldfast = headers[HEADER.holdfastVersion] !== undefined;
    this.takesStores = takesStores(headers);
  }

  #fields(kind: StreamKind, error?: string): Record<string, unknown> {
    return {
      "remote-peer-id": formatId(this.id),
      "stream-type": kind,
      ...(error === undefined ? {} : { error }),
    };
  }

  /** Nothing listens where a stream was up: while one still is, the process is only closing. */
  #onRefused(): void {
    if (!this.#wasUp || this.#readers.some((reader) => reader.isUp)) return;
    this.#wasUp = false;
    this.#context.handler.processGone(this.id);
  }

  /** The peer has dialled: from now on we write here, and no longer to an older one (PE-37). */
  attach(kind: StreamKind, response: HttpStreamResponse): void {
    const writer = new StreamWriter({
      kind,
      response,
      sentBytes: this.measures.sentBytes,
      writeTimeoutMs: this.#context.writeTimeoutMs,
      schedule: this.#events.schedule,
      soon: (run) => this.#context.timers.soon(run),
      onGone: (gone, reason) => this.#detach(gone, reason),
    });
    const older = kind === "msgapp" ? this.#msgapp : this.#message;
    if (kind === "msgapp") this.#msgapp = writer;
    else this.#message = writer;
    if (older !== undefined) {
      older.close();
      this.#reportUnreachable();
    }
    this.#context.logger.info("opened a stream to a peer", this.#fields(kind));
    this.#changed();
  }

  #detach(writer: StreamWriter, reason: string): void {
    if (this.#msgapp === writer) this.#msgapp = undefined;
    else if (this.#message === writer) this.#message = undefined;
    else return;
    this.#context.logger.info("lost a stream to a peer", this.#fields(writer.kind, reason));
    this.measures.sentFailures.add();
    // What it had queued is lost.
    this.#reportUnreachable();
    this.#changed();
  }

  #changed(): void {
    const streams =
      Number(this.#msgapp !== undefined) +
      Number(this.#message !== undefined) +
      this.#readers.filter((reader) => reader.isUp).length;
    this.measures.streams = streams;
    const isActive = streams > 0;
    if (isActive === this.measures.isActive) return;
    this.measures.isActive = isActive;
    this.activeSinceMs = isActive ? this.#context.clock.monotonicMs() : undefined;
    const fields = { "remote-peer-id": formatId(this.id) };
    if (isActive) return this.#context.logger.info("peer became active", fields);
    this.measures.disconnects.add();
    if (!this.#isStopped) this.#context.logger.warn("peer became inactive", fields);
  }

  send(message: Message): void {
    const stream =
      message.type === MessageType.APP ? (this.#msgapp ?? this.#message) : this.#message;
    const isTaken =
      stream === undefined || message.type === MessageType.SNAP
        ? this.#pipeline.send(message)
        : stream.send(message);
    if (isTaken) return;
    this.measures.sentFailures.add();
    this.#reportUnreachable();
  }

  sendSnapshot(message: Message, image: SnapshotImage): void {
    this.#snapshots.send(message, image);
  }

  /** Later, and once for all of a turn: the consensus is at work while it sends. */
  #reportUnreachable(): void {
    if (this.#isReporting || this.#isStopped) return;
    this.#isReporting = true;
    this.#context.timers.soon(() => {
      this.#isReporting = false;
      if (!this.#isStopped) this.#context.handler.unreachable(this.id);
    });
  }

  pulse(nowMs: number): void {
    this.#msgapp?.pulse(nowMs);
    this.#message?.pulse(nowMs);
  }

  probe(): void {
    if (this.#readers.length > 0) void this.#prober.probe();
  }

  get bufferedBytes(): number {
    return (this.#msgapp?.bufferedBytes ?? 0) + (this.#message?.bufferedBytes ?? 0);
  }

  /** Lets what is queued leave; `stop` comes after it. */
  end(): void {
    this.#isStopped = true;
    this.#msgapp?.end();
    this.#message?.end();
  }

  stop(): void {
    this.#isStopped = true;
    for (const reader of this.#readers) reader.stop();
    this.#pipeline.stop();
    this.#snapshots.stop();
    this.#prober.stop();
    this.#msgapp?.close();
    this.#message?.close();
    this.#msgapp = undefined;
    this.#message = undefined;
  }
}
