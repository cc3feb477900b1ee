/** What goes to the terminal at once, past every log. */
import { writeSync } from "node:fs";

export const STDOUT = 1;
export const STDERR = 2;

export function print(descriptor: number, text: string): void {
  try {
    writeSync(descriptor, text);
  } catch {
    // Whoever was to read it is gone.
  }
}
