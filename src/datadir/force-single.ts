/**
 * `--force-new-cluster`: what the log of one member must say so that it goes on alone (surface 12).
 *
 * The end of the log stays, though nobody knows whether it was committed: a write that was
 * acknowledged may be known as committed only to the members that are lost. (etcd drops it.) Only
 * a change of the members in it is dropped, with all that follows. Then come changes that make this
 * member the only one, committed by decree. Removals are ordinary
 * changes, so the others are told that they were removed when they come again. Pure: nothing is
 * read or written.
 */
import { encodeMemberRecord } from "../apply/index.ts";
import { MalformedError } from "../base/index.ts";
import {
  type ConfChange,
  ConfChangeType,
  type ConfState,
  decodeConfChange,
  decodeConfChangeV2,
  encodeConfChange,
  type Entry,
  EntryType,
  type HardState,
  marshal,
} from "../wire/index.ts";

export interface ForceSingleOptions {
  /** This member. */
  readonly id: bigint;
  /** Its own URLs, for the case that the cluster does not know it. */
  readonly peerUrls: readonly string[];
  /** Where the store stands, and who the members are there. */
  readonly applied: { readonly index: number; readonly term: number };
  readonly confState: ConfState;
  /** Members of the table that the configuration may not know (any more): removed as well. */
  readonly memberIds: readonly bigint[];
  readonly hardState: HardState;
  /** All of the log after `applied`, in order and without gaps. */
  readonly entries: readonly Entry[];
}

export interface ForcedLog {
  /** Of `entries`, those that stay. */
  readonly kept: readonly Entry[];
  /** To be appended after them, durably with `hardState`, before the member starts. */
  readonly appended: readonly Entry[];
  /** The end of `appended` is committed. */
  readonly hardState: HardState;
}

export function forceSingle(options: ForceSingleOptions): ForcedLog {
  const { id, applied, hardState } = options;
  const commit = Math.max(hardState.commit, applied.index);
  const kept = keptOf(options.entries, commit);
  const members = new Configuration(options.confState, options.memberIds);
  for (const entry of kept) members.apply(entry);
  const last = kept.at(-1) ?? applied;
  const term = Math.max(hardState.term, last.term);
  let { index } = last;
  const appended: Entry[] = [];
  const append = (type: number, data: Buffer): void => {
    index += 1;
    appended.push({ type, term, index, data });
  };
  // A joint configuration is left first: nothing else may change in it.
  if (members.isJoint) append(EntryType.CONF_CHANGE_V2, Buffer.alloc(0));
  // Its own vote comes before the others' go: there is always one.
  const own = ownChange(options, members);
  if (own !== undefined) append(EntryType.CONF_CHANGE, marshal(encodeConfChange, own));
  for (const other of [...members.ids].sort((a, b) => (a < b ? -1 : 1))) {
    if (other === id) continue;
    const removal = change(ConfChangeType.REMOVE_NODE, other, "");
    append(EntryType.CONF_CHANGE, marshal(encodeConfChange, removal));
  }
  return { kept, appended, hardState: { term, vote: hardState.vote, commit: index } };
}

function keptOf(entries: readonly Entry[], commit: number): readonly Entry[] {
  const end = entries.findIndex(({ type, index }) => index > commit && type !== EntryType.NORMAL);
  return end < 0 ? entries : entries.slice(0, end);
}

function ownChange(options: ForceSingleOptions, members: Configuration): ConfChange | undefined {
  const { id, peerUrls } = options;
  if (members.voters.has(id)) return undefined;
  if (members.ids.has(id)) {
    return change(ConfChangeType.ADD_NODE, id, `{"id":${id},"peerURLs":null,"isPromote":true}`);
  }
  const record = { id, peerUrls: [...peerUrls], isLearner: false, name: "", clientUrls: [] };
  return change(ConfChangeType.ADD_NODE, id, encodeMemberRecord(record));
}

function change(type: number, nodeId: bigint, context: string): ConfChange {
  return { id: 0n, type, nodeId, context: Buffer.from(context) };
}

/** Who is a member, and who has a vote, after a number of entries. */
class Configuration {
  readonly voters: Set<bigint>;
  readonly ids: Set<bigint>;
  isJoint: boolean;

  constructor(confState: ConfState, memberIds: readonly bigint[]) {
    const { voters, votersOutgoing, learners, learnersNext } = confState;
    this.voters = new Set(voters);
    this.ids = new Set([...voters, ...votersOutgoing, ...learners, ...learnersNext, ...memberIds]);
    this.isJoint = votersOutgoing.length > 0;
  }

  /** What cannot be decoded changes nothing, as when it is applied. */
  apply(entry: Entry): void {
    try {
      if (entry.type === EntryType.CONF_CHANGE) {
        const { type, nodeId } = decodeConfChange(entry.data);
        this.#change(type, nodeId);
      } else if (entry.type === EntryType.CONF_CHANGE_V2) {
        const { changes } = decodeConfChangeV2(entry.data);
        this.isJoint = changes.length > 1;
        for (const { type, nodeId } of changes) this.#change(type, nodeId);
      }
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
    }
  }

  #change(type: number, nodeId: bigint): void {
    if (type === ConfChangeType.REMOVE_NODE) {
      this.voters.delete(nodeId);
      this.ids.delete(nodeId);
    } else if (type === ConfChangeType.ADD_NODE) {
      this.voters.add(nodeId);
      this.ids.add(nodeId);
    } else if (type === ConfChangeType.ADD_LEARNER) {
      this.voters.delete(nodeId);
      this.ids.add(nodeId);
    }
  }
}
