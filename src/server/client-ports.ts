/** The ports for clients and for metrics, bound early, with the doors behind which callers wait. */
import {
  ConnectionGate,
  connectionsMaxOf,
  descriptorLimit,
  listen,
  type ListenOptions,
  type TlsMaterial,
} from "../host/index.ts";
import type { Listener, Logger } from "../seam/index.ts";
import type { ServerConfig } from "./config.ts";
import { FrontDoor } from "./front-door.ts";
import { loadTls } from "./tls-files.ts";

/** What was written last gets this long to leave before connections are cut. */
const LAST_BYTES_MS = 500;

export interface ClientPorts {
  readonly door: FrontDoor;
  readonly metricsDoor: FrontDoor;
  readonly gate: ConnectionGate;
  /** With real ports. */
  readonly clientUrls: readonly string[];
  readonly metricsUrls: readonly string[];
  readonly tls: TlsMaterial | undefined;
  stopAccepting(): Promise<void>;
  /** Ends connections too. */
  close(): Promise<void>;
}

export async function bindClientPorts(config: ServerConfig, logger: Logger): Promise<ClientPorts> {
  const gate = new ConnectionGate(connectionsMaxOf(descriptorLimit()), logger);
  const tls = (await loadTls(config, "client", logger))?.listening;
  const door = new FrontDoor();
  const metricsDoor = new FrontDoor();
  const { listenClientUrls, listenClientHttpUrls, listenMetricsUrls, reusePort } = config;
  const listeners: Listener[] = [];
  const bind = async (
    urls: readonly string[],
    doors: Pick<ListenOptions, "onConnection" | "http">,
  ): Promise<string[]> => {
    const bound = await listen({ urls, gate, logger, reusePort, ...(tls && { tls }), ...doors });
    listeners.push(...bound);
    return bound.map((listener) => listener.url);
  };
  const stopAccepting = async (): Promise<void> => {
    await Promise.all(listeners.splice(0).map((listener) => listener.close()));
  };
  const close = async (): Promise<void> => {
    await stopAccepting();
    await gate.emptied(LAST_BYTES_MS);
    gate.destroyAll();
  };
  try {
    const { onConnection, http } = door;
    const hasOwnHttp = listenClientHttpUrls.length > 0;
    const clientUrls = await bind(
      listenClientUrls,
      hasOwnHttp ? { onConnection } : { onConnection, http },
    );
    await bind(listenClientHttpUrls, { http });
    const metricsUrls = await bind(listenMetricsUrls, { http: metricsDoor.http });
    return { door, metricsDoor, gate, clientUrls, metricsUrls, tls, stopAccepting, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What clients are told: with the real port where port 0 asked for any. */
export function advertised(
  urls: readonly string[] | undefined,
  bound: readonly string[],
): readonly string[] {
  if (urls === undefined) return bound;
  return urls.map((url, position) => {
    const isHttp = /^https?:/.test(url);
    const like = [bound[position] ?? "", ...bound].find(
      (other) => other.split(":")[0] === url.split(":")[0],
    );
    const port = /:(\d+)\/?$/.exec(like ?? "")?.[1];
    return isHttp && port !== undefined ? url.replace(/:0(\/?)$/, `:${port}$1`) : url;
  });
}
