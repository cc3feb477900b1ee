import { bytesFromLatin1, type Key } from "../base/index.ts";
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
  readonly #namespace: Buffer;
  readonly #hub: KeepAliveHub;

  constructor(core: Core, namespace: Key) {
    this.#core = core;
    this.#namespace = bytesFromLatin1(namespace);
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

  /** Of a client with a namespace: only the keys in it. */
  async timeToLive(id: bigint, options: TimeToLiveOptions = {}): Promise<LeaseTimeToLiveResponse> {
    const request = { id, keys: options.keys ?? false };
    const response = await this.#core.unary(METHODS.leaseTimeToLive, request, options);
    const strip = this.#namespace.length;
    const keys = response.keys.filter((key) => key.subarray(0, strip).equals(this.#namespace));
    return { ...response, keys: keys.map((key) => key.subarray(strip)) };
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
