/** The client library on Node's sockets, clocks and randomness. */
import {
  connect as openConnection,
  type ConnectOptions,
  holdingTimers,
  systemClock,
  systemEntropy,
  systemTimers,
} from "../host/outbound.ts";
import { Client, type ClientOptions, type ClientSeams, type TlsOptions } from "./client.ts";

/**
 * A client of the cluster at `options.endpoints`. Nothing is sent before the first call. Call
 * `close` when done: open connections keep the process alive.
 */
export function connect(options: ClientOptions): Client {
  const tls = tlsOf(options.tls ?? {});
  const seams: ClientSeams = {
    clock: systemClock,
    timers: holdingTimers,
    backgroundTimers: systemTimers,
    entropy: systemEntropy,
    // A URL that is not understood is a rejection too.
    open: async (endpoint, timeoutMs, signal) =>
      await openConnection(endpoint, { tls, timeoutMs, signal }),
  };
  return new Client(options, seams);
}

function tlsOf(options: TlsOptions): NonNullable<ConnectOptions["tls"]> {
  const { ca, cert, key, insecureSkipVerify, serverName } = options;
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(insecureSkipVerify === true && { rejectUnauthorized: false }),
    ...(serverName !== undefined && { servername: serverName }),
  };
}
