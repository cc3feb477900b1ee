/**
 * Takes a store on by entries of a log while no member runs: what a member would do at its start,
 * without consensus, clients and clocks.
 *
 * The store's backend must be nobody else's. Effects are committed as they come, with the point
 * that they belong to, so a replay that was interrupted goes on where it was.
 */
import { openAlarms } from "../alarm/index.ts";
import {
  createMachine,
  decodeMemberRecord,
  type Machine,
  type MemberRecord,
} from "../apply/index.ts";
import { type Backend, shouldCommit } from "../backend/index.ts";
import { MalformedError } from "../base/index.ts";
import { openLessor } from "../lease/index.ts";
import { openStore, type Store } from "../mvcc/index.ts";
import {
  type ConfChange,
  ConfChangeType,
  decodeConfChange,
  decodeRaftRequest,
  type Entry,
  EntryType,
  type RaftRequest,
} from "../wire/index.ts";

/** Entries between two turns of the loop. */
const SLICE_ENTRIES = 512;

export class Replay {
  readonly backend: Backend;
  readonly store: Store;
  readonly #machine: Machine;
  readonly #turn: () => Promise<void>;

  /** Reads the whole store. Throws what openStore does for a damaged one. */
  static async open(backend: Backend, turn: () => Promise<void>): Promise<Replay> {
    const lessor = openLessor(backend);
    const store = await openStore(backend, {
      yieldToLoop: turn,
      onLease: (key, lease) => lessor.attach(lease, key),
    });
    const machine = createMachine({ backend, store, lessor, alarms: openAlarms(backend) });
    return new Replay(backend, store, machine, turn);
  }

  private constructor(backend: Backend, store: Store, machine: Machine, turn: () => Promise<void>) {
    this.backend = backend;
    this.store = store;
    this.#machine = machine;
    this.#turn = turn;
  }

  get revision(): number {
    return this.store.currentRevision;
  }

  members(): readonly MemberRecord[] {
    return this.#machine.members();
  }

  /**
   * In order and without gaps; those that the store has already have no effect. What the last of
   * them did is durable with the next `commit` of the backend. Stops where the store has come to
   * `lastRevision`.
   */
  async apply(entries: readonly Entry[], lastRevision = Number.MAX_SAFE_INTEGER): Promise<void> {
    const { backend } = this;
    for (const [position, entry] of entries.entries()) {
      if (this.revision >= lastRevision) break;
      this.#apply(entry);
      if ((position + 1) % SLICE_ENTRIES !== 0) continue;
      await (shouldCommit(backend, 0) ? backend.commit() : this.#turn());
    }
    await backend.commit();
  }

  #apply(entry: Entry): void {
    const { index, term } = entry;
    if (index <= this.backend.applied.index) return;
    if (entry.type !== EntryType.NORMAL) changeMembers(entry, this.#machine);
    const request = requestOf(entry);
    if (request === undefined) this.#machine.advance(index, term);
    else this.#machine.apply(index, term, request, false);
  }
}

/** The members, to be changed by entries; `Machine` is one. */
export interface MemberRows {
  members(): readonly MemberRecord[];
  putMember(member: MemberRecord): void;
  removeMember(id: bigint): void;
}

/** The request of an entry; undefined when it has none that can be read. */
export function requestOf(entry: Entry): RaftRequest | undefined {
  if (entry.type !== EntryType.NORMAL || entry.data.length === 0) return undefined;
  return readable(() => decodeRaftRequest(entry.data));
}

/**
 * What a change of the configuration did to the table of members. Changes that the cluster refused
 * are not told apart from others: good enough to name members, not to count votes.
 */
export function changeMembers(entry: Entry, rows: MemberRows): void {
  if (entry.type !== EntryType.CONF_CHANGE) return;
  const change = readable(() => decodeConfChange(entry.data));
  if (change === undefined) return;
  const { type, nodeId } = change;
  const present = rows.members().find(({ id }) => id === nodeId);
  if (type === ConfChangeType.REMOVE_NODE) {
    if (present !== undefined) rows.removeMember(nodeId);
    return;
  }
  const record = recordOf(change);
  if (record === undefined) return;
  const isLearner = type === ConfChangeType.ADD_LEARNER;
  if (present === undefined) rows.putMember({ ...record, isLearner });
  else if (type === ConfChangeType.ADD_NODE) rows.putMember({ ...present, isLearner });
  else if (type === ConfChangeType.UPDATE_NODE) {
    rows.putMember({ ...present, peerUrls: record.peerUrls });
  }
}

function recordOf({ context, nodeId }: ConfChange): MemberRecord | undefined {
  const record = decodeMemberRecord(context.toString("utf8"));
  return record?.id === nodeId ? record : undefined;
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}
