/** One process that works off lines of its standard input, and says what each came to. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export interface Feed {
  /** A TypeScript file, and what it is called with. */
  readonly program: string;
  readonly args: readonly string[];
}

/**
 * The process answers `<line> <outcome>`, or several of these, of which the last counts. A line
 * that is missing from what comes back was never begun: the process ended before.
 */
export async function feed(
  { program, args }: Feed,
  lines: readonly string[],
): Promise<Map<string, string>> {
  const outcomes = new Map<string, string>();
  const child = spawn(process.execPath, [program, ...args], { stdio: ["pipe", "pipe", "ignore"] });
  child.stdin.on("error", () => undefined);
  child.stdin.end(lines.map((line) => `${line}\n`).join(""));
  for await (const answer of createInterface({ input: child.stdout })) {
    const [line = "", ...outcome] = answer.split(" ");
    outcomes.set(line, outcome.join(" "));
  }
  return outcomes;
}

/** The other side: answers each line of standard input in turn; `failed` for what is thrown. */
export async function answerEach(answer: (line: string) => Promise<string>): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const outcome = await answer(line).catch((error: unknown) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return `failed ${JSON.stringify(text)}`;
    });
    process.stdout.write(`${line} ${outcome}\n`);
  }
}
