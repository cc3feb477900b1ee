/** Snapshots that come in: one at a time from each member, a newer one ends the older (PE-04). */
import { MalformedError } from "../base/index.ts";
import { formatId } from "../datadir/index.ts";
import type {
  HttpBody,
  HttpStreamRequest,
  HttpStreamResponse,
  SnapshotFormat,
} from "../seam/index.ts";
import { decodeRaftMessage, type Message, MessageType } from "../wire/index.ts";
import { BodyStream } from "./body-stream.ts";
import { answerHeaders, type Context, reasonOf } from "./context.ts";
import { SNAPSHOT_MESSAGE_BYTES_MAX, SNAPSHOT_SILENCE_MS } from "./limits.ts";
import type { Measures } from "./measures.ts";
import { HEADER, parseId, STORE_FORMAT } from "./versions.ts";

interface Arriving {
  readonly body: HttpBody;
  readonly settled: Promise<void>;
}

export class SnapshotReceiver {
  readonly #context: Context;
  readonly #measuresOf: (id: bigint) => Measures | undefined;
  readonly #arriving = new Map<bigint, Arriving>();

  constructor(context: Context, measuresOf: (id: bigint) => Measures | undefined) {
    this.#context = context;
    this.#measuresOf = measuresOf;
  }

  async receive(request: HttpStreamRequest, response: HttpStreamResponse): Promise<void> {
    const from = parseId(request.headers[HEADER.from]);
    await this.#endOlder(from);
    const { promise: settled, resolve } = Promise.withResolvers<void>();
    const arriving = { body: request.body, settled };
    this.#arriving.set(from, arriving);
    try {
      await this.#receive(request, response, from);
    } finally {
      if (this.#arriving.get(from) === arriving) this.#arriving.delete(from);
      resolve();
    }
  }

  /** The sender has given it up, even where the connection does not know yet. */
  async #endOlder(from: bigint): Promise<void> {
    const older = this.#arriving.get(from);
    if (older === undefined) return;
    older.body.destroy();
    await older.settled;
  }

  async #receive(
    request: HttpStreamRequest,
    response: HttpStreamResponse,
    from: bigint,
  ): Promise<void> {
    const { handler } = this.#context;
    const refuse = (status: number, text: string): void =>
      response.send(status, answerHeaders(this.#context), `${text}\n`);
    const offset = parseOffset(request.headers[HEADER.snapshotOffset]);
    if (offset === undefined) return refuse(400, "the offset is no number");
    const format = parseFormat(request.headers[HEADER.snapshotFormat]);
    if (format === undefined) return refuse(400, "a snapshot of this format is not taken");
    const stream = new BodyStream(request.body, SNAPSHOT_SILENCE_MS);
    let message: Message;
    try {
      message = await readMessage(stream);
    } catch (error) {
      return refuse(400, `error reading the snapshot message: ${reasonOf(error)}`);
    }
    if (message.type !== MessageType.SNAP || message.snapshot === undefined) {
      return refuse(400, "wrong raft message type");
    }
    if (handler.isRemoved(message.from)) return refuse(403, "the sender was removed");
    if (message.to !== handler.id) return refuse(403, "the snapshot is for another member");
    await this.#keep({ message, format, offset, stream }, from, { response, refuse });
  }

  async #keep(
    arrival: { message: Message; format: SnapshotFormat; offset: number; stream: BodyStream },
    from: bigint,
    answer: {
      response: HttpStreamResponse;
      refuse: (status: number, text: string) => void;
    },
  ): Promise<void> {
    const { clock, handler, logger } = this.#context;
    const { message, format, offset, stream } = arrival;
    const measures = this.#measuresOf(from);
    const fields = {
      "remote-peer-id": formatId(from),
      "snapshot-index": message.snapshot?.metadata.index,
      format,
      offset,
    };
    logger.info("receiving a snapshot", fields);
    const startMs = clock.monotonicMs();
    if (measures) measures.snapshotsBeingReceived += 1;
    try {
      await handler.receiveSnapshot({
        message,
        format,
        offset,
        chunks: countedChunks(stream, measures),
        sha256: () => parseSha256(stream.trailers?.[HEADER.snapshotSha256]),
      });
      measures?.snapshotsReceived.add();
      measures?.snapshotReceiveSeconds.observe((clock.monotonicMs() - startMs) / 1000);
      logger.info("received a snapshot", fields);
      answer.response.send(204, answerHeaders(this.#context));
    } catch (error) {
      measures?.snapshotReceiveFailures.add();
      logger.warn("cannot receive a snapshot", { ...fields, error: reasonOf(error) });
      answer.refuse(500, reasonOf(error));
    } finally {
      if (measures) measures.snapshotsBeingReceived -= 1;
    }
  }

  /** Decimal bytes of a file that broke off: `?from=&index=&term=&format=`. */
  async offset(request: HttpStreamRequest, response: HttpStreamResponse): Promise<void> {
    const { query } = request;
    const from = parseId(query.get("from") ?? undefined);
    const index = parseOffset(query.get("index") ?? "");
    const term = parseOffset(query.get("term") ?? "");
    const format = parseFormat(query.get("format") ?? undefined);
    if (from === 0n || index === undefined || term === undefined || format === undefined) {
      return response.send(400, answerHeaders(this.#context), "from, index and term are needed\n");
    }
    await this.#endOlder(from);
    const offset = await this.#context.handler.snapshotOffset(from, index, term, format);
    response.send(200, answerHeaders(this.#context), String(offset));
  }
}

async function readMessage(stream: BodyStream): Promise<Message> {
  const head = await stream.read(8);
  const length = head.readUInt32BE(4);
  if (head.readUInt32BE(0) !== 0 || length > SNAPSHOT_MESSAGE_BYTES_MAX) {
    throw new MalformedError("length beyond its limit", 0);
  }
  return decodeRaftMessage(await stream.read(length));
}

async function* countedChunks(
  stream: BodyStream,
  measures: Measures | undefined,
): AsyncGenerator<Buffer> {
  for await (const chunk of stream.chunks()) {
    measures?.receivedBytes.add(chunk.length);
    yield chunk;
  }
}

/** 0 when there is none, undefined when it is no number. */
function parseOffset(text: string | undefined): number | undefined {
  if (text === undefined) return 0;
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Undefined when it is one that this version does not know. */
function parseFormat(text: string | undefined): SnapshotFormat | undefined {
  if (text === undefined) return "bbolt";
  return text === STORE_FORMAT ? "store" : undefined;
}

function parseSha256(text: string | undefined): Buffer | undefined {
  return text !== undefined && /^[0-9a-f]{64}$/.test(text) ? Buffer.from(text, "hex") : undefined;
}
