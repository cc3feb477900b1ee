import { Code } from "../errors/index.ts";
import {
  Contender,
  failureOf,
  type RecipeClient,
  refusal,
  type WaitOptions,
  withSession,
} from "./contender.ts";
import { ClientError } from "./error.ts";
import type { Session } from "./session.ts";
import type { Bytes, ResponseHeader } from "./types.ts";

export interface LockOptions extends WaitOptions {
  /** Does not wait: rejects with ABORTED "mutex: Locked by another session". */
  readonly tryOnly?: boolean | undefined;
}

/**
 * A lock that is held. It is only as good as the session's lease: when `session.lost` is aborted,
 * another may hold it. Work that must not happen twice compares the key's
 * `createRevision` with `revision` in its transactions.
 */
export class Lock {
  readonly #contender: Contender;

  /** By `Client.lock`. */
  constructor(contender: Contender) {
    this.#contender = contender;
  }

  static async acquire(
    client: RecipeClient,
    session: Session,
    name: Bytes,
    options: LockOptions,
  ): Promise<Lock> {
    const contender = new Contender(client, session, name);
    const wait = withSession(session, options);
    try {
      const { holder } = await contender.enter("", wait);
      const isHeld = holder !== undefined && holder.createRevision !== contender.revision;
      if (isHeld && options.tryOnly === true) {
        throw new ClientError(Code.ABORTED, "mutex: Locked by another session");
      }
      if (isHeld) {
        await contender.waitForTurn(wait);
        // The lease may have ended while others were waited for.
        if (!(await contender.isThere())) throw refusal("SessionExpired");
      }
    } catch (error) {
      await contender.giveUp();
      throw failureOf(session, error);
    }
    return new Lock(contender);
  }

  get key(): Buffer {
    return this.#contender.key;
  }

  /** Revision at which the key was created: rises with each holder, so it can fence off others. */
  get revision(): number {
    return this.#contender.revision;
  }

  get session(): Session {
    return this.#contender.session;
  }

  /** Aborted when the lock is no longer certain to be held. */
  get lost(): AbortSignal {
    return this.session.lost;
  }

  unlock(): Promise<ResponseHeader> {
    return this.#contender.remove();
  }
}
