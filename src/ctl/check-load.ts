/** What `check perf` and `check datascale` share: load models, connections, keys, tidying up. */
import { randomBytes } from "node:crypto";
import type { Client } from "../client/index.ts";
import { switchFlag, textFlag } from "./command.ts";
import type { Context } from "./context.ts";
import { CtlError, Exit } from "./exit.ts";
import type { Flags } from "./flags.ts";
import { openClient } from "./open-client.ts";
import { quote } from "./print/quote.ts";

export const LOAD_FLAGS = [
  textFlag("load", "s", "how much: s (small), m, l, xl", ["s", "m", "l", "xl"]),
  switchFlag("auto-compact", "give the history up afterwards"),
  switchFlag("auto-defrag", "give the files' free space back afterwards"),
];

const ALIASES: Readonly<Record<string, "s" | "m" | "l" | "xl">> = {
  s: "s",
  small: "s",
  m: "m",
  medium: "m",
  l: "l",
  large: "l",
  xl: "xl",
  xLarge: "xl",
};

export function loadOf<T>(flags: Flags, models: Readonly<Record<"s" | "m" | "l" | "xl", T>>): T {
  const text = flags.text("load");
  const name = ALIASES[text];
  if (name === undefined) throw new CtlError(`unknown load option ${text}`, Exit.BAD_FEATURE);
  return models[name];
}

const CLEAN_UP_MS_MAX = 30_000;

/** Connections of their own for the clients of a load; a password is asked for once. */
export class LoadClients {
  readonly clients: readonly Client[];
  readonly #prefix: string;

  private constructor(clients: readonly Client[], prefix: string) {
    this.clients = clients;
    this.#prefix = prefix;
  }

  static async open(context: Context, flags: Flags, count: number): Promise<LoadClients> {
    let password: Promise<string> | undefined;
    const io = {
      ...context.io,
      readPassword: (prompt: string) => (password ??= context.io.readPassword(prompt)),
    };
    context.settle();
    const clients = [];
    for (let i = 0; i < count; i += 1) clients.push(await openClient(context.flags, io));
    const all = new LoadClients(clients, flags.text("prefix"));
    await all.#refuseOldKeys().catch((error: unknown) => {
      all.close();
      throw error;
    });
    return all;
  }

  get #first(): Client {
    return this.clients[0] as Client;
  }

  async #refuseOldKeys(): Promise<void> {
    const prefix = this.#prefix;
    const { kvs } = await this.#first.kv.get(prefix, { prefix: true, limit: 1 });
    if (kvs.length === 0) return;
    throw new CtlError(
      `prefix ${quote(prefix)} has keys. Delete with 'etcdctl del --prefix ${prefix}' first`,
      Exit.INVALID_INPUT,
    );
  }

  async put(worker: number, keyBytes: number, value: Buffer): Promise<void> {
    const client = this.clients[worker % this.clients.length] as Client;
    const key = Buffer.alloc(keyBytes);
    randomBytes(8).copy(key);
    await client.kv.put(Buffer.concat([Buffer.from(this.#prefix), key]), value);
  }

  /** Deletes what was put; compacts and defragments if the flags say so. */
  async cleanUp(context: Context, flags: Flags): Promise<void> {
    const { kv, endpoints } = this.#first;
    const options = { prefix: true, timeoutMs: CLEAN_UP_MS_MAX };
    const { header } = await kv.delete(this.#prefix, options);
    if (flags.on("auto-compact")) {
      context.out(`Compacting with revision ${header.revision}\n`);
      await kv.compact(header.revision, { physical: true, timeoutMs: CLEAN_UP_MS_MAX });
      context.out(`Compacted with revision ${header.revision}\n`);
    }
    if (!flags.on("auto-defrag")) return;
    for (const endpoint of endpoints) {
      context.out(`Defragmenting ${quote(endpoint)}\n`);
      await this.#first.at(endpoint).defragment();
      context.out(`Defragmented ${quote(endpoint)}\n`);
    }
  }

  close(): void {
    for (const client of this.clients) client.close();
  }
}

/** Aborted by Ctrl-C, so that what was put is deleted before the command ends. */
export function untilInterrupted({ io }: Context): { signal: AbortSignal; end: () => void } {
  const stop = new AbortController();
  return { signal: stop.signal, end: io.onInterrupt(() => stop.abort()) };
}

export function errorLines(errors: ReadonlyMap<string, number>): string {
  if (errors.size === 0) return "";
  const rows = [...errors].map(([error, count]) => `FAIL: ERROR(${error}) -> ${count}\n`);
  return `FAIL: too many errors\n${rows.join("")}`;
}
