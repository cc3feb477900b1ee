import type { Core } from "./core.ts";
import { METHODS } from "./methods.ts";
import type {
  CallOptions,
  HeaderResponse,
  LeaseGrantResponse,
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

  constructor(core: Core) {
    this.#core = core;
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
}
