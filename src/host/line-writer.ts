import { openSync, write } from "node:fs";

/**
 * Appends lines to a descriptor away from the event loop: one write at a time, what comes meanwhile
 * goes out with the next one, in order.
 *
 * At most `backlogBytesMax` wait; what comes beyond is dropped and counted, because a stuck reader
 * of the log must not stop a member. Write errors (a closed pipe, a full disk) drop the lines too.
 */
export class LineWriter {
  droppedLines = 0;
  readonly #descriptor: number;
  readonly #backlogBytesMax: number;
  #waiting = "";
  #isWriting = false;
  #idleWaiters: (() => void)[] = [];

  constructor(descriptor: number, backlogBytesMax: number) {
    this.#descriptor = descriptor;
    this.#backlogBytesMax = backlogBytesMax;
  }

  /** Opens, or makes with mode 0600, the file at `path`. */
  static open(path: string, backlogBytesMax: number): LineWriter {
    return new LineWriter(openSync(path, "a", 0o600), backlogBytesMax);
  }

  write(line: string): void {
    if (this.#waiting.length + line.length > this.#backlogBytesMax) {
      this.droppedLines += 1;
      return;
    }
    this.#waiting += line;
    if (!this.#isWriting) this.#start();
  }

  /** Resolves when all that was written so far is with the kernel, or after `limitMs`. */
  async flush(limitMs: number): Promise<void> {
    if (!this.#isWriting) return;
    await new Promise<void>((resolve) => {
      const limit = setTimeout(resolve, limitMs);
      this.#idleWaiters.push(() => {
        clearTimeout(limit);
        resolve();
      });
    });
  }

  /** Lines of one turn of the event loop leave together. */
  #start(): void {
    this.#isWriting = true;
    setImmediate(() => this.#next());
  }

  #next(): void {
    if (this.#waiting === "") {
      this.#isWriting = false;
      for (const waiter of this.#idleWaiters.splice(0)) waiter();
      return;
    }
    const batch = Buffer.from(this.#waiting);
    this.#waiting = "";
    this.#send(batch, 0);
  }

  #send(batch: Buffer, from: number): void {
    write(this.#descriptor, batch, from, batch.length - from, null, (error, written) => {
      if (error?.code === "EAGAIN") setTimeout(() => this.#send(batch, from), 10);
      else if (error || written === 0 || from + written === batch.length) this.#next();
      else this.#send(batch, from + written);
    });
  }
}
