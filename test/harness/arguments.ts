/** The command lines of the programs that test: their flags, `--help`, and what is wrong. */
import { parseArgs, type ParseArgsConfig } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** Prints what is wrong and how it is called, and ends with 2. */
export function misused(message: string, usage: string): never {
  console.error(`${message}\n\n${usage}`);
  process.exit(2);
}

/** `--help` prints `usage` and ends with 0; an unknown flag ends with 2. */
export function flagsOf<T extends Options>(options: T, usage: string) {
  if (process.argv.slice(2).some((arg) => arg === "--help" || arg === "-h")) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parseArgs<{ options: T }>({ options }).values;
  } catch (error) {
    return misused((error as Error).message, usage);
  }
}

export function positive(flag: string, text: string, usage: string): number {
  const value = Number(text);
  return value > 0 ? value : misused(`--${flag} "${text}" is not a positive number`, usage);
}
