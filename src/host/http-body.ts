/** Bodies that node:http reads, as seam/HttpBody. */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { HttpBody, HttpBodyEvents } from "../seam/index.ts";

export class IncomingBody implements HttpBody {
  readonly #message: IncomingMessage;

  constructor(message: IncomingMessage) {
    this.#message = message;
  }

  start(events: HttpBodyEvents, silenceMs?: number): void {
    const message = this.#message;
    const { socket } = message;
    let isOver = false;
    let failure: Error | undefined;
    const onSilence = (): void => {
      failure = failed(`nothing was read for ${silenceMs} ms`, "ETIMEDOUT");
      message.destroy();
    };
    const stop = (): void => {
      isOver = true;
      if (silenceMs === undefined) return;
      socket.setTimeout(0);
      socket.off("timeout", onSilence);
    };
    if (silenceMs !== undefined) socket.setTimeout(silenceMs, onSilence);
    message.on("data", (chunk: Buffer) => {
      if (!isOver) events.onData(chunk);
    });
    message.on("end", () => {
      if (isOver) return;
      stop();
      events.onEnd(joinHeaders(message.trailers));
    });
    message.on("error", (error: Error) => {
      failure ??= error;
    });
    message.on("close", () => {
      if (isOver) return;
      stop();
      events.onError(failure ?? failed("the connection broke off", "ECONNRESET"));
    });
    if (message.destroyed) message.emit("close");
  }

  pause(): void {
    this.#message.pause();
  }

  resume(): void {
    this.#message.resume();
  }

  destroy(): void {
    this.#message.destroy();
  }
}

export function failed(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

/** By lower-case name; repeated ones joined with ", ". */
export function joinHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const joined: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) joined[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return joined;
}
