/**
 * The peer URLs: bound before anything on the disk is touched, and what a member calls others with.
 * Until the member is there every request is answered with 503; peers come again.
 */
import { ConnectionGate, listen, openHttpClient, type TlsMaterial } from "../host/index.ts";
import type { HttpClient, HttpStreamHandler, Logger } from "../seam/index.ts";
import type { ServerConfig } from "./config.ts";
import { loadTls } from "./tls-files.ts";

/** Each other member holds a handful. Beyond: peers wait, then are closed. */
const CONNECTIONS_MAX = 128;

export interface PeerPorts {
  /** With real ports. */
  readonly urls: readonly string[];
  readonly http: HttpClient;
  readonly tls: TlsMaterial | undefined;
  /** From here on peers are answered. */
  open(handle: HttpStreamHandler): void;
  /** Ends all connections, in both directions. */
  close(): Promise<void>;
}

const NOT_READY = "503 the member is starting\n";

export async function bindPeerPorts(config: ServerConfig, logger: Logger): Promise<PeerPorts> {
  const pair = await loadTls(config, "peer", logger);
  const gate = new ConnectionGate(CONNECTIONS_MAX, logger);
  let handle: HttpStreamHandler = (_request, response) =>
    response.send(503, { "content-type": "text/plain; charset=utf-8" }, NOT_READY);
  const listeners = await listen({
    urls: config.listenPeerUrls,
    gate,
    logger,
    reusePort: config.reusePort,
    ...(pair && { tls: pair.listening }),
    streams: (request, response) => handle(request, response),
  });
  const http = openHttpClient({
    ...(pair && { tls: pair.dialling, isUnverified: pair.isSelfSigned }),
  });
  return {
    urls: listeners.map((listener) => listener.url),
    http,
    tls: pair?.listening,
    open: (opened) => {
      handle = opened;
    },
    close: async () => {
      await Promise.all(listeners.map((listener) => listener.close()));
      gate.destroyAll();
      http.close();
    },
  };
}
