/**
 * What locks and elections have in common, laid out as etcd's own recipes do it, so that both kinds
 * of clients can contend with each other: each contender has the key `<name>/<lease in hex>`, the
 * one created first holds, and each waits for those created before it to go.
 */
import { errors } from "../errors/index.ts";
import { cancelled, ClientError, isRefusal } from "./error.ts";
import { valueOf } from "./kv-messages.ts";
import type { Kv } from "./kv.ts";
import type { Session } from "./session.ts";
import { compare, op } from "./txn.ts";
import type { Bytes, KeyValue, ResponseHeader } from "./types.ts";
import type { Watch, WatchOptions } from "./watch.ts";

/** What recipes need of a client. */
export interface RecipeClient {
  readonly kv: Kv;
  watch(key: Bytes, options?: WatchOptions): Watch;
}

export interface WaitOptions {
  /** Ends the wait with "context canceled"; the contender's key is then deleted. */
  readonly signal?: AbortSignal | undefined;
}

export function refusal(id: "SessionExpired" | "ElectionNotLeader" | "ElectionNoLeader") {
  return new ClientError(errors[id].code, errors[id].message);
}

/** One contender's key, and the revision at which it was created. */
export class Contender {
  /** `<name>/`, before every contender's key. */
  readonly prefix: Buffer;
  readonly key: Buffer;
  readonly session: Session;
  /** Of the key's creation: a proof of the right that others can compare. */
  revision = 0;
  readonly #client: RecipeClient;

  constructor(client: RecipeClient, session: Session, name: Bytes) {
    this.#client = client;
    this.session = session;
    this.prefix = Buffer.concat([valueOf(name), Buffer.from("/")]);
    this.key = Buffer.concat([this.prefix, Buffer.from(session.lease.toString(16))]);
  }

  /**
   * Creates the key unless it is there. Returns who holds: the key created first, and what was
   * there before under ours. Aborting is heeded only after it: whoever leaves in the middle cannot
   * know whether its key is still to come.
   */
  async enter(
    value: Bytes,
    options: WaitOptions,
  ): Promise<{ own: KeyValue | undefined; holder: KeyValue | undefined }> {
    const { kv } = this.#client;
    const first = op.get(this.prefix, {
      prefix: true,
      sortOrder: "ascend",
      sortTarget: "create",
      limit: 1,
    });
    const put = op.put(this.key, value, { lease: this.session.lease });
    const answer = await kv
      .txn()
      .if(compare.createRevision(this.key, "=", 0))
      .andThen(put, first)
      .orElse(op.get(this.key), first)
      .commit({ isRepeatable: true });
    const [mine, holders] = answer.responses;
    const own = mine?.kind === "range" ? mine.range.kvs[0] : undefined;
    this.revision = own?.createRevision ?? answer.header.revision;
    if (options.signal?.aborted === true) throw cancelled();
    return { own, holder: holders?.kind === "range" ? holders.range.kvs[0] : undefined };
  }

  /** Resolves when no key that was created before ours is left; the header of the last look. */
  async waitForTurn(options: WaitOptions): Promise<ResponseHeader> {
    for (;;) {
      const before = await this.#client.kv.get(this.prefix, {
        prefix: true,
        sortOrder: "descend",
        sortTarget: "create",
        limit: 1,
        maxCreateRevision: this.revision - 1,
        signal: options.signal,
      });
      const next = before.kvs[0];
      if (next === undefined) return before.header;
      await untilDeleted(this.#client, next.key, before.header.revision + 1, options);
    }
  }

  /** Whether the key is still the one that was created. */
  async isThere(): Promise<boolean> {
    const { kvs } = await this.#client.kv.get(this.key);
    return kvs[0]?.createRevision === this.revision;
  }

  async remove(): Promise<ResponseHeader> {
    const { header } = await this.#client.kv
      .txn()
      .if(compare.createRevision(this.key, "=", this.revision))
      .andThen(op.delete(this.key))
      .commit({ isRepeatable: true });
    return header;
  }

  /** Removes the key after a wait that failed; when that fails too, the lease's end does it. */
  async giveUp(): Promise<void> {
    // With no revision known, the key may be there all the same.
    const removed =
      this.revision === 0
        ? this.#client.kv.delete(this.key, { isRepeatable: true })
        : this.remove();
    await removed.catch(() => undefined);
  }
}

async function untilDeleted(
  client: RecipeClient,
  key: Buffer,
  startRevision: number,
  { signal }: WaitOptions,
): Promise<void> {
  const watch = client.watch(key, { startRevision, signal, filters: ["noPut"] });
  for await (const { events } of watch) {
    if (events.some(({ type }) => type === "delete")) return;
  }
}

/** Why there was no turn: without its lease a session is over, whoever notices it first. */
export function failureOf(session: Session, error: unknown): unknown {
  const isOver = session.lost.aborted || isRefusal(error, "LeaseNotFound");
  return isOver ? refusal("SessionExpired") : error;
}

/** A wait ends too when the session is lost: nothing would come of it any more. */
export function withSession(session: Session, options: WaitOptions): WaitOptions {
  const { signal } = options;
  return { signal: signal === undefined ? session.lost : AbortSignal.any([signal, session.lost]) };
}
