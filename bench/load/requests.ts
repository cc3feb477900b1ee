/** Runs a case of requests: connects, gives each client its connection, and starts the run. */
import { Prng } from "../../src/base/index.ts";
import {
  decodeLeaseGrantResponse,
  decodeLeaseKeepAliveResponse,
  encodeLeaseGrantRequest,
  encodeLeaseKeepAliveRequest,
  marshal,
} from "../../src/wire/index.ts";
import type { Figures } from "../cases.ts";
import { type Caller, callOnce, type Channel, LEASE_GRANT, LEASE_KEEP_ALIVE } from "./channel.ts";
import type { OpenStream } from "./channel.ts";
import { Http2Channel } from "./http2-channel.ts";
import type { RequestsJob } from "./jobs.ts";
import { makeOperation } from "./operations.ts";
import { RequestRun, type RunOptions } from "./request-run.ts";

const LEASE_TTL_SECONDS = 3600;

export async function connectAll(ports: readonly number[], count: number): Promise<Http2Channel[]> {
  const channels: Http2Channel[] = [];
  for (let index = 0; index < count; index += 1) {
    channels.push(await Http2Channel.connect(ports[index % ports.length] as number));
  }
  return channels;
}

export async function runRequests(job: RequestsJob): Promise<Figures> {
  const channels = await connectAll(job.ports, job.connections);
  try {
    const run =
      job.operation === "lease-keepalive"
        ? new RequestRun({ ...job, isStream: true, ...(await keepAlives(job, channels)) })
        : new RequestRun({ ...job, isStream: false, ...unaryCalls(job, channels) });
    return await run.start();
  } finally {
    for (const channel of channels) channel.close();
  }
}

type Sending = Pick<RunOptions, "send" | "accepts">;

function unaryCalls(job: RequestsJob, channels: readonly Channel[]): Sending {
  if (job.operation === "lease-keepalive") throw new Error("keepalives are streams");
  const prng = new Prng(job.seed);
  const operation = makeOperation(job.operation, prng, job.preloadKeys, job.clients);
  return {
    send(client, caller) {
      operation.prepare(client);
      const channel = channels[client % channels.length] as Channel;
      channel.unary(operation.path, operation.message, caller);
    },
    accepts: (client, bytes, lo, hi) => operation.accepts(client, bytes, lo, hi),
  };
}

/** One lease and one stream for each client. */
async function keepAlives(job: RequestsJob, channels: readonly Channel[]): Promise<Sending> {
  const grant = marshal(encodeLeaseGrantRequest, { ttlSeconds: LEASE_TTL_SECONDS, id: 0n });
  const messages: Buffer[] = [];
  for (let client = 0; client < job.clients; client += 1) {
    const channel = channels[client % channels.length] as Channel;
    const { id } = decodeLeaseGrantResponse(await callOnce(channel, LEASE_GRANT, grant));
    messages.push(marshal(encodeLeaseKeepAliveRequest, { id }));
  }
  const streams: OpenStream[] = [];
  return {
    send(client: number, caller: Caller) {
      const channel = channels[client % channels.length] as Channel;
      streams[client] ??= channel.stream(LEASE_KEEP_ALIVE, caller);
      (streams[client] as OpenStream).send(messages[client] as Buffer);
    },
    accepts: (_client, bytes, lo, hi) => decodeLeaseKeepAliveResponse(bytes, lo, hi).ttlSeconds > 0,
  };
}
