/** What all calls of a client share: endpoints, time, the token and the limits. */
import { Code } from "../errors/index.ts";
import type { HeaderList } from "../http2/index.ts";
import type { Clock, Timers } from "../seam/index.ts";
import type { Balancer } from "./balancer.ts";
import { ClientError, closing, isRefusal } from "./error.ts";
import type { StreamMethod, UnaryMethod } from "./method.ts";
import { METHODS } from "./methods.ts";
import { type DuplexCall, StreamOpener } from "./duplex.ts";
import type { CallOptions } from "./types.ts";
import { UnaryCall } from "./unary-call.ts";

export interface CoreOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly balancer: Balancer;
  readonly jitter: (ms: number) => number;
  readonly timeoutMs: number;
  readonly sendBytesMax: number;
  readonly credentials: { readonly name: string; readonly password: string } | undefined;
  /** A token that was got elsewhere; it is not renewed. */
  readonly token: string | undefined;
  readonly requireLeader: boolean;
  /** Makes an endpoint's URL whole. */
  readonly endpointUrl: (endpoint: string) => string;
}

const LEADER_FIELD = ["hasleader", "true"];
const NO_FIELDS: HeaderList = [];

export class Core {
  readonly options: CoreOptions;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly balancer: Balancer;
  readonly #closers = new Set<() => void>();
  #token: string | undefined;
  #fields: HeaderList = NO_FIELDS;
  #leaderFields: HeaderList = LEADER_FIELD;
  #login: Promise<void> | undefined = undefined;

  constructor(options: CoreOptions) {
    this.options = options;
    this.clock = options.clock;
    this.timers = options.timers;
    this.balancer = options.balancer;
    this.#setToken(options.token);
  }

  unary<Q, R>(method: UnaryMethod<Q, R>, request: Q, options: CallOptions = {}): Promise<R> {
    return new Promise((resolve, reject) => {
      const bytes = method.encode(request);
      new UnaryCall(this, method, bytes, options, resolve, reject).start();
    });
  }

  /** Opens a stream once an endpoint is connected. */
  stream<Q, R>(method: StreamMethod<Q, R>, options: CallOptions = {}): Promise<DuplexCall<Q, R>> {
    return new Promise((resolve, reject) => {
      new StreamOpener(this, method, options, resolve, reject).start();
    });
  }

  /** The fields of a call's metadata. */
  metadata(options: CallOptions): HeaderList {
    const needsLeader = options.requireLeader ?? this.options.requireLeader;
    return needsLeader ? this.#leaderFields : this.#fields;
  }

  #setToken(token: string | undefined): void {
    this.#token = token;
    this.#fields = token === undefined ? NO_FIELDS : ["token", token];
    this.#leaderFields = [...LEADER_FIELD, ...this.#fields];
  }

  /** Whether a token must be got before a call is sent. */
  get needsLogin(): boolean {
    return this.options.credentials !== undefined && this.#token === undefined;
  }

  /** Whether a call that failed so may succeed with a new token. */
  isTokenRefused(error: ClientError): boolean {
    if (this.options.credentials === undefined) return false;
    return (
      isRefusal(error, "InvalidAuthToken") ||
      isRefusal(error, "AuthOldRevision") ||
      isRefusal(error, "UserEmpty")
    );
  }

  /** Gets a token: one request for all calls that need it meanwhile. */
  login(options: CallOptions): Promise<void> {
    this.#login ??= this.#authenticate(options).finally(() => {
      this.#login = undefined;
    });
    return this.#login;
  }

  async #authenticate({ endpoint }: CallOptions): Promise<void> {
    const { credentials } = this.options;
    if (credentials === undefined) return;
    this.#setToken(undefined);
    try {
      this.#setToken(await this.unary(METHODS.authenticate, credentials, { endpoint }));
    } catch (error) {
      // Users may be set up before they are enforced: calls then go without a token.
      if (!isRefusal(error, "AuthNotEnabled")) throw error;
      this.#setToken("");
      this.#fields = NO_FIELDS;
      this.#leaderFields = LEADER_FIELD;
    }
  }

  /** What ended a stream to `endpoint`, which may have been a message that cannot be read. */
  streamFailed(error: unknown, endpoint: string | undefined): ClientError {
    if (!(error instanceof ClientError)) return new ClientError(Code.INTERNAL, String(error));
    if (endpoint !== undefined && error.code === Code.UNAVAILABLE) {
      this.balancer.suspect(this.balancer.linkOf(endpoint));
    }
    return error;
  }

  get isClosed(): boolean {
    return this.balancer.isClosed;
  }

  /** `run` will be called when the client is closed. */
  onClose(run: () => void): void {
    if (this.isClosed) throw closing();
    this.#closers.add(run);
  }

  close(): void {
    for (const run of this.#closers) run();
    this.#closers.clear();
    this.balancer.close();
  }
}
