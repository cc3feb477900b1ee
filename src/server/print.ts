/** What goes to the terminal at once, past every log. */
import { writeSync } from "node:fs";

export const STDOUT = 1;
export const STDERR = 2;

/** As much of it as there is room for: a reader that is slow does not hold up a server. */
export function print(descriptor: number, text: string): void {
  try {
    writeSync(descriptor, text);
  } catch {
    // Whoever was to read it is gone.
  }
}

/** All of it, however slow the reader is: for a tool, whose output that is. */
export function printAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text, "utf8");
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      // Anything else: whoever was to read it is gone.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
      Atomics.wait(NEVER, 0, 0, 1);
    }
  }
}

const NEVER = new Int32Array(new SharedArrayBuffer(4));
