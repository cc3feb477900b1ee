/**
 * The end of a stream that we have dialled: the peer writes, we receive (PE-30).
 *
 * It dials as long as it lives: at once when an established stream ends, otherwise with REDIAL_MS
 * between attempts (PE-35). What a peer says no with decides nothing but what is logged, except
 * that it has removed this member (PE-20).
 */
import { MalformedError } from "../base/index.ts";
import { formatId } from "../datadir/index.ts";
import type { HttpBody, HttpClientResponse, HttpHeaders, Timer } from "../seam/index.ts";
import type { Message } from "../wire/index.ts";
import { readAll } from "./body.ts";
import { type Context, isRefused, reasonOf, requestHeaders } from "./context.ts";
import { FrameDecoder } from "./frame-decoder.ts";
import type { StreamKind } from "./frame-encoder.ts";
import {
  QUESTION_BYTES_MAX,
  REDIAL_AFTER_RESET_MS,
  REDIAL_MS,
  REDIAL_REMOVED_MS,
} from "./limits.ts";
import type { UrlPicker } from "./url-picker.ts";
import { HEADER, speaksStreams } from "./versions.ts";

export interface StreamReaderEvents {
  onUp(reader: StreamReader): void;
  onDown(reader: StreamReader, reason: string): void;
  /** Nothing listens at the URL. */
  onRefused(): void;
  onMessage(message: Message): void;
  onBytes(count: number): void;
  /** The peer shows what it is. */
  onKnown(headers: HttpHeaders): void;
  onRemoved(): void;
}

export interface StreamReaderOptions {
  readonly kind: StreamKind;
  /** The peer. */
  readonly id: bigint;
  readonly picker: UrlPicker;
  readonly events: StreamReaderEvents;
}

/** Why a dial that was answered led to nothing. */
class Refusal extends Error {
  readonly isRemoval: boolean;

  constructor(message: string, isRemoval = false) {
    super(message);
    this.isRemoval = isRemoval;
  }
}

export class StreamReader {
  readonly kind: StreamKind;
  readonly #context: Context;
  readonly #options: StreamReaderOptions;
  readonly #stop = new AbortController();
  #body: HttpBody | undefined;
  #timer: Timer | undefined;
  #dialledAtMs = Number.NEGATIVE_INFINITY;
  /** The last stream was up, and no dial since then has been answered or refused. */
  #isFreshlyLost = false;
  #told = "";

  constructor(context: Context, options: StreamReaderOptions) {
    this.#context = context;
    this.#options = options;
    this.kind = options.kind;
  }

  get isUp(): boolean {
    return this.#body !== undefined;
  }

  start(): void {
    void this.#dial();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#stop.abort();
    this.#body?.destroy();
  }

  #dialAfter(delayMs: number): void {
    if (this.#stop.signal.aborted) return;
    this.#timer?.cancel();
    this.#timer = this.#context.timers.after(delayMs, () => void this.#dial());
  }

  async #dial(): Promise<void> {
    const { clock, dialTimeoutMs, handler, http } = this.#context;
    const { events, id, picker } = this.#options;
    const url = picker.pick();
    this.#dialledAtMs = clock.monotonicMs();
    if (url === undefined) return this.#dialAfter(REDIAL_MS);
    try {
      const answer = await http.request({
        method: "GET",
        url,
        target: `/raft/stream/${this.kind}/${formatId(handler.id)}`,
        headers: { ...requestHeaders(this.#context), [HEADER.raftTo]: formatId(id) },
        connectTimeoutMs: dialTimeoutMs,
        answerTimeoutMs: dialTimeoutMs,
        isAlone: true,
        signal: this.#stop.signal,
      });
      events.onKnown(answer.headers);
      await this.#accept(answer);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#onFailure(url, error);
    }
  }

  async #accept(answer: HttpClientResponse): Promise<void> {
    const { handler, readTimeoutMs, serverVersion } = this.#context;
    const { status, headers, body } = answer;
    if (status !== 200) {
      const text = (await readAll(body, QUESTION_BYTES_MAX, readTimeoutMs)).toString("utf8");
      throw new Refusal(`status ${status}: ${text.trim().slice(0, 200)}`, status === 410);
    }
    if (!speaksStreams(headers, serverVersion)) {
      body.destroy();
      throw new Refusal(`version ${headers[HEADER.serverVersion]} is not known to have streams`);
    }
    this.#told = "";
    this.#body = body;
    this.#isFreshlyLost = false;
    this.#options.events.onUp(this);
    this.#receive(body, handler.id);
  }

  #receive(body: HttpBody, ownId: bigint): void {
    const { events, id, kind } = this.#options;
    const decoder = new FrameDecoder({
      kind,
      from: id,
      to: ownId,
      onMessage: (message) => events.onMessage(message),
    });
    let malformed: string | undefined;
    const onData = (chunk: Buffer): void => {
      if (malformed !== undefined) return;
      events.onBytes(chunk.length);
      try {
        decoder.push(chunk);
      } catch (error) {
        // Anything else is a fault of our own, and not the peer's.
        if (!(error instanceof MalformedError)) throw error;
        malformed = error.message;
        body.destroy();
      }
    };
    const onError = (error: Error): void => this.#onLost(malformed ?? reasonOf(error));
    const onEnd = (): void => this.#onLost("the peer has ended it");
    body.start({ onData, onEnd, onError }, this.#context.readTimeoutMs);
  }

  #onLost(reason: string): void {
    this.#body = undefined;
    if (this.#stop.signal.aborted) return;
    this.#isFreshlyLost = true;
    this.#options.events.onDown(this, reason);
    const sinceMs = this.#context.clock.monotonicMs() - this.#dialledAtMs;
    if (sinceMs >= REDIAL_MS) void this.#dial();
    else this.#dialAfter(REDIAL_MS - sinceMs);
  }

  #onFailure(url: string, error: unknown): void {
    const { events, id, picker } = this.#options;
    const reason = reasonOf(error);
    if (reason !== this.#told) {
      this.#told = reason;
      this.#context.logger.warn("cannot open a stream", {
        "remote-peer-id": formatId(id),
        "stream-type": this.kind,
        url,
        error: reason,
      });
    }
    if (error instanceof Refusal && error.isRemoval) {
      events.onRemoved();
      return this.#dialAfter(REDIAL_REMOVED_MS);
    }
    if (isRefused(error)) events.onRefused();
    else if (reason === "ECONNRESET" && this.#isFreshlyLost) {
      this.#isFreshlyLost = false;
      return this.#dialAfter(REDIAL_AFTER_RESET_MS);
    }
    this.#isFreshlyLost = false;
    picker.unreachable(url);
    this.#dialAfter(REDIAL_MS);
  }
}
