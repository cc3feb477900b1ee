/**
 * The client URLs from the moment they are bound. Binding comes first at a start, so that a port in
 * use is told before anything on the disk is touched; what arrives before the member serves is
 * held. Pages about health are answered as soon as there is a member, be it without a leader.
 */
import type { Connection, HttpHandler } from "../seam/index.ts";

/** Connections held while the member recovers. Beyond: closed, clients try again. */
const HELD_MAX = 10_000;

/** Tools take an answer of any other page (/version) for a member that serves. */
const EARLY_PAGES: ReadonlySet<string> = new Set(["/health", "/livez", "/readyz", "/metrics"]);

interface Held {
  readonly connection: Connection;
  readonly chunks: Buffer[];
}

export class FrontDoor {
  #held: Held[] = [];
  #serve: ((connection: Connection) => void) | undefined;
  readonly #handler = Promise.withResolvers<HttpHandler>();
  readonly #opened = Promise.withResolvers<void>();

  /** For `listen`: HTTP/2 connections. */
  readonly onConnection = (connection: Connection): void => {
    if (this.#serve !== undefined) return this.#serve(connection);
    if (this.#held.length >= HELD_MAX) return connection.destroy();
    const held: Held = { connection, chunks: [] };
    this.#held.push(held);
    connection.events = {
      onData: (chunk) => {
        held.chunks.push(chunk);
        connection.pause();
      },
      onDrain: () => undefined,
      onClose: () => {
        this.#held = this.#held.filter((other) => other !== held);
      },
    };
  };

  /** For `listen`: plain HTTP, answered when the member is there. */
  readonly http: HttpHandler = async (request) => {
    const handler = await this.#handler.promise;
    if (!EARLY_PAGES.has(request.path)) await this.#opened.promise;
    return handler(request);
  };

  /** The early pages are answered from here on. */
  answer(handler: HttpHandler): void {
    this.#handler.resolve(handler);
  }

  /** Everything is. */
  open(serve: (connection: Connection) => void): void {
    this.#serve = serve;
    this.#opened.resolve();
    const held = this.#held;
    this.#held = [];
    for (const { connection, chunks } of held) {
      serve(connection);
      for (const chunk of chunks) connection.events.onData(chunk);
      connection.resume();
    }
  }
}
