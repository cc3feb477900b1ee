/**
 * Renews leases, all on one stream, each after a third of its time to live. A lease is lost when
 * the server says that it does not know it, or when its time has passed without an answer.
 */
import { errors } from "../errors/index.ts";
import type { Timer } from "../seam/index.ts";
import type { Core } from "./core.ts";
import type { DuplexCall } from "./duplex.ts";
import { ClientError, closing } from "./error.ts";
import { LEASE_TICK_MS } from "./limits.ts";
import { STREAMS } from "./methods.ts";
import { Rest } from "./rest.ts";
import type { LeaseKeepAliveResponse } from "./types.ts";

export interface KeepAliveOptions {
  /** Of the lease as granted, if known: how long to hope for the first answer. */
  readonly ttlSeconds?: number | undefined;
  /** After each renewal. */
  readonly onRenewed?: ((response: LeaseKeepAliveResponse) => void) | undefined;
}

/** A lease that is being renewed. */
export interface LeaseKeeper {
  readonly id: bigint;
  /**
   * Aborted when the lease is no longer renewed and may be gone: its `reason` is the ClientError
   * that says why. Not by `stop`.
   */
  readonly lost: AbortSignal;
  /** Renews no more; the lease lives until its time has passed. */
  stop(): void;
}

/** Hoped for until the server has said what the time to live is. */
const FIRST_ANSWER_MS = 10_000;

class Keeper implements LeaseKeeper {
  readonly id: bigint;
  readonly onRenewed: KeepAliveOptions["onRenewed"];
  /** When to ask next, and when to give up. */
  askMs: number;
  deadlineMs: number;
  readonly #lost = new AbortController();
  readonly #remove: (keeper: Keeper) => void;

  constructor(
    id: bigint,
    options: KeepAliveOptions,
    nowMs: number,
    remove: (keeper: Keeper) => void,
  ) {
    this.id = id;
    this.onRenewed = options.onRenewed;
    this.askMs = nowMs;
    this.deadlineMs = nowMs + Math.max((options.ttlSeconds ?? 0) * 1000, FIRST_ANSWER_MS);
    this.#remove = remove;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  lose(error: ClientError): void {
    this.#remove(this);
    this.#lost.abort(error);
  }

  stop(): void {
    this.#remove(this);
  }
}

export class KeepAliveHub {
  readonly #core: Core;
  readonly #rest: Rest;
  readonly #keepers = new Map<bigint, Set<Keeper>>();
  #stream: DuplexCall<{ id: bigint }, LeaseKeepAliveResponse> | undefined = undefined;
  #abort = new AbortController();
  #ticker: Timer | undefined = undefined;
  #isRunning = false;

  constructor(core: Core) {
    this.#core = core;
    this.#rest = new Rest(core.timers, core.options.jitter);
  }

  keep(id: bigint, options: KeepAliveOptions): LeaseKeeper {
    const nowMs = this.#core.clock.monotonicMs();
    const keeper = new Keeper(id, options, nowMs, (gone) => this.#remove(gone));
    if (this.#core.isClosed) {
      keeper.lose(closing());
      return keeper;
    }
    const others = this.#keepers.get(id);
    if (others === undefined) this.#keepers.set(id, new Set([keeper]));
    else others.add(keeper);
    this.#ticker ??= this.#core.timers.every(LEASE_TICK_MS, () => this.#tick());
    if (!this.#isRunning) void this.#run();
    else this.#tick();
    return keeper;
  }

  #remove(keeper: Keeper): void {
    const others = this.#keepers.get(keeper.id);
    others?.delete(keeper);
    if (others?.size === 0) this.#keepers.delete(keeper.id);
    if (this.#keepers.size === 0) this.#stop();
  }

  #stop(): void {
    this.#ticker?.cancel();
    this.#ticker = undefined;
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#rest.end();
  }

  close(): void {
    this.#loseAll(closing());
    this.#stop();
  }

  #loseAll(error: ClientError): void {
    for (const keepers of this.#keepers.values()) {
      for (const keeper of keepers) keeper.lose(error);
    }
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#keepers.size > 0) {
      const error = await this.#once(this.#abort.signal);
      this.#stream = undefined;
      if (this.#keepers.size === 0) break;
      if (this.#core.isTokenRefused(error)) await this.#core.login({}).catch(() => undefined);
      await this.#rest.take();
    }
    this.#isRunning = false;
  }

  async #once(signal: AbortSignal): Promise<ClientError> {
    let endpoint: string | undefined;
    try {
      const options = { signal, requireLeader: true };
      const stream = await this.#core.stream(STREAMS.leaseKeepAlive, options);
      endpoint = stream.endpoint;
      this.#stream = stream;
      const nowMs = this.#core.clock.monotonicMs();
      for (const keepers of this.#keepers.values()) {
        for (const keeper of keepers) keeper.askMs = nowMs;
      }
      this.#tick();
      for await (const response of stream) {
        this.#rest.reset();
        this.#receive(response);
      }
    } catch (error) {
      return this.#core.streamFailed(error, endpoint);
    }
    return closing();
  }

  /** Asks for those whose turn it is, and gives up those whose time has passed. */
  #tick(): void {
    const nowMs = this.#core.clock.monotonicMs();
    for (const [id, keepers] of this.#keepers) {
      let isDue = false;
      for (const keeper of keepers) {
        if (nowMs >= keeper.deadlineMs) {
          keeper.lose(new ClientError(errors.LeaseNotFound.code, NOT_RENEWED));
        } else if (nowMs >= keeper.askMs) {
          isDue = true;
          // Asked again after as long, if no answer comes.
          keeper.askMs = nowMs + Math.max((keeper.deadlineMs - nowMs) / 3, LEASE_TICK_MS);
        }
      }
      if (isDue) this.#stream?.send({ id }).catch(() => undefined);
    }
  }

  #receive(response: LeaseKeepAliveResponse): void {
    const keepers = this.#keepers.get(response.id);
    if (keepers === undefined) return;
    const nowMs = this.#core.clock.monotonicMs();
    const { LeaseNotFound } = errors;
    for (const keeper of keepers) {
      if (response.ttlSeconds <= 0) {
        keeper.lose(new ClientError(LeaseNotFound.code, LeaseNotFound.message));
        continue;
      }
      const ttlMs = response.ttlSeconds * 1000;
      keeper.deadlineMs = nowMs + ttlMs;
      keeper.askMs = nowMs + ttlMs / 3;
      keeper.onRenewed?.(response);
    }
  }
}

const NOT_RENEWED = "the lease was not renewed within its time to live";
