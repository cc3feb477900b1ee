/** What a running command works with: settings, the client, and where to write. */
import type { Client } from "../client/index.ts";
import type { Entry } from "./command.ts";
import { NEWEST_MINOR } from "./compat.ts";
import { CtlError, Exit } from "./exit.ts";
import type { Flags } from "./flags.ts";
import { FORMATS, GLOBAL_FLAGS, readEnvironment } from "./globals.ts";
import type { CtlIo } from "./io.ts";

export type Format = (typeof FORMATS)[number] | "pretty";

/** One answer in each format that has it; what is missing is refused with exit code 4. */
export interface Printable {
  simple(): string | Uint8Array;
  json?(): string;
  fields?(): string;
  table?(): string;
  protobuf?(): Uint8Array;
  pretty?(): string;
}

/** A command as it was called. */
export interface Call {
  readonly io: CtlIo;
  readonly flags: Flags;
  readonly words: readonly string[];
  readonly minor?: number;
  readonly dashAt?: number | undefined;
  readonly commands?: readonly Entry[];
}

export class Context {
  readonly io: CtlIo;
  readonly flags: Flags;
  /** The words after the program's name, as typed. */
  readonly words: readonly string[];
  /** Y of the etcdctl 3.Y whose lines and columns are wanted. */
  readonly minor: number;
  /** How many arguments stood before `--`; undefined without one. */
  readonly dashAt: number | undefined;
  /** The table that the command stands in. */
  readonly commands: readonly Entry[];
  #isSettled = false;
  #client: Promise<Client> | undefined;
  #format: Format | undefined;

  constructor(call: Call) {
    this.io = call.io;
    this.flags = call.flags;
    this.words = call.words;
    this.minor = call.minor ?? NEWEST_MINOR;
    this.dashAt = call.dashAt;
    this.commands = call.commands ?? [];
  }

  /** Reads the environment into the flags, once; commands that ask no server do without. */
  settle(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    readEnvironment(this.flags, this.io, GLOBAL_FLAGS);
    if (this.flags.on("debug")) this.#showSettings();
  }

  get isHex(): boolean {
    this.settle();
    return this.flags.on("hex");
  }

  /** Ends the command with exit code 4 when it is none that is known. */
  get format(): Format {
    if (this.#format !== undefined) return this.#format;
    this.settle();
    const wanted = this.flags.text("write-out");
    const format = [...FORMATS, "pretty" as const].find((one) => one === wanted);
    if (format === undefined) throw new CtlError("unsupported output format", Exit.BAD_FEATURE);
    this.#format = format;
    return format;
  }

  /** Milliseconds that a short command may take. */
  get timeoutMs(): number {
    this.settle();
    return this.flags.durationMs("command-timeout");
  }

  /** One for the whole command, opened at the first call. Its `close` is the frame's. */
  client(): Promise<Client> {
    this.#client ??= this.#open();
    return this.#client;
  }

  /** Writes an answer in the format that was asked for. */
  print(answer: Printable): void {
    const { format } = this;
    const make = answer[format];
    if (make === undefined) {
      throw new CtlError(`${format} not supported as output format`, Exit.BAD_FEATURE);
    }
    this.io.stdout(make.call(answer));
  }

  out(text: string | Uint8Array): void {
    this.io.stdout(text);
  }

  err(text: string): void {
    this.io.stderr(text);
  }

  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    client?.close();
  }

  async #open(): Promise<Client> {
    this.settle();
    // Refused before anything is sent, as etcdctl does.
    void this.format;
    const { openClient } = await import("./open-client.ts");
    return await openClient(this.flags, this.io);
  }

  #showSettings(): void {
    for (const spec of GLOBAL_FLAGS) {
      const name = `ETCDCTL_${spec.name.toUpperCase().replaceAll("-", "_")}`;
      this.io.stderr(`${name}=${this.flags.shown(spec)}\n`);
    }
  }
}
