import { connect as connectSocket, type Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import type { Connection } from "../seam/index.ts";
import { failureOf, HostError } from "./host-error.ts";
import { parseListenUrl } from "./listen-url.ts";
import { SocketConnection } from "./socket-connection.ts";

export interface ConnectOptions {
  /** For https and unixs URLs; ALPN is set to h2. */
  readonly tls?: ConnectionOptions;
  readonly timeoutMs?: number;
  /** Gives up at once when aborted. */
  readonly signal?: AbortSignal;
}

const CONNECT_TIMEOUT_MS = 5_000;

/** Loaded when it is wanted: it is a third of what a short command over plain TCP would cost. */
function connectTls(options: ConnectionOptions): Socket {
  return process.getBuiltinModule("node:tls").connect(options);
}

/**
 * Opens an HTTP/2 connection to a URL of the forms that `listen` takes. The caller sets `events`
 * and then calls `start`. Rejects with HostError.
 */
export function connect(
  url: string,
  options: ConnectOptions = {},
): Promise<Connection & { start(): void }> {
  const address = parseListenUrl(url);
  const where =
    address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port };
  const socket: Socket = address.isTls
    ? connectTls({ ...where, ALPNProtocols: ["h2"], ...options.tls })
    : connectSocket({ ...where, noDelay: true });
  return new Promise((resolve, reject) => {
    const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS;
    const limit = setTimeout(() => fail(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const { signal } = options;
    const giveUp = (): void => fail(new Error("given up"));
    const fail = (error: Error): void => {
      clearTimeout(limit);
      signal?.removeEventListener("abort", giveUp);
      socket.destroy();
      reject(new HostError(`cannot connect to ${url}: ${failureOf(error)}`, error));
    };
    socket.once("error", fail);
    signal?.addEventListener("abort", giveUp);
    socket.once(address.isTls ? "secureConnect" : "connect", () => {
      clearTimeout(limit);
      signal?.removeEventListener("abort", giveUp);
      socket.setNoDelay(true);
      // Not before `start`: what arrives early waits.
      socket.pause();
      resolve(new SocketConnection(socket));
    });
  });
}
