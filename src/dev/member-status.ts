/** What a member says of itself: Maintenance.Status, asked over gRPC as any client asks. */
import { type ClientHttp2Session, connect, constants } from "node:http2";
import { decodeMessage, StatusResponseSchema } from "../wire/index.ts";

export interface MemberStatus {
  readonly id: bigint;
  /** 0n = none known. */
  readonly leader: bigint;
  readonly term: number;
  readonly revision: number;
  readonly applied: number;
  readonly isLearner: boolean;
}

const ANSWER_MS_MAX = 800;
const ANSWER_BYTES_MAX = 1024 * 1024;
/** A gRPC message: not compressed, of no bytes. */
const EMPTY_MESSAGE = Buffer.alloc(5);
const PREFIX_BYTES = 5;

/** One question after the other to one member, over one connection while that lasts. */
export class StatusClient {
  readonly #port: number;
  #session: ClientHttp2Session | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Undefined when it does not answer in time. */
  async ask(): Promise<MemberStatus | undefined> {
    const answer = await this.#exchange();
    if (answer === undefined) this.close();
    return answer === undefined ? undefined : readStatus(answer);
  }

  close(): void {
    this.#session?.destroy();
    this.#session = undefined;
  }

  #connected(): ClientHttp2Session {
    if (this.#session !== undefined && !this.#session.destroyed) return this.#session;
    const session = connect(`http://127.0.0.1:${this.#port}`);
    session.on("error", () => undefined);
    session.unref();
    this.#session = session;
    return session;
  }

  #exchange(): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      const limit = setTimeout(() => resolve(undefined), ANSWER_MS_MAX);
      const done = (answer: Buffer | undefined): void => {
        clearTimeout(limit);
        resolve(answer);
      };
      const stream = this.#connected().request({
        [constants.HTTP2_HEADER_METHOD]: "POST",
        [constants.HTTP2_HEADER_PATH]: "/etcdserverpb.Maintenance/Status",
        [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc",
        [constants.HTTP2_HEADER_TE]: "trailers",
      });
      const chunks: Buffer[] = [];
      let length = 0;
      stream.on("data", (chunk: Buffer) => {
        length += chunk.length;
        if (length <= ANSWER_BYTES_MAX) chunks.push(chunk);
      });
      stream.on("error", () => done(undefined));
      stream.on("close", () => done(chunks.length === 0 ? undefined : Buffer.concat(chunks)));
      stream.end(EMPTY_MESSAGE);
    });
  }
}

function readStatus(answer: Buffer): MemberStatus | undefined {
  try {
    const status = decodeMessage(StatusResponseSchema, answer.subarray(PREFIX_BYTES));
    return {
      id: status.header?.memberId ?? 0n,
      leader: status.leader,
      term: Number(status.raftTerm),
      revision: Number(status.header?.revision ?? 0n),
      applied: Number(status.raftAppliedIndex),
      isLearner: status.isLearner,
    };
  } catch {
    return undefined;
  }
}
