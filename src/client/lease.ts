import { Code, errors } from "../errors/index.ts";
import type { Core } from "./core.ts";
import { ClientError } from "./error.ts";
import { KeepAliveHub, type KeepAliveOptions, type LeaseKeeper } from "./keep-alive.ts";
import { METHODS, STREAMS } from "./methods.ts";
import type {
  CallOptions,
  HeaderResponse,
  LeaseGrantResponse,
  LeaseKeepAliveResponse,
  LeaseLeasesResponse,
  LeaseTimeToLiveResponse,
} from "./types.ts";

export interface GrantOptions extends CallOptions {
  /** 0n or missing: the server chooses. */
  readonly id?: bigint | undefined;
}

export interface TimeToLiveOptions extends CallOptions {
  /** Asks for the attached keys too. */
  readonly keys?: boolean | undefined;
}

export class Lease {
  readonly #core: Core;
  readonly #hub: KeepAliveHub;

  constructor(core: Core) {
    this.#core = core;
    this.#hub = new KeepAliveHub(core);
    core.onClose(() => this.#hub.close());
  }

  grant(ttlSeconds: number, options: GrantOptions = {}): Promise<LeaseGrantResponse> {
    return this.#core.unary(METHODS.leaseGrant, { ttlSeconds, id: options.id ?? 0n }, options);
  }

  /** Ends the lease and deletes its keys. */
  revoke(id: bigint, options: CallOptions = {}): Promise<HeaderResponse> {
    return this.#core.unary(METHODS.leaseRevoke, { id }, options);
  }

  timeToLive(id: bigint, options: TimeToLiveOptions = {}): Promise<LeaseTimeToLiveResponse> {
    return this.#core.unary(METHODS.leaseTimeToLive, { id, keys: options.keys ?? false }, options);
  }

  leases(options: CallOptions = {}): Promise<LeaseLeasesResponse> {
    return this.#core.unary(METHODS.leaseLeases, {}, options);
  }

  /** Renews the lease, all of a client's on one stream, until `stop` or until it is lost. */
  keepAlive(id: bigint, options: KeepAliveOptions = {}): LeaseKeeper {
    return this.#hub.keep(id, options);
  }

  /** Renews the lease once. Rejects with LeaseNotFound when the server does not know it. */
  async keepAliveOnce(id: bigint, options: CallOptions = {}): Promise<LeaseKeepAliveResponse> {
    const timeoutMs = options.timeoutMs ?? this.#core.options.timeoutMs;
    const stream = await this.#core.stream(STREAMS.leaseKeepAlive, { ...options, timeoutMs });
    try {
      await stream.send({ id });
      const { value } = await stream.next();
      if (value === undefined) throw new ClientError(Code.INTERNAL, "the server did not answer");
      if (value.ttlSeconds > 0) return value;
      const { code, message } = errors.LeaseNotFound;
      throw new ClientError(code, message, { endpoint: stream.endpoint });
    } finally {
      stream.cancel();
    }
  }
}
