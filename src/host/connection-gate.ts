import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import type { Logger } from "../seam/index.ts";

/** Descriptors left for files and everything else (FR-07). */
const DESCRIPTORS_RESERVED = 150;
/** Connections kept waiting, unread, when all places are taken. Beyond: closed at once. */
const WAITING_MAX = 64;
/** Refusals are logged together, this often at most. */
const WARN_INTERVAL_MS = 1_000;

/** Soft limit of open files; Infinity when it cannot be told. */
export function descriptorLimit(): number {
  try {
    const limits = readFileSync("/proc/self/limits", "latin1");
    const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Connections that the descriptor limit leaves room for (FR-07). */
export function connectionsMaxOf(limit: number): number {
  return Math.max(limit - DESCRIPTORS_RESERVED, 16);
}

/**
 * Counts the connections of all listeners of one kind and lets only so many in at once (FR-07).
 *
 * Sockets arrive paused. Node cannot stop accepting without closing the listener, so the next few
 * are held unread, which a client cannot tell from waiting in the kernel's queue; the rest are
 * closed.
 */
export class ConnectionGate {
  readonly connectionsMax: number;
  /** Connections turned away. */
  refused = 0;
  readonly #open = new Set<Socket>();
  #onEmpty: (() => void) | undefined;
  #waiting: { socket: Socket; admit: (socket: Socket) => void }[] = [];
  readonly #logger: Logger | undefined;
  #refusedLogged = 0;
  #isQuiet = false;

  constructor(connectionsMax: number, logger?: Logger) {
    this.connectionsMax = connectionsMax;
    this.#logger = logger;
  }

  get openCount(): number {
    return this.#open.size;
  }

  arrived(socket: Socket, admit: (socket: Socket) => void): void {
    if (this.#open.size < this.connectionsMax) {
      this.#let(socket, admit);
    } else if (this.#waiting.length < WAITING_MAX) {
      socket.on("error", ignore);
      this.#waiting.push({ socket, admit });
    } else {
      this.refused += 1;
      this.#tell(socket.remoteAddress);
      socket.destroy();
    }
  }

  /** At once the first time, then what has come together in each second. */
  #tell(address: string | undefined): void {
    if (this.#isQuiet || this.refused === this.#refusedLogged) return;
    this.#logger?.warn("refused connections: too many are open (see the limit of open files)", {
      count: this.refused - this.#refusedLogged,
      "connections-max": this.connectionsMax,
      "remote-addr": address,
    });
    this.#refusedLogged = this.refused;
    this.#isQuiet = true;
    const end = (): void => {
      this.#isQuiet = false;
      this.#tell(address);
    };
    setTimeout(end, WARN_INTERVAL_MS).unref();
  }

  #let(socket: Socket, admit: (socket: Socket) => void): void {
    this.#open.add(socket);
    socket.once("close", () => {
      this.#open.delete(socket);
      this.#next();
      if (this.#open.size === 0) this.#onEmpty?.();
    });
    admit(socket);
  }

  #next(): void {
    while (this.#open.size < this.connectionsMax) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      next.socket.off("error", ignore);
      if (!next.socket.destroyed) this.#let(next.socket, next.admit);
    }
  }

  /** Settles when no connection is open, or after `limitMs`. */
  async emptied(limitMs: number): Promise<void> {
    if (this.#open.size === 0) return;
    await new Promise<void>((resolve) => {
      const limit = setTimeout(resolve, limitMs);
      this.#onEmpty = () => {
        clearTimeout(limit);
        resolve();
      };
    });
  }

  /** Closes every connection at once, the waiting ones too. */
  destroyAll(): void {
    for (const { socket } of this.#waiting.splice(0)) socket.destroy();
    for (const socket of this.#open) socket.destroy();
  }
}

/** The close event that follows is enough. */
function ignore(): void {}
