import {
  Contender,
  failureOf,
  type RecipeClient,
  refusal,
  type WaitOptions,
  withSession,
} from "./contender.ts";
import { valueOf } from "./kv-messages.ts";
import type { Session } from "./session.ts";
import { compare, op } from "./txn.ts";
import type { Bytes, CallOptions, KeyValue, ResponseHeader } from "./types.ts";

/** Won: the right to speak for the election's name, as long as the session lives. */
export class Leadership {
  readonly #client: RecipeClient;
  readonly #contender: Contender;

  /** By `Election.campaign`. */
  constructor(client: RecipeClient, contender: Contender) {
    this.#client = client;
    this.#contender = contender;
  }

  get key(): Buffer {
    return this.#contender.key;
  }

  get revision(): number {
    return this.#contender.revision;
  }

  get session(): Session {
    return this.#contender.session;
  }

  /** Aborted when the leadership is no longer certain. */
  get lost(): AbortSignal {
    return this.session.lost;
  }

  /** Says something new as the leader. Rejects with "election: not leader" when it is over. */
  async proclaim(value: Bytes, options: CallOptions = {}): Promise<ResponseHeader> {
    const { header, succeeded } = await this.#client.kv
      .txn()
      .if(compare.createRevision(this.key, "=", this.revision))
      .andThen(op.put(this.key, value, { lease: this.session.lease }))
      .commit({ isRepeatable: true, ...options });
    if (!succeeded) throw refusal("ElectionNotLeader");
    return header;
  }

  /** Steps down; nothing happens when it was over already. */
  resign(): Promise<ResponseHeader> {
    return this.#contender.remove();
  }
}

/** An election: candidates line up under a name, and the one that came first leads. */
export class Election {
  readonly #client: RecipeClient;
  readonly #name: Bytes;

  /** By `Client.election`. */
  constructor(client: RecipeClient, name: Bytes) {
    this.#client = client;
    this.#name = name;
  }

  /** Lines up with `value` and resolves when it leads. */
  async campaign(session: Session, value: Bytes, options: WaitOptions = {}): Promise<Leadership> {
    const contender = new Contender(this.#client, session, this.#name);
    const leadership = new Leadership(this.#client, contender);
    const wait = withSession(session, options);
    try {
      const { own } = await contender.enter(value, wait);
      if (own !== undefined && !own.value.equals(valueOf(value))) await leadership.proclaim(value);
      await contender.waitForTurn(wait);
      if (!(await contender.isThere())) throw refusal("SessionExpired");
    } catch (error) {
      await contender.giveUp();
      throw failureOf(session, error);
    }
    return leadership;
  }

  /** The leader's key and value. Rejects with "election: no leader". */
  async leader(options: CallOptions = {}): Promise<{ header: ResponseHeader; kv: KeyValue }> {
    const { header, kv } = await this.#first(options);
    if (kv === undefined) throw refusal("ElectionNoLeader");
    return { header, kv };
  }

  async #first(options: CallOptions) {
    const { header, kvs } = await this.#client.kv.get(this.#prefix(), {
      prefix: true,
      sortOrder: "ascend",
      sortTarget: "create",
      limit: 1,
      ...options,
    });
    return { header, kv: kvs[0] };
  }

  #prefix(): Buffer {
    return Buffer.concat([valueOf(this.#name), Buffer.from("/")]);
  }

  /** The leader, and each one and each value that follows. Ends when the loop is left. */
  async *observe({ signal }: WaitOptions = {}): AsyncGenerator<KeyValue, void, void> {
    for (;;) {
      const { header, kv } = await this.#first({ signal });
      const startRevision = header.revision + 1;
      if (kv !== undefined) {
        yield kv;
        yield* this.#follow(kv.key, startRevision, signal);
        continue;
      }
      const watch = this.#client.watch(this.#prefix(), {
        prefix: true,
        startRevision,
        signal,
        filters: ["noDelete"],
      });
      // Any candidate makes it worth another look.
      await watch.next();
      watch.cancel();
    }
  }

  /** What one leader says until it steps down. */
  async *#follow(
    key: Buffer,
    startRevision: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<KeyValue, void, void> {
    for await (const { events } of this.#client.watch(key, { startRevision, signal })) {
      for (const { type, kv } of events) {
        if (type === "delete") return;
        yield kv;
      }
    }
  }
}
