/** @grpc/grpc-js at the other end, once as client and once as server. */
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { test, type TestContext } from "node:test";
import grpc from "@grpc/grpc-js";
import type { Method } from "../../src/grpc/index.ts";
import { callUnary, openClient, startServer } from "./support.ts";

const asIs = (bytes: Buffer): Buffer => bytes;

function definition(
  path: string,
  requestStream: boolean,
  responseStream: boolean,
): grpc.MethodDefinition<Buffer, Buffer> {
  return {
    path,
    requestStream,
    responseStream,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}

function newClient(context: TestContext, authority: string, options: grpc.ClientOptions = {}) {
  const client = new grpc.Client(authority, grpc.credentials.createInsecure(), options);
  context.after(() => client.close());
  return client;
}

interface Ending {
  readonly error: grpc.ServiceError | null;
  readonly response: Buffer | undefined;
  readonly metadata: grpc.Metadata;
  readonly status: grpc.StatusObject;
}

function unary(
  client: grpc.Client,
  path: string,
  message: Buffer | string,
  options: { metadata?: grpc.Metadata; call?: grpc.CallOptions } = {},
): Promise<Ending> {
  return new Promise((resolve) => {
    let error: grpc.ServiceError | null = null;
    let response: Buffer | undefined;
    let metadata = new grpc.Metadata();
    const call = client.makeUnaryRequest<Buffer, Buffer>(
      path,
      asIs,
      asIs,
      Buffer.from(message),
      options.metadata ?? new grpc.Metadata(),
      options.call ?? {},
      (failure, answer) => {
        error = failure;
        response = answer;
      },
    );
    call.on("metadata", (fields) => (metadata = fields));
    call.on("status", (status) =>
      setImmediate(() => resolve({ error, response, metadata, status })),
    );
  });
}

test("grpc-js client: unary calls, many at once, empty and large messages (FR-01)", async (context) => {
  const { authority } = await startServer(context);
  const client = newClient(context, authority);
  const texts = Array.from({ length: 200 }, (_, number) => "x".repeat(number));
  const endings = await Promise.all(texts.map((text) => unary(client, "/test.Echo/Unary", text)));
  assert.deepEqual(
    endings.map(({ response }) => String(response)),
    texts,
  );
  const large = Buffer.alloc(2_097_152, 7);
  assert.deepEqual((await unary(client, "/test.Echo/Unary", large)).response, large);
  const refused = await unary(client, "/test.Echo/Unary", Buffer.alloc(2_097_153));
  assert.equal(refused.status.code, grpc.status.RESOURCE_EXHAUSTED);
  assert.equal(
    refused.status.details,
    "grpc: received message larger than max (2097153 vs. 2097152)",
  );
});

test("grpc-js client: statuses and texts arrive exactly", async (context) => {
  const { authority } = await startServer(context);
  const client = newClient(context, authority);
  const failed = await unary(client, "/test.Echo/Fail", "key");
  assert.deepEqual(
    [failed.status.code, failed.status.details],
    [grpc.status.FAILED_PRECONDITION, "etcdserver: key é 100%"],
  );
  const unknown = await unary(client, "/test.Echo/Nothing", "x");
  assert.deepEqual(
    [unknown.status.code, unknown.status.details],
    [grpc.status.UNIMPLEMENTED, "unknown method Nothing for service test.Echo"],
  );
});

test("grpc-js client: metadata both ways, binary too", async (context) => {
  const { authority } = await startServer(context);
  const client = newClient(context, authority);
  const metadata = new grpc.Metadata();
  metadata.set("x-question", "why");
  metadata.set("x-bytes-bin", Buffer.of(0, 1, 254, 255));
  const ending = await unary(client, "/test.Echo/Metadata", "", { metadata });
  assert.deepEqual(ending.metadata.get("x-answer"), ["why"]);
  assert.deepEqual(ending.response, Buffer.of(0, 1, 254, 255));
  assert.deepEqual(ending.status.metadata.get("x-bytes-bin"), [Buffer.of(0, 1, 254, 255)]);
});

test("grpc-js client: a deadline and a cancel end the call at the server too (FR-33)", async (context) => {
  const seen = new EventEmitter();
  const never: Method = {
    kind: "unary",
    handle: (call) => {
      call.onCancel = () => seen.emit("cancel", call.cancelled);
      seen.emit("call");
    },
  };
  const { authority } = await startServer(context, {
    methods: new Map([["/test.Echo/Never", never]]),
  });
  const client = newClient(context, authority);
  const expired = once(seen, "cancel");
  const late = await unary(client, "/test.Echo/Never", "x", {
    call: { deadline: Date.now() + 100 },
  });
  assert.equal(late.status.code, grpc.status.DEADLINE_EXCEEDED);
  assert.deepEqual(await expired, [true]);
  const arrived = once(seen, "call");
  const call = client.makeUnaryRequest<Buffer, Buffer>(
    "/test.Echo/Never",
    asIs,
    asIs,
    Buffer.from("x"),
    () => {},
  );
  await arrived;
  const status = once(call, "status");
  const cancelled = once(seen, "cancel");
  call.cancel();
  assert.equal((await status)[0].code, grpc.status.CANCELLED);
  assert.deepEqual(await cancelled, [true]);
});

test("grpc-js client: an answer of 20 MB in pieces", async (context) => {
  const { authority } = await startServer(context);
  const client = newClient(context, authority, { "grpc.max_receive_message_length": -1 });
  const { response } = await unary(client, "/test.Echo/Big", "20000000");
  assert.equal(response?.length, 20_000_000);
  assert.ok(response.every((byte) => byte === 0x62));
});

test("grpc-js client: a server stream of 20 000 messages, read slowly at first", async (context) => {
  const { authority } = await startServer(context);
  const client = newClient(context, authority);
  const call = client.makeServerStreamRequest<Buffer, Buffer>(
    "/test.Echo/Count",
    asIs,
    asIs,
    Buffer.from("20000"),
  );
  const numbers: number[] = [];
  call.on("data", (message: Buffer) => {
    numbers.push(Number(String(message)));
    if (numbers.length % 5_000 === 0) {
      call.pause();
      setImmediate(() => call.resume());
    }
  });
  const [status] = await once(call, "status");
  assert.equal(status.code, 0);
  assert.deepEqual(
    numbers,
    Array.from({ length: 20_000 }, (_, number) => number),
  );
});

test("grpc-js client: a bidirectional stream of large messages, and a half-close", async (context) => {
  const { authority } = await startServer(context);
  const client = newClient(context, authority);
  const call = client.makeBidiStreamRequest<Buffer, Buffer>("/test.Echo/Chat", asIs, asIs);
  let receivedBytes = 0;
  call.on("data", (message: Buffer) => (receivedBytes += message.length));
  const status = once(call, "status");
  for (let count = 0; count < 50; count += 1) {
    if (!call.write(Buffer.alloc(300_000, count))) await once(call, "drain");
  }
  call.end();
  assert.equal((await status)[0].code, 0);
  assert.equal(receivedBytes, 50 * 300_000);
});

test("grpc-js client: gzip asked for → UNIMPLEMENTED", async (context) => {
  const { authority } = await startServer(context);
  const client = newClient(context, authority, { "grpc.default_compression_algorithm": 2 });
  const { status } = await unary(client, "/test.Echo/Unary", "x".repeat(1_000));
  assert.equal(status.code, grpc.status.UNIMPLEMENTED);
  assert.equal(status.details, 'grpc: Decompressor is not installed for grpc-encoding "gzip"');
});

async function startGrpcJs(context: TestContext): Promise<string> {
  const server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
  server.addService(
    {
      unary: definition("/test.Echo/Unary", false, false),
      fail: definition("/test.Echo/Fail", false, false),
      never: definition("/test.Echo/Never", false, false),
      chat: definition("/test.Echo/Chat", true, true),
    },
    {
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) =>
        done(null, call.request),
      fail: (_call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) =>
        done({ code: grpc.status.ABORTED, details: "no é 5%" }),
      never: () => {},
      chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
        call.on("data", (message: Buffer) => call.write(message));
        call.on("end", () => call.end());
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  context.after(() => server.forceShutdown());
  return `http://127.0.0.1:${port}`;
}

test("grpc-js server: our unary calls → answers, statuses, deadlines (FR-33)", async (context) => {
  const client = await openClient(context, await startGrpcJs(context));
  const texts = Array.from({ length: 100 }, (_, number) => `call ${number}`);
  const endings = await Promise.all(
    texts.map((text) => callUnary(client, "/test.Echo/Unary", text)),
  );
  assert.deepEqual(
    endings.map(({ response }) => String(response)),
    texts,
  );
  const failed = await callUnary(client, "/test.Echo/Fail", "x");
  assert.deepEqual([failed.code, failed.message], [grpc.status.ABORTED, "no é 5%"]);
  const late = await callUnary(client, "/test.Echo/Never", "x", { timeoutMs: 60 });
  assert.equal(late.code, grpc.status.DEADLINE_EXCEEDED);
  const unknown = await callUnary(client, "/test.Echo/Nothing", "x");
  assert.equal(unknown.code, grpc.status.UNIMPLEMENTED);
  const large = Buffer.alloc(8_000_000, 3);
  assert.deepEqual((await callUnary(client, "/test.Echo/Unary", large)).response, large);
});

test("grpc-js server: our bidirectional stream → messages in order, then the status", async (context) => {
  const client = await openClient(context, await startGrpcJs(context));
  const call = client.stream("/test.Echo/Chat");
  const received: string[] = [];
  const code = await new Promise<number>((resolve) => {
    call.onMessage = (message) => {
      received.push(String(message));
      if (received.length === 100) call.halfClose();
    };
    call.onEnd = resolve;
    for (let number = 0; number < 100; number += 1) call.send(Buffer.from(`message ${number}`));
  });
  assert.equal(code, 0);
  assert.deepEqual(
    received,
    Array.from({ length: 100 }, (_, number) => `message ${number}`),
  );
});
