/**
 * A server of ours on a real port, and clients of ours, for tests against other implementations.
 */
import type { TestContext } from "node:test";
import {
  ClientGroup,
  type ClientOptions,
  type GrpcClient,
  GrpcServer,
  type GrpcServerOptions,
  type Method,
} from "../../src/grpc/index.ts";
import {
  connect,
  ConnectionGate,
  listen,
  systemClock,
  systemTimers,
} from "../../src/host/index.ts";
import type { HttpHandler, Logger } from "../../src/seam/index.ts";

export const QUIET: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  isEnabled: () => false,
  child: () => QUIET,
};

/** What the test server does, by path; used by clients of several kinds. */
export function testMethods(): Map<string, Method> {
  return new Map<string, Method>([
    ["/test.Echo/Unary", { kind: "unary", handle: (call, request) => call.respond(request) }],
    [
      "/test.Echo/Metadata",
      {
        kind: "unary",
        handle: (call) => {
          call.addHeader("x-answer", call.metadata("x-question") ?? "none");
          call.addTrailer("x-bytes-bin", call.metadata("x-bytes-bin") ?? "");
          call.respond(call.metadataBinary("x-bytes-bin") ?? Buffer.alloc(0));
        },
      },
    ],
    [
      "/test.Echo/Fail",
      {
        kind: "unary",
        handle: (call, request) => call.fail(9, `etcdserver: ${request.toString()} é 100%`),
      },
    ],
    [
      "/test.Echo/Big",
      {
        kind: "unary",
        handle: (call, request) => {
          let left = Number(request.toString());
          call.beginMessage(left);
          const more = (): void => {
            for (let isOpen = true; isOpen && left > 0; ) {
              const piece = Buffer.alloc(Math.min(left, 100_000), 0x62);
              left -= piece.length;
              isOpen = call.sendPiece(piece);
            }
          };
          call.onDrain = more;
          more();
        },
      },
    ],
    ["/test.Echo/Never", { kind: "unary", handle: () => {} }],
    [
      "/test.Echo/Count",
      {
        kind: "stream",
        type: "server_stream",
        handle: (call) => {
          call.onMessage = (message) => {
            for (let number = 0; number < Number(message.toString()); number += 1) {
              call.send(Buffer.from(String(number)));
            }
            call.end();
          };
        },
      },
    ],
    [
      "/test.Echo/Chat",
      {
        kind: "stream",
        handle: (call) => {
          call.onMessage = (message) => call.send(message);
          call.onHalfClose = () => call.end();
        },
      },
    ],
  ]);
}

export interface TestServer {
  readonly url: string;
  /** host:port */
  readonly authority: string;
  readonly server: GrpcServer;
}

export async function startServer(
  context: TestContext,
  options: Partial<GrpcServerOptions> = {},
): Promise<TestServer> {
  const onHttpRequest: HttpHandler = async (request) => ({
    status: request.path === "/health" ? 200 : 404,
    headers: { "content-type": "text/plain" },
    body: `${request.method} ${request.path} ${request.body.length}\n`,
  });
  const server = new GrpcServer({
    methods: testMethods(),
    clock: systemClock,
    timers: systemTimers,
    logger: QUIET,
    onHttpRequest,
    ...options,
  });
  const [listener] = await listen({
    urls: ["http://127.0.0.1:0"],
    onConnection: (connection) => server.serve(connection),
    gate: new ConnectionGate(100),
    logger: QUIET,
  });
  if (listener === undefined) throw new Error("no listener");
  context.after(async () => {
    server.close();
    await listener.close();
  });
  return { url: listener.url, authority: listener.url.slice("http://".length), server };
}

export async function openClient(
  context: TestContext,
  url: string,
  options: Partial<ClientOptions> = {},
): Promise<GrpcClient> {
  const group = new ClientGroup({ clock: systemClock, timers: systemTimers });
  const connection = await connect(url);
  const client = group.open(connection, { authority: url.slice("http://".length), ...options });
  connection.start();
  context.after(() => group.close());
  return client;
}

export interface UnaryEnding {
  readonly code: number;
  readonly message: string;
  readonly response: Buffer | undefined;
}

export function callUnary(
  client: GrpcClient,
  path: string,
  message: Buffer | string,
  options: { timeoutMs?: number; metadata?: readonly string[] } = {},
): Promise<UnaryEnding> {
  return new Promise((resolve) => {
    client.unary(
      path,
      Buffer.from(message),
      (code, text, response) => resolve({ code, message: text, response }),
      options,
    );
  });
}
