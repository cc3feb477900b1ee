/**
 * The endpoints of a client: calls go to the connected ones in turn, those that lately could not
 * serve come last, and calls wait here while none is connected.
 */
import { Code } from "../errors/index.ts";
import type { Clock } from "../seam/index.ts";
import { ClientError, closing } from "./error.ts";
import { EXTRA_ENDPOINTS_MAX, SUSPECT_MS, WAITING_CALLS_MAX } from "./limits.ts";
import { Link, type LinkEvents, type LinkOptions } from "./link.ts";

/** Who waits for a connection. */
export interface Waiter {
  /** Set: only this one will do. */
  readonly link: Link | undefined;
  /** Does not wait for a second attempt to connect. */
  readonly failFast: boolean;
  /** Called once, or `fail`. */
  connected(link: Link): void;
  failed(error: ClientError): void;
}

export class Balancer implements LinkEvents {
  readonly #options: LinkOptions;
  readonly #clock: Clock;
  #links: Link[];
  /** Endpoints that were named by a call, the longest unused first. */
  readonly #extra = new Map<string, Link>();
  readonly #waiters = new Set<Waiter>();
  readonly #resting = new Set<Waiter>();
  #turn: number;
  #isAwake = false;
  isClosed = false;

  constructor(endpoints: readonly string[], options: LinkOptions, turn: number) {
    this.#options = options;
    this.#clock = options.clock;
    this.#turn = turn;
    this.#links = endpoints.map((endpoint) => new Link(endpoint, options, this));
  }

  get endpoints(): readonly string[] {
    return this.#links.map(({ endpoint }) => endpoint);
  }

  get size(): number {
    return this.#links.length;
  }

  /** Endpoints in both lists keep their connections; calls under way on others end. */
  setEndpoints(endpoints: readonly string[]): void {
    const kept = new Map(this.#links.map((link) => [link.endpoint, link]));
    this.#links = endpoints.map((endpoint) => {
      const link = kept.get(endpoint) ?? new Link(endpoint, this.#options, this);
      kept.delete(endpoint);
      return link;
    });
    for (const link of kept.values()) link.close();
    if (this.#isAwake) for (const link of this.#links) link.wake();
  }

  /** The link of one endpoint, the client's own or another. */
  linkOf(endpoint: string): Link {
    const own = this.#links.find((link) => link.endpoint === endpoint);
    if (own !== undefined) return own;
    const extra = this.#extra.get(endpoint) ?? new Link(endpoint, this.#options, this);
    this.#extra.delete(endpoint);
    this.#extra.set(endpoint, extra);
    if (this.#extra.size > EXTRA_ENDPOINTS_MAX) {
      for (const [oldest, link] of this.#extra) {
        this.#extra.delete(oldest);
        link.close();
        break;
      }
    }
    return extra;
  }

  /** The connected endpoint whose turn it is; undefined when none is connected. */
  pick(): Link | undefined {
    if (!this.#isAwake) this.#wakeAll();
    const nowMs = this.#clock.monotonicMs();
    const count = this.#links.length;
    let second = -1;
    for (let step = 0; step < count; step += 1) {
      const at = (this.#turn + step) % count;
      const link = this.#links[at] as Link;
      if (link.client === undefined) continue;
      if (!link.isDoubtful(nowMs)) {
        this.#turn = at + 1;
        return link;
      }
      if (second < 0) second = at;
    }
    if (second < 0) return undefined;
    this.#turn = second + 1;
    return this.#links[second];
  }

  /** All are connected to from the first call on that may go to any. */
  #wakeAll(): void {
    this.#isAwake = true;
    for (const link of this.#links) link.wake();
  }

  /** The member behind it could not serve: others are asked first for a while. */
  suspect(link: Link): void {
    link.suspectUntilMs = this.#clock.monotonicMs() + SUSPECT_MS;
  }

  /** Tells the waiter of a connection, maybe before this returns. */
  wait(waiter: Waiter): void {
    if (this.isClosed) return waiter.failed(closing());
    if (this.#waiters.size >= WAITING_CALLS_MAX) {
      const text = "too many calls wait for a connection";
      return waiter.failed(new ClientError(Code.RESOURCE_EXHAUSTED, text, { isUnprocessed: true }));
    }
    this.#waiters.add(waiter);
    if (waiter.link === undefined) this.#wakeAll();
    else waiter.link.wake();
    if (waiter.failFast) this.#failHopeless(waiter);
  }

  /** It rests between attempts: it is told only of the client's end. */
  rest(waiter: Waiter): void {
    this.#resting.add(waiter);
  }

  stopWaiting(waiter: Waiter): void {
    this.#waiters.delete(waiter);
    this.#resting.delete(waiter);
  }

  #wanted(waiter: Waiter): readonly Link[] {
    return waiter.link === undefined ? this.#links : [waiter.link];
  }

  /** Why none of the waiter's endpoints is connected; "" while one may still be. */
  failureOf(waiter: Waiter): string {
    const links = this.#wanted(waiter);
    if (links.some((link) => link.failure === "")) return "";
    return links.map(({ failure }) => failure).join("; ");
  }

  #failHopeless(waiter: Waiter): void {
    const detail = this.failureOf(waiter);
    if (detail === "" || !this.#waiters.delete(waiter)) return;
    const more = { detail, isUnprocessed: true, ...(waiter.link && endpointOf(waiter.link)) };
    waiter.failed(new ClientError(Code.UNAVAILABLE, `connection error: desc = "${detail}"`, more));
  }

  linkReady(link: Link): void {
    for (const waiter of this.#waiters) {
      if (waiter.link !== undefined && waiter.link !== link) continue;
      this.#waiters.delete(waiter);
      // Others may be connected too by now.
      waiter.connected(waiter.link ?? this.pick() ?? link);
    }
  }

  linkFailed(): void {
    for (const waiter of this.#waiters) if (waiter.failFast) this.#failHopeless(waiter);
  }

  close(): void {
    this.isClosed = true;
    for (const link of [...this.#links, ...this.#extra.values()]) link.close();
    const waiters = [...this.#waiters, ...this.#resting];
    this.#waiters.clear();
    this.#resting.clear();
    for (const waiter of waiters) waiter.failed(closing());
  }
}

function endpointOf(link: Link): { endpoint: string } {
  return { endpoint: link.endpoint };
}
