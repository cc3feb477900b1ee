/** Bodies as a whole, for the small questions. */
import type { HttpBody, HttpBodyEvents } from "../seam/index.ts";

/**
 * Rejects when the body is longer than `bytesMax`, breaks off, or is silent for `silenceMs`. One
 * that is too long is left unread, so that an answer to it can still go; the silence then ends it.
 */
export function readAll(body: HttpBody, bytesMax: number, silenceMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const events: HttpBodyEvents = {
      onData: (chunk) => {
        length += chunk.length;
        if (length <= bytesMax) return void chunks.push(chunk);
        chunks.length = 0;
        reject(new BodyTooLong(bytesMax));
        body.pause();
      },
      onEnd: () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)),
      onError: reject,
    };
    body.start(events, silenceMs);
  });
}

export class BodyTooLong extends Error {
  constructor(bytesMax: number) {
    super(`body is longer than ${bytesMax} bytes`);
    this.name = "BodyTooLong";
  }
}
