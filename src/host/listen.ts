/**
 * Listeners for client and peer URLs: HTTP/2 and HTTP/1.1, plain and TLS, on one port (FR-11).
 *
 * A port that both http and https URLs name takes both: a TLS ClientHello is told from plain text
 * by its first byte. Inside, the HTTP/2 preface decides; ALPN only offers. HTTP/2 connections are
 * handed over as seam/Connection, everything else goes to node:http and one HttpHandler.
 */
import { rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer } from "node:tls";
import type {
  Connection,
  HttpHandler,
  HttpStreamHandler,
  Listener,
  Logger,
} from "../seam/index.ts";
import { type ConnectionGate } from "./connection-gate.ts";
import { failureOf, HostError } from "./host-error.ts";
import type { AcceptedServer } from "./accepted-server.ts";
import { HttpStreamServer } from "./http-stream-server.ts";
import { Http1Server } from "./http1.ts";
import { type ListenAddress, parseListenUrl } from "./listen-url.ts";
import { sniff } from "./sniff.ts";
import { SocketConnection } from "./socket-connection.ts";
import { type TlsMaterial } from "./tls-material.ts";

/** As etcd's (FR-12). Also bounds the wait for the first bytes of a connection. */
const HEADERS_TIMEOUT_MS = 5 * 60 * 1000;
/**
 * Most of a TLS handshake is round trips; a client that takes longer only holds a place (FR-12).
 */
const HANDSHAKE_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_DELAY_MS = 30_000;
const BACKLOG = 4096;

export interface ListenOptions {
  readonly urls: readonly string[];
  /** Needed by https and unixs URLs. */
  readonly tls?: TlsMaterial;
  /** Takes HTTP/2 connections and sets their `events`; without it they are closed. */
  readonly onConnection?: (connection: Connection) => void;
  /** Answers HTTP/1.1; without it such connections are closed. */
  readonly http?: HttpHandler;
  /** Answers HTTP/1.1 with bodies as streams, instead of `http`: for peer URLs. */
  readonly streams?: HttpStreamHandler;
  readonly gate: ConnectionGate;
  readonly logger: Logger;
  readonly reusePort?: boolean;
  readonly headersTimeoutMs?: number;
  readonly handshakeTimeoutMs?: number;
}

/** URLs that share one address, and so one socket. */
interface Place {
  readonly address: ListenAddress;
  readonly urls: string[];
  isPlain: boolean;
  isTls: boolean;
}

/** Binds all URLs or none. Throws HostError with the URL that cannot be had and why. */
export async function listen(options: ListenOptions): Promise<Listener[]> {
  const front = new Front(options);
  const listeners: Listener[] = [];
  try {
    for (const place of placesOf(options.urls)) {
      if (place.isTls && options.tls === undefined) {
        throw new HostError(
          `${place.urls.join(", ")}: a TLS listener needs --cert-file and --key-file, or --auto-tls (TL-06)`,
        );
      }
      listeners.push(...(await front.bind(place)));
    }
  } catch (error) {
    await Promise.all(listeners.map((listener) => listener.close()));
    front.stop();
    throw error;
  }
  return listeners;
}

function placesOf(urls: readonly string[]): Place[] {
  const places = new Map<string, Place>();
  let unnamed = 0;
  for (const url of urls) {
    const address = parseListenUrl(url);
    let key = address.kind === "unix" ? address.path : `${address.host}:${address.port}`;
    // Port 0 asks for a port of its own each time.
    if (address.kind === "tcp" && address.port === 0) key += `#${unnamed++}`;
    const place = places.get(key) ?? { address, urls: [], isPlain: false, isTls: false };
    place.urls.push(url);
    if (address.isTls) place.isTls = true;
    else place.isPlain = true;
    places.set(key, place);
  }
  return [...places.values()];
}

/** What stands behind the sockets of one set of URLs. */
class Front {
  readonly #options: ListenOptions;
  readonly #http1: AcceptedServer | undefined;
  readonly #tls: TlsServer | undefined;
  #tlsGeneration = 0;
  /** Of sockets under a handshake: one that was cut no longer knows. */
  readonly #addresses = new WeakMap<object, string | undefined>();
  #boundCount = 0;

  constructor(options: ListenOptions) {
    this.#options = options;
    const { http, streams, logger, tls } = options;
    const headersTimeoutMs = options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS;
    if (streams) this.#http1 = new HttpStreamServer(streams, { headersTimeoutMs, logger }).server;
    else if (http) this.#http1 = new Http1Server(http, { headersTimeoutMs, logger }).server;
    if (tls) this.#tls = this.#tlsServer(tls);
  }

  #tlsServer(material: TlsMaterial): TlsServer {
    const { onConnection, logger } = this.#options;
    const hasHttp1 = this.#http1 !== undefined;
    const server = createTlsServer({
      ALPNProtocols: [...(onConnection ? ["h2"] : []), ...(hasHttp1 ? ["http/1.1"] : [])],
      requestCert: material.asksForCertificate,
      rejectUnauthorized: material.asksForCertificate,
      handshakeTimeout: this.#options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
    });
    server.on("secureConnection", (socket) => {
      socket.on("error", ignore);
      const refusal = material.refusal(socket);
      if (refusal === undefined) return this.#sniff(socket, false);
      logger.warn("rejected connection", { "remote-addr": socket.remoteAddress, error: refusal });
      socket.destroy();
    });
    server.on("tlsClientError", (error, socket) => {
      logger.warn("rejected connection", {
        "remote-addr": socket.remoteAddress ?? this.#addresses.get(parentOf(socket)),
        // OpenSSL ends its texts with a newline.
        error: error.message.trimEnd(),
      });
      socket.destroy();
    });
    return server;
  }

  async bind(place: Place): Promise<Listener[]> {
    const server = createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
      pauseOnConnect: true,
    });
    server.on("connection", (socket) =>
      this.#options.gate.arrived(socket, () => this.#admit(socket, place)),
    );
    await bindServer(server, place, this.#options.reusePort ?? false);
    this.#boundCount += 1;
    server.on("error", (error) =>
      this.#options.logger.error("listener failed", { error: error.message }),
    );
    return listenersOf(server, place, () => {
      this.#boundCount -= 1;
      if (this.#boundCount === 0) this.stop();
    });
  }

  #admit(socket: Socket, place: Place): void {
    if (place.isPlain) this.#sniff(socket, place.isTls);
    else void this.#secure(socket);
  }

  async #secure(socket: Socket): Promise<void> {
    const material = this.#options.tls as TlsMaterial;
    const server = this.#tls as TlsServer;
    socket.on("error", ignore);
    this.#addresses.set(socket, socket.remoteAddress);
    await material.refresh();
    if (socket.destroyed) return;
    socket.off("error", ignore);
    if (this.#tlsGeneration !== material.generation) {
      server.setSecureContext(material.context);
      this.#tlsGeneration = material.generation;
    }
    server.emit("connection", socket);
  }

  #sniff(socket: Socket, mayBeTls: boolean): void {
    const deadlineMs = this.#options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS;
    sniff(socket, { mayBeTls, deadlineMs }, (protocol, bytes) => {
      if (protocol === "h2" && this.#options.onConnection) {
        const connection = new SocketConnection(socket);
        this.#options.onConnection(connection);
        connection.start(bytes);
      } else if (protocol === "tls") {
        socket.unshift(bytes);
        void this.#secure(socket);
      } else if (protocol === "http1" && this.#http1) {
        socket.unshift(bytes);
        this.#http1.accept(socket);
      } else {
        socket.destroy();
      }
    });
  }

  /** Ends what is not a connection; HTTP/1.1 connections without a request too. */
  stop(): void {
    this.#http1?.closeIdle();
    this.#http1?.close();
  }
}

/** The socket under a TLS socket, which Node keeps but does not declare; else the socket itself. */
function parentOf(socket: Socket): object {
  return (socket as { readonly _parent?: object })._parent ?? socket;
}

/** One per URL; the socket closes with the last of them. */
function listenersOf(server: Server, place: Place, onClosed: () => void): Listener[] {
  let openCount = place.urls.length;
  return place.urls.map((given) => ({
    url: realUrl(given, server),
    close: async (): Promise<void> => {
      openCount -= 1;
      if (openCount !== 0) return;
      // Does not wait for connections: they are the gate's.
      server.close();
      onClosed();
    },
  }));
}

function realUrl(given: string, server: Server): string {
  const address = server.address() as AddressInfo | string;
  if (typeof address === "string") return given;
  return given.replace(/:0(\/?)$/, `:${address.port}$1`);
}

async function bindServer(server: Server, place: Place, reusePort: boolean): Promise<void> {
  const { address } = place;
  if (address.kind === "unix") {
    await removeStaleSocket(address.path, address.url);
    return start(server, address.url, { path: address.path });
  }
  const port = address.port;
  const isEverywhere = address.host === "0.0.0.0" || address.host === "";
  if (!isEverywhere) {
    // Go's listener prefers IPv4 for this name, and clients of etcd count on it.
    const host = address.host === "localhost" ? "127.0.0.1" : address.host;
    return start(server, address.url, { host, port, reusePort });
  }
  try {
    // As Go does: every interface means both IPv4 and IPv6 where there is IPv6.
    await start(server, address.url, { host: "::", port, reusePort });
  } catch (error) {
    const code = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code;
    if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL" && code !== "EINVAL") throw error;
    await start(server, address.url, { host: "0.0.0.0", port, reusePort });
  }
}

function start(
  server: Server,
  url: string,
  where: { path: string } | { host: string; port: number; reusePort: boolean },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void =>
      reject(new HostError(`cannot listen on ${url}: ${reasonOf(error)}`, error));
    server.once("error", onError);
    server.listen({ ...where, backlog: BACKLOG }, () => {
      server.off("error", onError);
      resolve();
    });
  });
}

function reasonOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "EADDRINUSE":
      return "the address is already in use by another process";
    case "EADDRNOTAVAIL":
      return "the address does not belong to this machine";
    case "EACCES":
      return "permission denied";
    case "ENOTFOUND":
      return "the host name is not known";
    default:
      return failureOf(error);
  }
}

/** A socket file that nobody listens on is what a killed process left. */
async function removeStaleSocket(path: string, url: string): Promise<void> {
  const code = await new Promise<string | undefined>((resolve) => {
    const probe = connect({ path });
    probe.on("connect", () => {
      probe.destroy();
      resolve(undefined);
    });
    probe.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  if (code === undefined) {
    throw new HostError(`cannot listen on ${url}: another process listens on this socket file`);
  }
  if (code === "ECONNREFUSED") rmSync(path, { force: true });
}

/** The close event that follows is enough. */
function ignore(): void {}
