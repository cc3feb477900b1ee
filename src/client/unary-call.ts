/**
 * One unary call over all its attempts (FR-34). What changes nothing is tried again on any
 * UNAVAILABLE; what writes only when the server has certainly not acted on it; either on another
 * endpoint first, then after a rest, always within the call's deadline.
 */
import { Code, errors } from "../errors/index.ts";
import type { ClientCall } from "../grpc/index.ts";
import type { Timer } from "../seam/index.ts";
import type { Waiter } from "./balancer.ts";
import type { Core } from "./core.ts";
import { cancelled, ClientError, deadlineExceeded } from "./error.ts";
import { ATTEMPTS_MAX, RETRY_MS_MAX, RETRY_MS_MIN } from "./limits.ts";
import type { Link } from "./link.ts";
import { METHODS } from "./methods.ts";
import type { UnaryMethod } from "./method.ts";
import type { CallOptions } from "./types.ts";

/** What gRPC's balancers say when a call went nowhere; the two that let etcd's clients retry. */
const NOWHERE: ReadonlySet<string> = new Set([
  "there is no address available",
  "there is no connection available",
]);

export class UnaryCall<Q, R> implements Waiter {
  readonly link: Link | undefined;
  readonly failFast: boolean;
  readonly #core: Core;
  readonly #method: UnaryMethod<Q, R>;
  readonly #bytes: Buffer;
  readonly #options: CallOptions;
  readonly #resolve: (response: R) => void;
  readonly #reject: (error: unknown) => void;
  readonly #deadlineMs: number;
  #attempts = 0;
  #logins = 0;
  #isDone = false;
  /** While it waits or rests; undefined while an attempt is under way. */
  #timer: Timer | undefined = undefined;
  #call: ClientCall | undefined = undefined;
  #lastLink: Link | undefined = undefined;
  #lastError: ClientError | undefined = undefined;

  constructor(
    core: Core,
    method: UnaryMethod<Q, R>,
    bytes: Buffer,
    options: CallOptions,
    resolve: (response: R) => void,
    reject: (error: unknown) => void,
  ) {
    const { balancer, clock } = core;
    const { endpoint } = options;
    this.#core = core;
    this.#method = method;
    this.#bytes = bytes;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.link =
      endpoint === undefined ? undefined : balancer.linkOf(core.options.endpointUrl(endpoint));
    this.failFast = options.failFast ?? false;
    this.#deadlineMs = clock.monotonicMs() + (options.timeoutMs ?? core.options.timeoutMs);
  }

  start(): void {
    const { signal } = this.#options;
    const max = this.#core.options.sendBytesMax;
    if (this.#bytes.length > max) {
      const text = `trying to send message larger than max (${this.#bytes.length} vs. ${max})`;
      this.#fail(new ClientError(Code.RESOURCE_EXHAUSTED, text, { isUnprocessed: true }));
    } else if (signal?.aborted === true) {
      this.#fail(cancelled());
    } else {
      signal?.addEventListener("abort", this);
      this.#go();
    }
  }

  /** The signal was aborted. */
  handleEvent(): void {
    const call = this.#call;
    this.#fail(cancelled());
    call?.cancel();
  }

  #go(): void {
    const core = this.#core;
    if (core.needsLogin && (this.#method as unknown) !== METHODS.authenticate) {
      this.#logIn();
      return;
    }
    const link = this.link ?? core.balancer.pick();
    if (link?.client !== undefined) this.#attempt(link);
    else this.#wait();
  }

  #wait(): void {
    const restMs = this.#deadlineMs - this.#core.clock.monotonicMs();
    if (restMs !== Number.POSITIVE_INFINITY) {
      this.#timer = this.#core.timers.after(Math.max(restMs, 0), () => this.#expire());
    }
    this.#core.balancer.wait(this);
  }

  connected(link: Link): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#attempt(link);
  }

  failed(error: ClientError): void {
    this.#fail(error);
  }

  #attempt(link: Link): void {
    const client = link.client;
    if (client === undefined) return this.#wait();
    const { clock } = this.#core;
    const nowMs = clock.monotonicMs();
    const restMs = this.#deadlineMs - nowMs;
    if (restMs <= 0) return this.#expire();
    link.callBegan(nowMs);
    this.#attempts += 1;
    this.#lastLink = link;
    const metadata = this.#core.metadata(this.#options);
    const options =
      restMs === Number.POSITIVE_INFINITY ? { metadata } : { metadata, timeoutMs: restMs };
    let isEnded = false;
    const call = client.unary(
      this.#method.path,
      this.#bytes,
      (code, message, response, ended) => {
        isEnded = true;
        this.#call = undefined;
        const isGivenUp = this.#isDone || code === Code.DEADLINE_EXCEEDED;
        link.callEnded(clock.monotonicMs(), !isGivenUp);
        if (this.#isDone) return;
        if (code === Code.OK) this.#succeed(response as Buffer);
        else this.#refused(code, message, ended.isUnprocessed, link);
      },
      options,
    );
    if (!isEnded) this.#call = call;
  }

  #succeed(bytes: Buffer): void {
    let response: R;
    try {
      response = this.#method.decode(bytes);
    } catch (error) {
      const text = `the answer of ${this.#method.path} cannot be read: ${String(error)}`;
      this.#fail(this.#error(Code.INTERNAL, text, false));
      return;
    }
    this.#end();
    this.#resolve(response);
  }

  #error(code: Code, text: string, isUnprocessed: boolean): ClientError {
    const endpoint = this.#lastLink?.endpoint;
    return new ClientError(code, text, { isUnprocessed, ...(endpoint && { endpoint }) });
  }

  #refused(code: Code, text: string, isUnprocessed: boolean, link: Link): void {
    const error = this.#error(code, text, isUnprocessed);
    const core = this.#core;
    if (core.isClosed) {
      this.#fail(error);
      return;
    }
    if (core.isTokenRefused(error) && this.#logins < 2) {
      this.#logIn();
      return;
    }
    const isLearner = text === errors.NotSupportedForLearner.message;
    if (code === Code.UNAVAILABLE || code === Code.DEADLINE_EXCEEDED || isLearner)
      core.balancer.suspect(link);
    if (!this.#mayRepeat(error, isLearner) || this.#attempts >= ATTEMPTS_MAX) {
      this.#fail(error);
      return;
    }
    this.#lastError = error;
    const width = this.link === undefined ? core.balancer.size : 1;
    if (this.#attempts % width !== 0) this.#go();
    else this.#rest(Math.floor(this.#attempts / width) - 1);
  }

  #mayRepeat(error: ClientError, isLearner: boolean): boolean {
    if (isLearner) return this.link === undefined && this.#core.balancer.size > 1;
    if (error.code !== Code.UNAVAILABLE) return false;
    const isRepeatable = this.#method.repeat === "read" || this.#options.isRepeatable === true;
    return isRepeatable || error.isUnprocessed || NOWHERE.has(error.message);
  }

  #rest(round: number): void {
    const { clock, timers, options } = this.#core;
    const restMs = options.jitter(Math.min(RETRY_MS_MIN * 2 ** Math.min(round, 16), RETRY_MS_MAX));
    const leftMs = this.#deadlineMs - clock.monotonicMs();
    this.#core.balancer.rest(this);
    this.#timer = timers.after(Math.max(0, Math.min(restMs, leftMs)), () => {
      this.#timer = undefined;
      this.#core.balancer.stopWaiting(this);
      if (this.#deadlineMs <= clock.monotonicMs()) this.#expire();
      else this.#go();
    });
  }

  #logIn(): void {
    this.#logins += 1;
    this.#core.login(this.#options).then(
      () => {
        if (!this.#isDone) this.#go();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #expire(): void {
    const detail = this.#lastError?.message ?? this.#core.balancer.failureOf(this);
    this.#fail(deadlineExceeded(detail === "" ? undefined : detail));
  }

  #fail(error: unknown): void {
    if (this.#isDone) return;
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    this.#isDone = true;
    this.#options.signal?.removeEventListener("abort", this);
    if (this.#timer === undefined) return;
    this.#timer.cancel();
    this.#core.balancer.stopWaiting(this);
  }
}
