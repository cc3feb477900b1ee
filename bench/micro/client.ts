/**
 * What a call costs its client: the client library beside @grpc/grpc-js, against one server in a
 * process of its own that answers without a store.
 *
 *   node bench/micro/client.ts
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Client as GrpcJsClient, credentials } from "@grpc/grpc-js";
import { connect } from "../../src/client/index.ts";
import { encodePutRequest, emptyPutRequest, marshal } from "../../src/wire/index.ts";

const VALUE = Buffer.alloc(256, 0x61);
const SECONDS = 4;

interface Load {
  put(): Promise<unknown>;
  close(): void;
}

function ours(address: string): Load {
  const client = connect({ endpoints: [address] });
  return { put: () => client.kv.put("key", VALUE), close: () => client.close() };
}

function grpcJs(address: string): Load {
  const client = new GrpcJsClient(address, credentials.createInsecure());
  const path = "/etcdserverpb.KV/Put";
  const encode = (value: Buffer): Buffer => {
    return marshal(encodePutRequest, { ...emptyPutRequest(), key: "key", value });
  };
  const put = (): Promise<unknown> => {
    return new Promise((resolve, reject) => {
      const deadline = Date.now() + 10_000;
      client.makeUnaryRequest(
        path,
        encode,
        (bytes) => bytes,
        VALUE,
        { deadline },
        (error, answer) => {
          if (error === null) resolve(answer);
          else reject(error);
        },
      );
    });
  };
  return { put, close: () => client.close() };
}

async function measure(name: string, load: Load, inFlight: number): Promise<void> {
  await load.put();
  let calls = 0;
  let isOver = false;
  const lane = async (): Promise<void> => {
    while (!isOver) {
      await load.put();
      calls += 1;
    }
  };
  const run = async (seconds: number): Promise<void> => {
    calls = 0;
    isOver = false;
    const lanes = Array.from({ length: inFlight }, lane);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    isOver = true;
    await Promise.all(lanes);
  };
  await run(1);
  const [cpu, began] = [process.cpuUsage(), performance.now()];
  await run(SECONDS);
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - began) / 1000;
  const micros = (user + system) / calls;
  const perSecond = Math.round(calls / seconds);
  console.log(
    `${name.padEnd(14)} ${String(inFlight).padStart(5)} in flight ` +
      `${String(perSecond).padStart(8)} puts/s ${micros.toFixed(1).padStart(7)} us of CPU a put ` +
      `${String(Math.round(1_000_000 / micros)).padStart(8)} a core`,
  );
  load.close();
}

const port = 20_000 + (process.pid % 10_000);
const program = fileURLToPath(new URL("../null-server.ts", import.meta.url));
const url = `http://127.0.0.1:${port}`;
const server = spawn(process.execPath, [program, `--listen-client-urls=${url}`], {
  stdio: "inherit",
});
const probe = connect({ endpoints: [url] });
await probe.kv.put("key", VALUE);
probe.close();
for (const inFlight of [1, 100, 1000]) {
  await measure("holdfast", ours(url), inFlight);
  await measure("@grpc/grpc-js", grpcJs(`127.0.0.1:${port}`), inFlight);
}
server.kill();
