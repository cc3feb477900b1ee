/** seam/HttpClient by node:http: requests of a member to other members' peer URLs. */
import type { ClientRequest, ClientRequestArgs, IncomingMessage } from "node:http";
import { connect as connectSocket, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import type { HttpClient, HttpClientRequest, HttpClientResponse } from "../seam/index.ts";
import { HostError } from "./host-error.ts";
import { failed, IncomingBody, joinHeaders } from "./http-body.ts";
import { type ListenAddress, parseListenUrl } from "./listen-url.ts";
import { Agent, request as openRequest } from "./node-http.ts";
import type { TlsMaterial } from "./tls-material.ts";

export interface HttpClientOptions {
  /** For https and unixs URLs: shown to whoever asks for a certificate, and whom to trust. */
  readonly tls?: TlsMaterial;
  /** The other side's certificate is not checked: it signed it itself (--peer-auto-tls). */
  readonly isUnverified?: boolean;
}

const KEEP_ALIVE_DELAY_MS = 10_000;
/** Connections kept for the next request to one member. Beyond: closed after use. */
const IDLE_CONNECTIONS_MAX = 4;

/** Of a streamed body, sent before everything else of the event loop has its turn. */
const TURN_BYTES = 256 * 1024;

/** Node hands these through to `createConnection`. */
interface ConnectArgs extends ClientRequestArgs {
  readonly address: ListenAddress;
  readonly connectTimeoutMs: number;
}

export function openHttpClient(options: HttpClientOptions = {}): HttpClient {
  const kept = new PeerAgent(options, true);
  const alone = new PeerAgent(options, false);
  return {
    request: async (request) => {
      // A streamed body may be answered before its end: nothing can follow it then.
      const agent = request.isAlone === true || !isWhole(request.body) ? alone : kept;
      try {
        return await exchange(agent, request);
      } catch (error) {
        if (!(error instanceof StaleConnection)) throw error;
        return await exchange(alone, request);
      }
    },
    close: () => {
      kept.destroy();
      alone.destroy();
    },
  };
}

/** A kept connection that the other side had closed meanwhile: worth another try. */
class StaleConnection extends Error {}

class PeerAgent extends Agent {
  readonly #options: HttpClientOptions;

  constructor(options: HttpClientOptions, keepAlive: boolean) {
    super({ keepAlive, maxFreeSockets: IDLE_CONNECTIONS_MAX });
    this.#options = options;
  }

  override getName(options?: ConnectArgs): string {
    return options?.address.url ?? "";
  }

  override createConnection(
    options: ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): null {
    if (callback) void this.#answer(options as ConnectArgs, callback);
    return null;
  }

  async #answer(
    { address, connectTimeoutMs }: ConnectArgs,
    callback: (error: Error | null, stream: Duplex) => void,
  ): Promise<void> {
    let socket: Socket;
    try {
      socket = await this.#connect(address, connectTimeoutMs);
    } catch (error) {
      return callback(error as Error, undefined as never);
    }
    callback(null, socket);
  }

  async #connect(address: ListenAddress, timeoutMs: number): Promise<Socket> {
    const where =
      address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port };
    const { tls, isUnverified } = this.#options;
    if (!address.isTls) return connected(connectSocket(where), "connect", timeoutMs);
    if (tls === undefined && isUnverified !== true) {
      throw new HostError(
        `${address.url}: a TLS peer needs --peer-cert-file and --peer-key-file, or --peer-auto-tls`,
      );
    }
    await tls?.refresh();
    const socket = connectTls({
      ...tls?.context,
      ...where,
      rejectUnauthorized: isUnverified !== true,
    });
    await connected(socket, "secureConnect", timeoutMs);
    const refusal = isUnverified === true ? undefined : tls?.refusalOfServer(socket);
    if (refusal === undefined) return socket;
    socket.destroy();
    throw new HostError(`${address.url}: ${refusal}`);
  }
}

function connected(socket: Socket, event: string, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      clearTimeout(limit);
      socket.destroy();
      reject(error);
    };
    const limit = setTimeout(
      () => fail(failed(`no connection within ${timeoutMs} ms`, "ETIMEDOUT")),
      timeoutMs,
    );
    socket.once("error", fail);
    socket.once(event, () => {
      clearTimeout(limit);
      socket.off("error", fail);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
      resolve(socket);
    });
  });
}

function exchange(agent: PeerAgent, request: HttpClientRequest): Promise<HttpClientResponse> {
  return new Promise((resolve, reject) => {
    const { body, method, target, signal, connectTimeoutMs, answerTimeoutMs } = request;
    const address = parseListenUrl(request.url);
    const headers: Record<string, string | number> = { ...request.headers };
    if (body instanceof Buffer) headers["content-length"] = body.length;
    const where = address.kind === "unix" ? {} : { host: address.host, port: address.port };
    const args: ConnectArgs = {
      ...where,
      method,
      path: target,
      headers,
      agent,
      address,
      connectTimeoutMs,
      ...(signal && { signal }),
    };
    const outgoing = openRequest(args);
    let limit: NodeJS.Timeout | undefined;
    let hasAnswer = false;
    const expectAnswer = (): void => {
      limit ??= setTimeout(
        () => outgoing.destroy(failed(`no answer within ${answerTimeoutMs} ms`, "ETIMEDOUT")),
        answerTimeoutMs,
      );
    };
    outgoing.on("response", (message: IncomingMessage) => {
      hasAnswer = true;
      clearTimeout(limit);
      const { statusCode: status = 0, headers: given } = message;
      resolve({ status, headers: joinHeaders(given), body: new IncomingBody(message) });
    });
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(limit);
      const isStale = outgoing.reusedSocket && !hasAnswer && error.code !== "ETIMEDOUT";
      const isAgain = isStale && isWhole(body) && signal?.aborted !== true;
      reject(isAgain ? new StaleConnection() : error);
    });
    outgoing.on("close", () => clearTimeout(limit));
    if (isWhole(body)) {
      outgoing.on("socket", expectAnswer);
      outgoing.end(body);
    } else {
      outgoing.on("finish", expectAnswer);
      pump(outgoing, body, request, () => hasAnswer).catch((error: unknown) =>
        outgoing.destroy(error as Error),
      );
    }
  });
}

function isWhole(body: HttpClientRequest["body"]): body is Buffer | undefined {
  return body === undefined || body instanceof Buffer;
}

/** Writes the body as fast as it is taken, until an answer comes, welcome or not. */
async function pump(
  outgoing: ClientRequest,
  body: AsyncIterable<Buffer>,
  { trailers, writeTimeoutMs }: HttpClientRequest,
  isAnswered: () => boolean,
): Promise<void> {
  let turnBytes = 0;
  for await (const chunk of body) {
    if (outgoing.destroyed || isAnswered()) return;
    turnBytes += chunk.length;
    if (!outgoing.write(chunk)) await drained(outgoing, writeTimeoutMs);
    if (turnBytes < TURN_BYTES) continue;
    turnBytes = 0;
    await nextTurn();
  }
  if (outgoing.destroyed) return;
  if (trailers) outgoing.addTrailers(trailers());
  outgoing.end();
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

function drained(outgoing: ClientRequest, timeoutMs: number | undefined): Promise<void> {
  return new Promise((resolve) => {
    const limit =
      timeoutMs === undefined
        ? undefined
        : setTimeout(
            () => outgoing.destroy(failed(`nothing was sent for ${timeoutMs} ms`, "ETIMEDOUT")),
            timeoutMs,
          );
    const go = (): void => {
      clearTimeout(limit);
      outgoing.off("drain", go);
      outgoing.off("close", go);
      outgoing.off("response", go);
      resolve();
    };
    outgoing.on("drain", go);
    outgoing.on("close", go);
    outgoing.on("response", go);
  });
}
