/**
 * A server that stores nothing and answers at once, on our own gRPC: what the generator reaches
 * against it is the generator's ceiling. Takes `--listen-client-urls` and ignores other flags.
 */
import { Code } from "../src/errors/index.ts";
import { GrpcServer, type Method, type ServerStream } from "../src/grpc/index.ts";
import { ConnectionGate, listen, openLog, systemClock, systemTimers } from "../src/host/index.ts";
import {
  decodeWatchRequest,
  encodeLeaseGrantResponse,
  encodeLeaseKeepAliveResponse,
  encodePutResponse,
  encodeRangeResponse,
  encodeTxnResponse,
  encodeWatchResponse,
  marshal,
  marshalKeyValue,
  type ResponseHeader,
  type WatchResponse,
} from "../src/wire/index.ts";
import { LARGE_RANGE_KEYS, VALUE_BYTES, WATCH_VALUE_BYTES } from "./cases.ts";
import { KV_PUT, KV_RANGE, KV_TXN, LEASE_GRANT, LEASE_KEEP_ALIVE, WATCH } from "./load/channel.ts";

/** A request for one key of 8 bytes, serializable or not, is shorter than this. */
const RANGE_REQUEST_BYTES = 14;
const FLAG = "--listen-client-urls=";

const header: ResponseHeader = {
  clusterId: 0x1234_5678_9abc_def0n,
  memberId: 0x0fed_cba9_8765_4321n,
  revision: 1_000_000,
  raftTerm: 2,
};

function pair(valueBytes: number): Buffer {
  return marshalKeyValue({
    key: "12345678",
    createRevision: 1_000,
    modRevision: 1_000_000,
    version: 3,
    value: Buffer.alloc(valueBytes, "x"),
    lease: 0n,
  });
}

function rangeOf(keys: number): Buffer {
  const kvs = Array.from({ length: keys }, () => pair(VALUE_BYTES));
  return marshal((writer, response) => encodeRangeResponse(writer, header, response), {
    revision: header.revision,
    kvs,
    more: false,
    count: keys,
  });
}

const answers = {
  put: marshal((writer, response) => encodePutResponse(writer, header, response), {
    revision: header.revision,
    prevKv: undefined,
  }),
  point: rangeOf(1),
  range: rangeOf(LARGE_RANGE_KEYS),
  txn: marshal((writer, response) => encodeTxnResponse(writer, header, response), {
    revision: header.revision,
    succeeded: true,
    responses: [{ kind: "put" as const, put: { revision: header.revision, prevKv: undefined } }],
  }),
  grant: marshal((writer, response) => encodeLeaseGrantResponse(writer, header, response), {
    id: 77n,
    ttlSeconds: 3600,
  }),
  keepAlive: marshal((writer, response) => encodeLeaseKeepAliveResponse(writer, header, response), {
    id: 77n,
    ttlSeconds: 3600,
  }),
};

function watchResponse(part: Partial<WatchResponse>): Buffer {
  const empty = { header, watchId: 0, created: false, canceled: false, compactRevision: 0 };
  const response = { ...empty, cancelReason: "", fragment: false, events: [], ...part };
  return marshal(encodeWatchResponse, response);
}

const created = watchResponse({ created: true });
const event = watchResponse({
  watchId: 5,
  events: [{ type: "put", kv: pair(WATCH_VALUE_BYTES), prevKv: undefined }],
});

/** One entry for each watcher: its stream. */
const watchers: ServerStream[] = [];

const methods = new Map<string, Method>([
  [
    KV_PUT,
    {
      kind: "unary",
      handle(call) {
        call.respond(answers.put);
        for (const watcher of watchers) watcher.send(event);
      },
    },
  ],
  [
    KV_RANGE,
    {
      kind: "unary",
      handle(call, request) {
        call.respond(request.length < RANGE_REQUEST_BYTES ? answers.point : answers.range);
      },
    },
  ],
  [KV_TXN, { kind: "unary", handle: (call) => call.respond(answers.txn) }],
  [LEASE_GRANT, { kind: "unary", handle: (call) => call.respond(answers.grant) }],
  [
    LEASE_KEEP_ALIVE,
    {
      kind: "stream",
      handle(call) {
        call.onMessage = () => {
          call.send(answers.keepAlive);
        };
        call.onHalfClose = () => call.end();
      },
    },
  ],
  [
    WATCH,
    {
      kind: "stream",
      handle(call) {
        call.onMessage = (message) => {
          if (decodeWatchRequest(message).kind !== "create") {
            call.fail(Code.UNIMPLEMENTED, "only creates");
            return;
          }
          watchers.push(call);
          call.send(created);
        };
        call.onHalfClose = () => call.end();
      },
    },
  ],
]);

const urls = process.argv.find((arg) => arg.startsWith(FLAG))?.slice(FLAG.length);
if (urls === undefined) throw new Error(`${FLAG}URL is missing`);
const logger = openLog({ level: "warn", format: "json", outputs: ["stderr"] });
const server = new GrpcServer({ methods, clock: systemClock, timers: systemTimers, logger });
await listen({
  urls: [urls],
  gate: new ConnectionGate(Number.POSITIVE_INFINITY),
  logger,
  onConnection: (connection) => server.serve(connection),
});
process.on("SIGTERM", () => process.exit(0));
