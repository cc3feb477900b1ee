/**
 * A null gRPC server and a generator in a process of its own: requests per second, and the CPU that
 * each side spent per request. `node bench/micro/grpc-echo.ts [seconds] [connections] [in flight
 * each] [message bytes]`.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { ClientGroup, GrpcServer, type Method, type UnaryDone } from "../../src/grpc/index.ts";
import {
  connect,
  ConnectionGate,
  listen,
  systemClock,
  systemTimers,
} from "../../src/host/index.ts";
import type { Logger } from "../../src/seam/index.ts";

const PATH = "/bench.Echo/Unary";
const WARM_UP_SECONDS = 2;

const quiet: Logger = {
  debug() {},
  info() {},
  warn: (message, fields) => console.warn(message, fields),
  error: (message, fields) => console.error(message, fields),
  isEnabled: () => false,
  child: () => quiet,
};

/** CPU of this process so far, in microseconds. */
function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Serves until the parent lets go of it; answers each line on stdin with `cpu requests`. */
async function serve(): Promise<void> {
  const methods = new Map<string, Method>([
    [PATH, { kind: "unary", handle: (call, request) => call.respond(request) }],
  ]);
  const server = new GrpcServer({
    methods,
    clock: systemClock,
    timers: systemTimers,
    logger: quiet,
  });
  const listeners = await listen({
    urls: ["http://127.0.0.1:0"],
    onConnection: (connection) => server.serve(connection),
    gate: new ConnectionGate(20_000),
    logger: quiet,
  });
  console.log(listeners[0]?.url);
  process.stdin.on("data", () => {
    console.log(`${cpuMicros()} ${server.stats.methods.get(PATH)?.started}`);
  });
  process.stdin.on("end", () => process.exit(0));
}

async function generate(): Promise<void> {
  const [seconds = 5, connections = 1, inFlight = 100, messageBytes = 64] = process.argv
    .slice(2)
    .map(Number);
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), "serve"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdout.setEncoding("utf8");
  const [line] = (await once(child.stdout, "data")) as [string];
  const url = line.trim();
  const ask = async (): Promise<number[]> => {
    child.stdin.write("\n");
    const [answer] = (await once(child.stdout, "data")) as [string];
    return answer.trim().split(" ").map(Number);
  };
  const group = new ClientGroup({ clock: systemClock, timers: systemTimers });
  const message = Buffer.alloc(messageBytes, 0x61);
  let count = 0;
  let isOver = false;
  for (let number = 0; number < connections; number += 1) {
    const connection = await connect(url);
    const client = group.open(connection, { authority: url.slice("http://".length) });
    connection.start();
    const onDone: UnaryDone = (code, text) => {
      if (code !== 0) throw new Error(`${code} ${text}`);
      count += 1;
      if (!isOver) client.unary(PATH, message, onDone);
    };
    for (let call = 0; call < inFlight; call += 1) client.unary(PATH, message, onDone);
  }
  await after(WARM_UP_SECONDS);
  const [serverBefore = 0] = await ask();
  const before = { count, cpu: cpuMicros(), ms: performance.now() };
  await after(seconds);
  const [serverAfter = 0] = await ask();
  const requests = count - before.count;
  const elapsedMs = performance.now() - before.ms;
  isOver = true;
  const perRequest = (micros: number): string => (micros / requests).toFixed(2);
  console.log(
    `${connections} connections x ${inFlight} in flight, ${messageBytes} B: ` +
      `${Math.round((requests / elapsedMs) * 1000)} req/s, ` +
      `server ${perRequest(serverAfter - serverBefore)} us CPU per request, ` +
      `client ${perRequest(cpuMicros() - before.cpu)} us`,
  );
  child.stdin.end();
  process.exit(0);
}

function after(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

await (process.argv[2] === "serve" ? serve() : generate());
