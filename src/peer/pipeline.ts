/** Messages as single POSTs (PE-03), for when no stream leads to the peer (PE-36). */
import { formatId } from "../datadir/index.ts";
import type { Counter } from "../base/index.ts";
import { encodeRaftMessage, marshal, type Message } from "../wire/index.ts";
import { readAll } from "./body.ts";
import { type Context, reasonOf, requestHeaders } from "./context.ts";
import {
  PIPELINE_BYTES_MAX,
  PIPELINE_QUEUE_MAX,
  PIPELINE_WORKERS,
  QUESTION_BYTES_MAX,
} from "./limits.ts";
import type { UrlPicker } from "./url-picker.ts";

export interface PipelineOptions {
  readonly id: bigint;
  readonly picker: UrlPicker;
  readonly sentBytes: Counter;
  readonly sentFailures: Counter;
  readonly onUnreachable: () => void;
  readonly onRemoved: () => void;
}

export class Pipeline {
  readonly #context: Context;
  readonly #options: PipelineOptions;
  readonly #stop = new AbortController();
  #queue: Buffer[] = [];
  #bytes = 0;
  #busy = 0;
  #told = "";

  constructor(context: Context, options: PipelineOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** False when the queue is full: the message was not taken. */
  send(message: Message): boolean {
    if (this.#queue.length >= PIPELINE_QUEUE_MAX || this.#bytes >= PIPELINE_BYTES_MAX) return false;
    const bytes = marshal(encodeRaftMessage, message);
    this.#queue.push(bytes);
    this.#bytes += bytes.length;
    if (this.#busy < PIPELINE_WORKERS) void this.#work();
    return true;
  }

  stop(): void {
    this.#queue = [];
    this.#bytes = 0;
    this.#stop.abort();
  }

  async #work(): Promise<void> {
    this.#busy += 1;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      await this.#post(next);
      this.#bytes -= Math.min(this.#bytes, next.length);
    }
    this.#busy -= 1;
  }

  async #post(body: Buffer): Promise<void> {
    const { dialTimeoutMs, http, readTimeoutMs } = this.#context;
    const { onRemoved, onUnreachable, picker, sentBytes, sentFailures } = this.#options;
    const url = picker.pick();
    try {
      if (url === undefined) throw new Error("the member has no peer URL");
      const answer = await http.request({
        method: "POST",
        url,
        target: "/raft",
        headers: { ...requestHeaders(this.#context), "content-type": "application/protobuf" },
        body,
        connectTimeoutMs: dialTimeoutMs,
        answerTimeoutMs: readTimeoutMs,
        signal: this.#stop.signal,
      });
      const text = await readAll(answer.body, QUESTION_BYTES_MAX, readTimeoutMs);
      if (answer.status === 204 || answer.status === 200) {
        this.#told = "";
        sentBytes.add(body.length);
        return;
      }
      if (isRemoval(answer.status, text.toString("utf8"))) onRemoved();
      throw new Error(`status ${answer.status}: ${text.toString("utf8").trim().slice(0, 200)}`);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      sentFailures.add();
      if (url !== undefined) picker.unreachable(url);
      this.#tell(reasonOf(error));
      onUnreachable();
    }
  }

  #tell(reason: string): void {
    if (reason === this.#told) return;
    this.#told = reason;
    this.#context.logger.warn("cannot send a message", {
      "remote-peer-id": formatId(this.#options.id),
      error: reason,
    });
  }
}

/** PE-20; PE-23 says the same of messages, and otherwise that the address is wrong. */
export function isRemoval(status: number, text: string): boolean {
  return status === 410 || (status === 403 && text.includes("removed"));
}
