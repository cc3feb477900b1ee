/**
 * Many watches on one stream. When the stream is lost, each goes on from its own next revision on
 * another, at another endpoint if there is one.
 */
import { Code } from "../errors/index.ts";
import type { WatchResponse } from "../wire/index.ts";
import type { Core } from "./core.ts";
import type { DuplexCall } from "./duplex.ts";
import { ClientError, closing, isRefusal } from "./error.ts";
import { Rest } from "./rest.ts";
import { STREAMS } from "./methods.ts";
import type { WatchRequest } from "../wire/index.ts";
import { CompactedError, type Subscription, type WatchHost } from "./watch.ts";

/** What all watches of a stream have in common. */
export interface WatchGroup {
  readonly requireLeader: boolean;
  readonly endpoint: string | undefined;
}

/** With these a server will not take the stream at any other time either. */
const LASTING: ReadonlySet<number> = new Set([
  Code.INVALID_ARGUMENT,
  Code.PERMISSION_DENIED,
  Code.UNAUTHENTICATED,
  Code.UNIMPLEMENTED,
]);

interface Creation {
  readonly watchId: number;
  readonly subscription: Subscription;
}

export class WatchHub implements WatchHost {
  readonly #core: Core;
  readonly #group: WatchGroup;
  readonly #subscriptions = new Set<Subscription>();
  readonly #byId = new Map<number, Subscription>();
  readonly #rest: Rest;
  /** Creates that were sent and not answered: the answers come in their order. */
  #creating: Creation[] = [];
  #stream: DuplexCall<WatchRequest, WatchResponse> | undefined = undefined;
  #abort = new AbortController();
  #isRunning = false;
  #lastId = 0;
  #logins = 0;

  constructor(core: Core, group: WatchGroup) {
    this.#core = core;
    this.#group = group;
    this.#rest = new Rest(core.timers, core.options.jitter);
  }

  add(subscription: Subscription): void {
    if (this.#core.isClosed) {
      subscription.fail(closing());
      return;
    }
    this.#subscriptions.add(subscription);
    if (this.#stream !== undefined) this.#create(subscription);
    else if (!this.#isRunning) void this.#run();
  }

  remove(subscription: Subscription): void {
    this.#subscriptions.delete(subscription);
    this.#cancel(subscription);
    if (this.#subscriptions.size === 0) this.#stop();
  }

  /** Others on the stream must not wait for a slow reader, so it leaves the stream. */
  park(subscription: Subscription): void {
    subscription.isParked = true;
    this.#cancel(subscription);
  }

  unpark(subscription: Subscription): void {
    subscription.isParked = false;
    if (this.#stream !== undefined && !subscription.isOver) this.#create(subscription);
  }

  /** Asks the server up to which revision all watches have all (WA-13). */
  requestProgress(): void {
    this.#send({ kind: "progress" });
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.fail(closing());
    this.#stop();
  }

  #stop(): void {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#rest.end();
  }

  #send(request: WatchRequest): void {
    // When the stream is over, everything that is still wanted is sent on the next.
    this.#stream?.send(request).catch(() => undefined);
  }

  #create(subscription: Subscription): void {
    this.#lastId += 1;
    const watchId = this.#lastId;
    subscription.watchId = watchId;
    this.#creating.push({ watchId, subscription });
    this.#send({ kind: "create", create: subscription.request(watchId) });
  }

  #cancel(subscription: Subscription): void {
    const { watchId } = subscription;
    subscription.watchId = 0;
    // One that is not answered yet is cancelled when it is.
    if (watchId !== 0 && this.#byId.delete(watchId)) this.#send({ kind: "cancel", watchId });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#subscriptions.size > 0) {
      const error = await this.#once(this.#abort.signal);
      this.#stream = undefined;
      this.#byId.clear();
      this.#creating = [];
      for (const subscription of this.#subscriptions) subscription.watchId = 0;
      if (this.#subscriptions.size === 0) break;
      const isNewToken = await this.#renewToken(error);
      if (!isNewToken && LASTING.has(error.code)) this.#failAll(error);
      else await this.#rest.take();
    }
    this.#isRunning = false;
  }

  /** One stream from its opening to its end; how it ended. */
  async #once(signal: AbortSignal): Promise<ClientError> {
    let endpoint: string | undefined;
    try {
      const stream = await this.#core.stream(STREAMS.watch, { ...this.#group, signal });
      endpoint = stream.endpoint;
      this.#stream = stream;
      for (const subscription of this.#subscriptions) {
        if (!subscription.isParked) this.#create(subscription);
      }
      for await (const response of stream) {
        this.#rest.reset();
        this.#logins = 0;
        this.#receive(response);
      }
    } catch (error) {
      return this.#core.streamFailed(error, endpoint);
    }
    return new ClientError(Code.UNAVAILABLE, "the server ended the stream");
  }

  async #renewToken(error: ClientError): Promise<boolean> {
    if (!this.#core.isTokenRefused(error) || this.#logins >= 2) return false;
    this.#logins += 1;
    try {
      await this.#core.login({});
      return true;
    } catch {
      return false;
    }
  }

  #failAll(error: ClientError): void {
    for (const subscription of this.#subscriptions) subscription.fail(error);
  }

  #receive(response: WatchResponse): void {
    if (response.created) {
      this.#created(response);
      return;
    }
    if (response.watchId === -1 && response.events.length === 0 && !response.canceled) {
      for (const subscription of this.#byId.values()) subscription.progress(response.header);
      return;
    }
    const subscription = this.#byId.get(response.watchId);
    if (subscription === undefined) return;
    if (response.canceled) this.#canceled(subscription, response);
    else subscription.receive(response);
  }

  #created(response: WatchResponse): void {
    const creation = this.#creating.shift();
    if (creation === undefined) return;
    const { subscription, watchId } = creation;
    if (subscription.watchId !== watchId) {
      // It was ended or parked meanwhile.
      if (!response.canceled) this.#send({ kind: "cancel", watchId: response.watchId });
      return;
    }
    if (response.canceled) {
      this.#canceled(subscription, response);
      return;
    }
    // Servers before 3.4 choose the id themselves.
    subscription.watchId = response.watchId;
    this.#byId.set(response.watchId, subscription);
    subscription.accepted(response.header);
  }

  #canceled(subscription: Subscription, response: WatchResponse): void {
    this.#byId.delete(response.watchId);
    subscription.watchId = 0;
    if (response.compactRevision > 0) {
      subscription.fail(new CompactedError(response.compactRevision));
    } else if (response.cancelReason !== "") {
      this.#refused(subscription, refusalOf(response.cancelReason));
    } else {
      this.#create(subscription);
    }
  }

  /** A new token goes with a new stream. */
  #refused(subscription: Subscription, error: ClientError): void {
    if (this.#core.isTokenRefused(error) && this.#logins < 2) {
      this.#logins += 1;
      void this.#core.login({}).then(
        () => this.#stream?.cancel(),
        () => subscription.fail(error),
      );
    } else {
      subscription.fail(isRefusal(error, "Compacted") ? new CompactedError(0) : error);
    }
  }
}

const STATUS = /^rpc error: code = (\w+) desc = (.*)$/s;

/** The error in a cancel reason, which is a status as Go prints it or a bare text (WA-03..07). */
function refusalOf(reason: string): ClientError {
  const match = STATUS.exec(reason);
  if (match === null) return new ClientError(Code.UNKNOWN, reason);
  const name = (match[1] as string).replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
  const code = name === "_CANCELED" ? Code.CANCELLED : CODES[name.slice(1)];
  return new ClientError(code ?? Code.UNKNOWN, match[2] as string);
}

const CODES: Readonly<Record<string, Code | undefined>> = Code;
