/**
 * What the consensus wants durable, in order: entries and votes go to the write-ahead log, an
 * installed snapshot to the store; the answers that depend on them are given once they, and all
 * before them, are durable (thesis 10.2.1).
 */
import { type StorageMessage, withoutCoveredAcks } from "../raft/index.ts";
import type { Entry, HardState, Message, Snapshot } from "../wire/index.ts";

/** The part of wal/ that the queue uses. */
export interface DurableLog {
  append(entries: readonly Entry[], hardState?: HardState): Promise<void>;
  setCommit(hardState: HardState): void;
}

export interface StorageQueueOptions {
  readonly log: DurableLog;
  readonly hardState: HardState;
  /** Entries are on their way to the disk. */
  readonly onEntries: (entries: readonly Entry[]) => void;
  /** Makes the received snapshot the member's state. A rejection is fatal. */
  readonly install: (snapshot: Snapshot) => Promise<void>;
  readonly deliver: (responses: readonly Message[]) => void;
  /** Nothing that follows can be trusted. */
  readonly onBroken: (error: unknown) => void;
}

interface Write {
  readonly responses: readonly Message[];
  /** The commit index that is on the disk when this is done; 0 = none is written. */
  commit: number;
  isDone: boolean;
}

export class StorageQueue {
  readonly #options: StorageQueueOptions;
  #hardState: HardState;
  #durableCommit: number;
  /** The newest commit index on its way to the disk, or there. */
  #writtenCommit: number;
  #writes: Write[] = [];
  /** What came while a snapshot is installed: the log begins anew after it. */
  #blocked: StorageMessage[] | undefined;
  #isBroken = false;

  constructor(options: StorageQueueOptions) {
    this.#options = options;
    this.#hardState = options.hardState;
    this.#durableCommit = options.hardState.commit;
    this.#writtenCommit = options.hardState.commit;
  }

  /** No crash takes back that this much is committed. */
  get durableCommit(): number {
    return this.#durableCommit;
  }

  /** Nothing is on its way to the disk. */
  get isIdle(): boolean {
    return this.#writes.length === 0 && this.#blocked === undefined;
  }

  push(message: StorageMessage): void {
    if (this.#isBroken) return;
    if (this.#blocked !== undefined) {
      this.#blocked.push(message);
      return;
    }
    const { snapshot } = message;
    const write: Write = { responses: message.responses, commit: 0, isDone: false };
    this.#writes.push(write);
    if (snapshot !== undefined) this.#install(message, snapshot, write);
    else this.#append(message, write);
  }

  /**
   * Writes the commit index without waiting for entries to go along with; `deliver` is called when
   * it is durable. While a snapshot is installed, what is written after it does the same.
   */
  syncCommit(): void {
    const isUnderWay = this.#writtenCommit >= this.#hardState.commit;
    if (this.#isBroken || this.#blocked !== undefined || isUnderWay) return;
    const write: Write = { responses: [], commit: 0, isDone: false };
    this.#writes.push(write);
    this.#write([], write);
  }

  #append(message: StorageMessage, write: Write): void {
    const state = this.#stateOf(message);
    const before = this.#hardState;
    if (state !== undefined) this.#hardState = state;
    const isSynced =
      message.entries.length > 0 ||
      (state !== undefined && (state.term !== before.term || state.vote !== before.vote));
    if (isSynced) {
      if (message.entries.length > 0) this.#options.onEntries(message.entries);
      this.#write(message.entries, write);
      return;
    }
    // A new commit index alone is written with the next entries (RA-04).
    if (state !== undefined) this.#options.log.setCommit(state);
    this.#done(write);
  }

  #write(entries: readonly Entry[], write: Write): void {
    this.#options.log
      .append(entries, this.#withCommit(write))
      .then(() => this.#done(write))
      .catch(this.#broken);
  }

  /** The state that `write` brings to the disk. */
  #withCommit(write: Write): HardState {
    write.commit = this.#hardState.commit;
    this.#writtenCommit = write.commit;
    return this.#hardState;
  }

  #stateOf(message: StorageMessage): HardState | undefined {
    if (message.term === 0) return undefined;
    return { term: message.term, vote: message.vote, commit: message.commit };
  }

  #install(message: StorageMessage, snapshot: Snapshot, write: Write): void {
    const blocked: StorageMessage[] = [];
    this.#blocked = blocked;
    const state = this.#stateOf(message) ?? this.#hardState;
    const { install, onEntries, log } = this.#options;
    const installed = async (): Promise<void> => {
      await install(snapshot);
      this.#blocked = undefined;
      if (this.#isBroken) return;
      this.#hardState = state;
      if (message.entries.length > 0) onEntries(message.entries);
      const written = log.append(message.entries, this.#withCommit(write));
      for (const next of blocked) this.push(next);
      await written;
      this.#done(write);
    };
    installed().catch(this.#broken);
  }

  #done(write: Write): void {
    write.isDone = true;
    if (this.#writes[0] !== write || this.#isBroken) return;
    const responses: Message[] = [];
    let count = 0;
    while (this.#writes[count]?.isDone === true) {
      const done = this.#writes[count] as Write;
      for (const response of done.responses) responses.push(response);
      if (done.commit > this.#durableCommit) this.#durableCommit = done.commit;
      count += 1;
    }
    this.#writes = this.#writes.slice(count);
    this.#options.deliver(withoutCoveredAcks(responses));
  }

  readonly #broken = (error: unknown): void => {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#writes = [];
    this.#options.onBroken(error);
  };
}
