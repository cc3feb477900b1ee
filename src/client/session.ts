import type { KeepAliveOptions, LeaseKeeper } from "./keep-alive.ts";
import type { Lease } from "./lease.ts";
import { SESSION_TTL_SECONDS_DEFAULT } from "./limits.ts";
import type { CallOptions } from "./types.ts";

export interface SessionOptions extends CallOptions {
  /** Of the lease that is granted. Default 60. */
  readonly ttlSeconds?: number | undefined;
  /** A lease that is there already; it is renewed, not granted. */
  readonly lease?: bigint | undefined;
}

/** A lease that is kept alive, to which locks and candidacies are bound. */
export class Session {
  readonly lease: bigint;
  readonly #keeper: LeaseKeeper;
  readonly #leases: Lease;

  /** By `Client.session`. */
  constructor(leases: Lease, id: bigint, options: KeepAliveOptions) {
    this.lease = id;
    this.#leases = leases;
    this.#keeper = leases.keepAlive(id, options);
  }

  static async open(leases: Lease, options: SessionOptions): Promise<Session> {
    if (options.lease !== undefined) return new Session(leases, options.lease, {});
    const wanted = options.ttlSeconds ?? SESSION_TTL_SECONDS_DEFAULT;
    const { id, ttlSeconds } = await leases.grant(wanted, {
      signal: options.signal,
      timeoutMs: options.timeoutMs,
    });
    return new Session(leases, id, { ttlSeconds });
  }

  /** Aborted when the lease is lost, and with it every lock and candidacy of the session. */
  get lost(): AbortSignal {
    return this.#keeper.lost;
  }

  /** Renews no more, but does not end the lease: what hangs on it stays for its time to live. */
  orphan(): void {
    this.#keeper.stop();
  }

  /** Ends the lease, and everything that hangs on it. */
  async close(options: CallOptions = {}): Promise<void> {
    this.#keeper.stop();
    await this.#leases.revoke(this.lease, options);
  }
}
