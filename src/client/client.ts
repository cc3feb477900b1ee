import { latin1FromText, type Key, Prng } from "../base/index.ts";
import { ClientGroup } from "../grpc/index.ts";
import type { Clock, Entropy, Timers } from "../seam/index.ts";
import { Balancer } from "./balancer.ts";
import { Cluster } from "./cluster.ts";
import { Core } from "./core.ts";
import { Election } from "./election.ts";
import { Kv } from "./kv.ts";
import { Lease } from "./lease.ts";
import {
  CONNECT_TIMEOUT_MS_DEFAULT,
  JITTER,
  KEEPALIVE_TIME_MS_DEFAULT,
  KEEPALIVE_TIMEOUT_MS_DEFAULT,
  RECEIVE_BYTES_MAX_DEFAULT,
  SEND_BYTES_MAX_DEFAULT,
  TIMEOUT_MS_DEFAULT,
} from "./limits.ts";
import type { LinkOptions, Opened } from "./link.ts";
import { Lock, type LockOptions } from "./lock.ts";
import { Maintenance, MemberClient } from "./maintenance.ts";
import type { StreamMethod, UnaryMethod } from "./method.ts";
import { Session, type SessionOptions } from "./session.ts";
import type { Bytes, CallOptions, Duplex } from "./types.ts";
import { Subscription, type Watch, type WatchOptions } from "./watch.ts";
import { type WatchGroup, WatchHub } from "./watch-hub.ts";

export interface ClientOptions {
  /**
   * "http://host:port", "https://host:port", "unix:///path", "unixs:///path", or "host:port", which
   * is https when `tls` is given. At least one.
   */
  readonly endpoints: readonly string[];
  /** Makes "host:port" mean https, and says whom to trust and who we are. */
  readonly tls?: TlsOptions | undefined;
  readonly user?: { readonly name: string; readonly password: string } | undefined;
  /** A token that was got elsewhere, in place of `user`. */
  readonly token?: string | undefined;
  /** Stands before every key of kv, watch, lock and election. */
  readonly namespace?: string | undefined;
  /** For unary calls that do not say, milliseconds; Infinity = none. Default 10 000. */
  readonly timeoutMs?: number | undefined;
  /** To reach an endpoint, TLS and HTTP/2 settings included, milliseconds. Default 5 000. */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * A server that owes an answer and is silent for `timeMs` (default 6 000; servers refuse less
   * than 5 000) is asked whether it is there; without a sign of life for `timeoutMs` (default
   * 3 000) its connection is dropped.
   */
  readonly keepalive?: {
    readonly timeMs?: number | undefined;
    readonly timeoutMs?: number | undefined;
    readonly permitWithoutStream?: boolean | undefined;
  };
  /** Every call is refused by members that know of no leader. */
  readonly requireLeader?: boolean | undefined;
  /** Largest request sent, bytes. Default 2 MiB. */
  readonly sendBytesMax?: number | undefined;
  /** Largest message taken, bytes. Default 2 GiB. */
  readonly receiveBytesMax?: number | undefined;
  readonly userAgent?: string | undefined;
}

export interface TlsOptions {
  /** PEM. Missing: the authorities that Node trusts. */
  readonly ca?: string | Buffer | undefined;
  /** PEM; with `key`, for servers that ask who we are. */
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
  /** Takes any certificate. Whoever stands between may then read and change everything. */
  readonly insecureSkipVerify?: boolean | undefined;
  /** The name that the certificate must be good for, instead of the endpoint's host. */
  readonly serverName?: string | undefined;
}

/** What the library needs of the machine. */
export interface ClientSeams {
  readonly clock: Clock;
  /** A timer that was not cancelled should keep the process alive: a call may wait for it. */
  readonly timers: Timers;
  /** For those that only repeat while a connection is open. */
  readonly backgroundTimers: Timers;
  readonly entropy: Entropy;
  readonly open: (endpoint: string, timeoutMs: number, signal: AbortSignal) => Promise<Opened>;
}

/** A client of a cluster. Made by `connect`; it connects when first used. */
export class Client {
  readonly kv: Kv;
  readonly lease: Lease;
  readonly cluster: Cluster;
  readonly maintenance: Maintenance;
  readonly #core: Core;
  readonly #namespace: Key;
  readonly #hubs = new Map<string, WatchHub>();

  constructor(options: ClientOptions, seams: ClientSeams) {
    const core = coreOf(options, seams);
    this.#core = core;
    this.#namespace = latin1FromText(options.namespace ?? "");
    this.kv = new Kv(core, this.#namespace);
    this.lease = new Lease(core, this.#namespace);
    this.cluster = new Cluster(core);
    this.maintenance = new Maintenance(core);
  }

  /** With their schemes, in the order given. */
  get endpoints(): readonly string[] {
    return this.#core.balancer.endpoints;
  }

  /** Replaces the endpoints; connections to those that stay are kept. */
  setEndpoints(endpoints: readonly string[]): void {
    this.#core.balancer.setEndpoints(urlsOf(endpoints, this.#core.options.endpointUrl));
  }

  /** Takes the client URLs of all started members as the endpoints. */
  async syncEndpoints(options: CallOptions = {}): Promise<void> {
    const { members } = await this.cluster.memberList(options);
    const urls = members.filter((member) => !member.isLearner).flatMap((m) => m.clientUrls);
    if (urls.length > 0) this.setEndpoints(urls);
  }

  /** Calls to one member. The endpoint need not be among the client's. */
  at(endpoint: string): MemberClient {
    return new MemberClient(this.#core, endpoint);
  }

  /** Changes of keys as they happen, or from `startRevision` on. Begins at once. */
  watch(key: Bytes, options: WatchOptions = {}): Watch {
    const hub = this.#hubOf({
      requireLeader: options.requireLeader ?? true,
      endpoint: options.endpoint,
    });
    const watch = new Subscription(hub, key, options, this.#namespace);
    if (options.signal?.aborted === true) watch.handleEvent();
    else hub.add(watch);
    return watch;
  }

  /**
   * Asks for a "progress" batch on all watches that want them. It comes when they have all events
   * there are; ask again when it does not.
   */
  requestProgress(): void {
    for (const hub of this.#hubs.values()) hub.requestProgress();
  }

  #hubOf(group: WatchGroup): WatchHub {
    const name = `${group.requireLeader} ${group.endpoint ?? ""}`;
    let hub = this.#hubs.get(name);
    if (hub === undefined) {
      const made = new WatchHub(this.#core, group);
      this.#core.onClose(() => made.close());
      this.#hubs.set(name, made);
      hub = made;
    }
    return hub;
  }

  /** Grants a lease and keeps it alive. */
  session(options: SessionOptions = {}): Promise<Session> {
    return Session.open(this.lease, options);
  }

  /** Waits for the lock `name` and takes it, for as long as `session` lives or until `unlock`. */
  lock(name: Bytes, session: Session, options: LockOptions = {}): Promise<Lock> {
    return Lock.acquire(this, session, name, options);
  }

  election(name: Bytes): Election {
    return new Election(this, name);
  }

  /** Any unary call, such as one of METHODS. Rejects with ClientError. */
  unary<Q, R>(method: UnaryMethod<Q, R>, request: Q, options: CallOptions = {}): Promise<R> {
    return this.#core.unary(method, request, options);
  }

  /** Any streaming call, such as one of STREAMS; resolves when a connection carries it. */
  stream<Q, R>(method: StreamMethod<Q, R>, options: CallOptions = {}): Promise<Duplex<Q, R>> {
    return this.#core.stream(method, options);
  }

  /** Ends every call and closes every connection. Nothing of the client is left after it. */
  close(): void {
    this.#core.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

const URL_FORM = /^(https?|unixs?):\/\//;

/** How "host:port" and a trailing slash are read. */
function urlReader(isTls: boolean): (endpoint: string) => string {
  return (endpoint) => {
    const text = endpoint.trim();
    const url = URL_FORM.test(text) ? text : `${isTls ? "https" : "http"}://${text}`;
    return url.startsWith("http") ? url.replace(/\/+$/, "") : url;
  };
}

function urlsOf(endpoints: readonly string[], read: (endpoint: string) => string): string[] {
  const urls = [...new Set(endpoints.map(read))];
  if (urls.length === 0) throw new TypeError("endpoints must name at least one server");
  return urls;
}

function coreOf(options: ClientOptions, seams: ClientSeams): Core {
  const { clock, timers } = seams;
  const { keepalive, user } = options;
  let prng: Prng | undefined;
  /** Seeded when there is something to choose: a short command does not wait for OpenSSL. */
  const below = (count: number): number => {
    if (count === 1) return 0;
    prng ??= new Prng(seams.entropy.bytes(4).readUInt32LE());
    return prng.below(count);
  };
  const endpointUrl = urlReader(options.tls !== undefined);
  const jitter = (ms: number): number => {
    return ms * (1 - JITTER + (2 * JITTER * below(1024)) / 1024);
  };
  const linkOptions: LinkOptions = {
    group: new ClientGroup({ clock, timers: seams.backgroundTimers }),
    clock,
    timers,
    open: seams.open,
    jitter,
    connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS_DEFAULT,
    receiveBytesMax: options.receiveBytesMax ?? RECEIVE_BYTES_MAX_DEFAULT,
    keepalive: {
      timeMs: keepalive?.timeMs ?? KEEPALIVE_TIME_MS_DEFAULT,
      timeoutMs: keepalive?.timeoutMs ?? KEEPALIVE_TIMEOUT_MS_DEFAULT,
      permitWithoutStream: keepalive?.permitWithoutStream ?? false,
    },
    userAgent: options.userAgent ?? "holdfast-client",
  };
  const urls = urlsOf(options.endpoints, endpointUrl);
  return new Core({
    clock,
    timers,
    balancer: new Balancer(urls, linkOptions, below(urls.length)),
    jitter,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS_DEFAULT,
    sendBytesMax: options.sendBytesMax ?? SEND_BYTES_MAX_DEFAULT,
    credentials: user === undefined ? undefined : { name: user.name, password: user.password },
    token: options.token,
    requireLeader: options.requireLeader ?? false,
    endpointUrl,
  });
}
