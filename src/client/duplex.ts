/** Streaming calls as users see them: a queue of what came, and the server is held back by it. */
import { Code } from "../errors/index.ts";
import type { ClientCall } from "../grpc/index.ts";
import type { Timer } from "../seam/index.ts";
import type { Waiter } from "./balancer.ts";
import type { Core } from "./core.ts";
import { cancelled, ClientError, deadlineExceeded } from "./error.ts";
import { STREAM_MESSAGES_MAX } from "./limits.ts";
import type { Link } from "./link.ts";
import type { StreamMethod } from "./method.ts";
import type { CallOptions, Duplex } from "./types.ts";

/** Waits for a connection and opens one stream on it. */
export class StreamOpener<Q, R> implements Waiter {
  readonly link: Link | undefined;
  readonly failFast: boolean;
  readonly #core: Core;
  readonly #method: StreamMethod<Q, R>;
  readonly #options: CallOptions;
  readonly #resolve: (stream: DuplexCall<Q, R>) => void;
  readonly #reject: (error: unknown) => void;
  #timer: Timer | undefined = undefined;

  constructor(
    core: Core,
    method: StreamMethod<Q, R>,
    options: CallOptions,
    resolve: (stream: DuplexCall<Q, R>) => void,
    reject: (error: unknown) => void,
  ) {
    const { endpoint } = options;
    this.#core = core;
    this.#method = method;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.failFast = options.failFast ?? false;
    this.link =
      endpoint === undefined ? undefined : core.balancer.linkOf(core.options.endpointUrl(endpoint));
  }

  start(): void {
    const { signal, timeoutMs } = this.#options;
    const core = this.#core;
    if (signal?.aborted === true) return this.#reject(cancelled());
    if (core.needsLogin) {
      core.login(this.#options).then(() => this.start(), this.#reject);
      return;
    }
    const link = this.link ?? core.balancer.pick();
    if (link?.client !== undefined) return this.#open(link);
    signal?.addEventListener("abort", this);
    if (timeoutMs !== undefined && timeoutMs !== Number.POSITIVE_INFINITY) {
      this.#timer = core.timers.after(timeoutMs, () => this.#expire());
    }
    core.balancer.wait(this);
  }

  connected(link: Link): void {
    this.#settle();
    this.#open(link);
  }

  failed(error: ClientError): void {
    this.#settle();
    this.#reject(error);
  }

  handleEvent(): void {
    this.#settle();
    this.#reject(cancelled());
  }

  #expire(): void {
    const detail = this.#core.balancer.failureOf(this);
    this.#settle();
    this.#reject(deadlineExceeded(detail === "" ? undefined : detail));
  }

  #settle(): void {
    this.#options.signal?.removeEventListener("abort", this);
    this.#timer?.cancel();
    this.#core.balancer.stopWaiting(this);
  }

  #open(link: Link): void {
    const client = link.client;
    if (client === undefined) return this.start();
    const { timeoutMs } = this.#options;
    const metadata = this.#core.metadata(this.#options);
    const call = client.stream(
      this.#method.path,
      timeoutMs === undefined || timeoutMs === Number.POSITIVE_INFINITY
        ? { metadata }
        : { metadata, timeoutMs },
    );
    const { signal } = this.#options;
    this.#resolve(new DuplexCall({ call, method: this.#method, endpoint: link.endpoint, signal }));
  }
}

interface Reader<R> {
  resolve(result: IteratorResult<R, undefined>): void;
  reject(error: unknown): void;
}

export class DuplexCall<Q, R> implements Duplex<Q, R> {
  readonly endpoint: string;
  readonly #call: ClientCall;
  readonly #method: StreamMethod<Q, R>;
  readonly #signal: AbortSignal | undefined;
  #queue: R[] = [];
  #readers: Reader<R>[] = [];
  #drained: (() => void)[] = [];
  #isPaused = false;
  /** Set at the end; undefined inside = status OK. */
  #end: { readonly error: ClientError | undefined } | undefined = undefined;

  constructor(options: {
    call: ClientCall;
    method: StreamMethod<Q, R>;
    endpoint: string;
    signal: AbortSignal | undefined;
  }) {
    const { call, signal } = options;
    this.#call = call;
    this.#method = options.method;
    this.endpoint = options.endpoint;
    this.#signal = signal;
    call.onMessage = (message) => this.#receive(message);
    call.onDrain = () => this.#drain();
    call.onEnd = (code, message) => this.#ended(code, message);
    signal?.addEventListener("abort", this);
  }

  handleEvent(): void {
    this.cancel();
  }

  send(request: Q): Promise<void> {
    if (this.#end !== undefined) {
      const text = "the stream is over";
      return Promise.reject(this.#end.error ?? new ClientError(Code.CANCELLED, text));
    }
    if (this.#call.send(this.#method.encode(request))) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  halfClose(): void {
    this.#call.halfClose();
  }

  cancel(): void {
    this.#call.cancel();
  }

  #receive(bytes: Buffer): void {
    let message: R;
    try {
      message = this.#method.decode(bytes);
    } catch (error) {
      this.#ended(Code.INTERNAL, `an answer of ${this.#method.path}: ${String(error)}`);
      this.#call.cancel();
      return;
    }
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      reader.resolve({ value: message, done: false });
      return;
    }
    this.#queue.push(message);
    if (this.#queue.length < STREAM_MESSAGES_MAX || this.#isPaused) return;
    this.#isPaused = true;
    this.#call.pauseMessages();
  }

  #drain(): void {
    const drained = this.#drained;
    this.#drained = [];
    for (const resolve of drained) resolve();
  }

  #ended(code: Code, message: string): void {
    if (this.#end !== undefined) return;
    this.#signal?.removeEventListener("abort", this);
    const { endpoint } = this;
    this.#end = {
      error: code === Code.OK ? undefined : new ClientError(code, message, { endpoint }),
    };
    this.#drain();
    const readers = this.#readers;
    this.#readers = [];
    for (const reader of readers) this.#tellEnd(reader);
  }

  #tellEnd(reader: Reader<R>): void {
    const error = this.#end?.error;
    if (error === undefined) reader.resolve({ value: undefined, done: true });
    else reader.reject(error);
  }

  next(): Promise<IteratorResult<R, undefined>> {
    return new Promise((resolve, reject) => {
      const reader: Reader<R> = { resolve, reject };
      const message = this.#queue.shift();
      if (message === undefined) {
        if (this.#end === undefined) this.#readers.push(reader);
        else this.#tellEnd(reader);
        return;
      }
      resolve({ value: message, done: false });
      if (!this.#isPaused || this.#queue.length > 0) return;
      this.#isPaused = false;
      this.#call.resumeMessages();
    });
  }

  return(): Promise<IteratorResult<R, undefined>> {
    this.cancel();
    this.#queue = [];
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
