/** `make-mirror` (CT-28): the keys of one cluster in another, and their changes as they happen. */
import { type Client, connect, op, type Op, type WatchEvent } from "../../client/index.ts";
import { type Command, countFlag, type FlagSpec, switchFlag, textFlag } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlError, Exit } from "../exit.ts";
import type { Flags } from "../flags.ts";
import { readPem } from "../open-client.ts";

const PAGE_PAIRS = 1_000;
const REPORT_MS = 30_000;
/** As the servers have it unless they are told otherwise. */
const OPS_MAX_DEFAULT = 128;

const FLAGS: readonly FlagSpec[] = [
  textFlag("prefix", "", "only keys that begin with this"),
  countFlag("rev", 0, "only changes from this revision on, not the keys that are there"),
  countFlag("max-txn-ops", OPS_MAX_DEFAULT, "most operations sent in one transaction"),
  textFlag("dest-prefix", "", "what --prefix becomes in the destination"),
  switchFlag("no-dest-prefix", "keys lose --prefix in the destination"),
  textFlag("dest-cert", "", "certificate shown to the destination"),
  textFlag("dest-key", "", "private key of --dest-cert"),
  textFlag("dest-cacert", "", "CA certificates that the destination is verified with"),
  { ...switchFlag("dest-insecure-transport", "no TLS unless asked for"), initial: "true" },
  textFlag("dest-user", "", "name[:password] in the destination; a missing password is asked for"),
  textFlag("dest-password", "", "password of --dest-user"),
];

export const makeMirror: Command = {
  usage: "[options] <destination>",
  description:
    "Copies every key, then follows the changes until it is stopped, and prints every 30 seconds how\n" +
    "many it has copied. It ends when the source gave up history that it still needed.",
  examples: [
    { line: "etcdctl make-mirror backup.example:2379", says: "everything" },
    {
      line: "etcdctl make-mirror --prefix=app/ --dest-prefix=copy/ backup.example:2379",
      says: "a part, to another place",
    },
  ],
  flags: FLAGS,
  run: async (context, args, flags) => {
    const [destination, ...others] = args;
    if (destination === undefined || others.length > 0) {
      throw badArgs("make-mirror takes one destination argument");
    }
    const rename = renamer(flags);
    const source = await context.client();
    const target = await openDestination(context, flags, destination);
    const mirror = new Mirror({
      source,
      target,
      rename,
      prefix: flags.text("prefix"),
      opsMax: Math.max(1, flags.count("max-txn-ops")),
    });
    const report = setInterval(() => context.out(`${mirror.copied}\n`), REPORT_MS);
    const stop = new AbortController();
    const unhook = context.io.onInterrupt(() => stop.abort());
    try {
      const from = flags.count("rev");
      const revision = from > 0 ? from : (await mirror.copyAll(stop.signal)) + 1;
      await mirror.follow(revision, stop.signal);
    } catch (error) {
      if (!stop.signal.aborted) throw error;
      throw new CtlError("interrupted", Exit.INTERRUPTED);
    } finally {
      clearInterval(report);
      unhook();
      target.close();
    }
  },
};

function badArgs(message: string): CtlError {
  return new CtlError(message, Exit.BAD_ARGS);
}

/** Of a key as it is in the source, its name in the destination. */
export function renamer(flags: Flags): (key: Buffer) => Buffer {
  const prefix = Buffer.from(flags.text("prefix"));
  const isStripped = flags.on("no-dest-prefix");
  const given = flags.text("dest-prefix");
  if (isStripped && given !== "") {
    throw badArgs(
      "`--dest-prefix` and `--no-dest-prefix` cannot be set at the same time, choose one",
    );
  }
  const become = isStripped || given !== "" ? Buffer.from(given) : prefix;
  return (key) => Buffer.concat([become, key.subarray(prefix.length)]);
}

async function openDestination(context: Context, flags: Flags, endpoint: string): Promise<Client> {
  const path = (name: string): Buffer | undefined => {
    const text = flags.text(name);
    return text === "" ? undefined : readPem(text);
  };
  const tls = { ca: path("dest-cacert"), cert: path("dest-cert"), key: path("dest-key") };
  const isTls =
    tls.ca !== undefined || tls.cert !== undefined || !flags.on("dest-insecure-transport");
  const text = flags.text("dest-user");
  const [, name = text, inText] = /^([^:]*):(.*)$/s.exec(text) ?? [];
  const given = flags.text("dest-password") || inText;
  const user =
    text === ""
      ? undefined
      : { name, password: given ?? (await context.io.readPassword("Destination Password: ")) };
  return connect({
    endpoints: [endpoint],
    tls: isTls ? tls : undefined,
    user,
    connectTimeoutMs: context.flags.durationMs("dial-timeout"),
  });
}

export interface MirrorOptions {
  readonly source: Client;
  readonly target: Client;
  readonly prefix: string;
  readonly rename: (key: Buffer) => Buffer;
  readonly opsMax: number;
}

export class Mirror {
  readonly #options: MirrorOptions;
  /** Pairs put and keys deleted. */
  copied = 0;

  constructor(options: MirrorOptions) {
    this.#options = options;
  }

  /** All keys as they are at one revision, which is given back. */
  async copyAll(signal: AbortSignal): Promise<number> {
    const { source, rename } = this.#options;
    const prefix = Buffer.from(this.#options.prefix);
    const options = { fromKey: true, signal, limit: PAGE_PAIRS };
    let page = await source.kv.get(prefix, options);
    const { revision } = page.header;
    for (;;) {
      const kvs = page.kvs.filter(({ key }) => key.subarray(0, prefix.length).equals(prefix));
      await this.#send(
        kvs.map((kv) => op.put(rename(kv.key), kv.value)),
        signal,
      );
      const last = page.kvs.at(-1)?.key;
      // The keys that begin with the prefix stand together.
      const isOver = kvs.length < page.kvs.length || !page.more;
      if (isOver || last === undefined) return revision;
      const next = Buffer.concat([last, Buffer.from([0])]);
      page = await source.kv.get(next, { ...options, revision });
    }
  }

  /** Every change from `startRevision` on, until the signal or a failure. */
  async follow(startRevision: number, signal: AbortSignal): Promise<void> {
    const { source, prefix } = this.#options;
    for await (const batch of source.watch(prefix, { prefix: true, startRevision, signal })) {
      for (const events of byRevision(batch.events)) {
        await this.#send(
          events.map((event) => this.#opOf(event)),
          signal,
        );
      }
    }
  }

  #opOf({ type, kv }: WatchEvent): Op {
    const key = this.#options.rename(kv.key);
    return type === "put" ? op.put(key, kv.value) : op.delete(key);
  }

  /** What belongs to one revision is one transaction, unless it is too large for one. */
  async #send(ops: readonly Op[], signal: AbortSignal): Promise<void> {
    const { target, opsMax } = this.#options;
    for (let at = 0; at < ops.length; at += opsMax) {
      const success = ops.slice(at, at + opsMax);
      await target.kv.txn({ compare: [], success, failure: [] }).commit({ signal });
      this.copied += success.length;
    }
  }
}

function byRevision(events: readonly WatchEvent[]): WatchEvent[][] {
  const groups: WatchEvent[][] = [];
  let revision = -1;
  for (const event of events) {
    if (event.kv.modRevision !== revision) groups.push([]);
    revision = event.kv.modRevision;
    groups.at(-1)?.push(event);
  }
  return groups;
}
