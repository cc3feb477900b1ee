/**
 * A node as its driver holds it: requests and messages in, batches of work (Ready) out.
 *
 * The driver turns in a loop: step what came, `ready()`, do the work, report it done. Two ways:
 * `advance()` after each Ready, or (with asyncStorageWrites) messages to two threads whose answers
 * come back through `deliver`, so that several writes can be under way.
 */
import { assert } from "../base/index.ts";
import {
  type ConfChange,
  type ConfChangeV2,
  type ConfState,
  emptyRaftMessage,
  encodeConfChange,
  encodeConfChangeV2,
  type Entry,
  EntryType,
  type HardState,
  marshal,
  type Message,
  MessageType,
} from "../wire/index.ts";
import { asConfChangeV2 } from "./conf-change.ts";
import { encodedBytes } from "./log.ts";
import type { Progress } from "./progress.ts";
import { Raft } from "./raft.ts";
import { needsSync, type Ready, sameHardState, type SoftState } from "./ready.ts";
import {
  APPEND_THREAD,
  APPLY_THREAD,
  type Evidence,
  NONE,
  type RaftOptions,
  type ReadState,
  type StepResult,
  type StorageMessage,
} from "./types.ts";

/** What most Readys hold; never the node's own lists, which it goes on filling. */
const NO_READS: readonly ReadState[] = Object.freeze([]);
const NO_EVIDENCE: readonly Evidence[] = Object.freeze([]);

/** A founding member; `context` is stored with it (etcd: its JSON). */
export interface BootstrapPeer {
  readonly id: bigint;
  readonly context: Buffer;
}

export interface NodeStatus {
  readonly id: bigint;
  readonly softState: SoftState;
  readonly hardState: HardState;
  readonly applied: number;
  readonly lastIndex: number;
  readonly leadTransferee: bigint;
  /** At a leader: the progress of each member, ascending by id. Empty elsewhere. */
  readonly progress: readonly (readonly [bigint, Progress])[];
}

export class RawNode {
  readonly raft: Raft;
  readonly #isAsync: boolean;
  #lastSoftState: SoftState;
  #lastHardState: HardState;
  /** What this node answers itself when the Ready of now is done. */
  #stepsOnAdvance: Message[] = [];
  #isReadyOut = false;

  constructor(options: RaftOptions) {
    this.raft = new Raft(options);
    this.#isAsync = options.asyncStorageWrites === true;
    this.#lastSoftState = this.raft.softState;
    this.#lastHardState = this.raft.hardState;
  }

  /**
   * Writes the first entries of a new cluster: one change a founding member, in the order given,
   * all committed (RA-06). Every founder must be given the same list, sorted by id.
   */
  bootstrap(peers: readonly BootstrapPeer[]): void {
    assert(peers.length > 0, "raw node: a cluster has members");
    const changes = peers.map((peer) => {
      const change = { id: 0n, type: 0, nodeId: peer.id, context: peer.context };
      return { change, data: marshal(encodeConfChange, change) };
    });
    const entries = changes.map(({ data }, at) => {
      return { type: EntryType.CONF_CHANGE, term: 1, index: at + 1, data };
    });
    this.#lastHardState = { term: 0, vote: NONE, commit: 0 };
    this.raft.bootstrap(
      entries,
      changes.map(({ change }) => asConfChangeV2(change)),
    );
  }

  tick(): void {
    this.raft.tick();
  }

  /** Stands for election now. */
  campaign(): void {
    this.#local(MessageType.HUP);
  }

  /** Proposes one entry. `data` is the node's from here. */
  propose(data: Buffer): StepResult {
    return this.proposeBatch([data]);
  }

  /** Proposes several entries, in order: all are taken or none. */
  proposeBatch(data: readonly Buffer[]): StepResult {
    const entries = new Array<Entry>(data.length);
    for (let at = 0; at < data.length; at += 1) {
      const bytes = data[at] as Buffer;
      entries[at] = { type: EntryType.NORMAL, term: 0, index: 0, data: bytes };
    }
    return this.#proposeEntries(entries);
  }

  proposeConfChange(change: ConfChange): StepResult {
    const data = marshal(encodeConfChange, change);
    return this.#proposeEntries([{ type: EntryType.CONF_CHANGE, term: 0, index: 0, data }]);
  }

  proposeConfChangeV2(change: ConfChangeV2): StepResult {
    const data = marshal(encodeConfChangeV2, change);
    return this.#proposeEntries([{ type: EntryType.CONF_CHANGE_V2, term: 0, index: 0, data }]);
  }

  #proposeEntries(entries: Entry[]): StepResult {
    const message = emptyRaftMessage();
    message.type = MessageType.PROP;
    message.from = this.raft.id;
    message.entries = entries;
    return this.raft.step(message);
  }

  /** To be called for each committed change, in order, with what the driver made of it. */
  applyConfChange(change: ConfChange | ConfChangeV2): {
    confState: ConfState;
    refusal: string | undefined;
  } {
    return this.raft.applyConfChange("changes" in change ? change : asConfChangeV2(change));
  }

  /** Asks for an index at which a read is linearizable; it comes as a ReadState with `context`. */
  readIndex(context: Buffer): StepResult {
    const message = emptyRaftMessage();
    message.type = MessageType.READ_INDEX;
    message.from = this.raft.id;
    message.entries = [{ type: EntryType.NORMAL, term: 0, index: 0, data: context }];
    return this.raft.step(message);
  }

  transferLeader(transferee: bigint): StepResult {
    const message = emptyRaftMessage();
    message.type = MessageType.TRANSFER_LEADER;
    message.from = transferee;
    return this.raft.step(message);
  }

  /** What a member said in an earlier life of its process counts no more. */
  forgetPromises(id: bigint): void {
    this.raft.forgetPromises(id);
  }

  /** Follows nobody until it hears a leader again; a vote can then be had at once. */
  forgetLeader(): void {
    this.#local(MessageType.FORGET_LEADER);
  }

  /** The last message to a member did not go. */
  reportUnreachable(id: bigint): void {
    this.#local(MessageType.UNREACHABLE, id);
  }

  /** The commit index moved, and no append has told it yet to all members (`gatherCommits`). */
  get hasUnsharedCommit(): boolean {
    return this.raft.hasUnsharedCommit;
  }

  /** Tells it to those that do not know yet that `index` is committed; by default, all of it. */
  shareCommit(index = this.raft.log.committed): void {
    this.raft.shareCommit(index);
  }

  /** Messages that said that `index` is committed were made to say less: now they may. */
  tellCommitAgain(index: number): void {
    this.raft.tellCommitAgain(index);
  }

  /** What storage called `pending` for this member is in memory now. */
  resumeSending(id: bigint): void {
    this.raft.resumeSending(id);
  }

  /** Whether a snapshot to a member went well. Must be called for each one that was sent. */
  reportSnapshot(id: bigint, isFailure: boolean): void {
    const message = emptyRaftMessage();
    message.type = MessageType.SNAP_STATUS;
    message.from = id;
    message.reject = isFailure;
    this.raft.step(message);
  }

  #local(type: number, from: bigint = this.raft.id): void {
    const message = emptyRaftMessage();
    message.type = type;
    message.from = from;
    this.raft.step(message);
  }

  /** Takes a message of a peer. Never throws, whatever it says. */
  step(message: Message): StepResult {
    if (isLocalType(message.type)) return "localMessage";
    if (message.from === this.raft.id || message.from === APPEND_THREAD) return "localMessage";
    if (message.from === APPLY_THREAD) return "localMessage";
    if (message.from === NONE || !hasPlausibleNumbers(message)) return "malformed";
    if (message.term === 0 && !mayLackTerm(message.type)) return "malformed";
    if (isResponse(message.type) && this.raft.tracker.progress(message.from) === undefined) {
      return "peerNotFound";
    }
    return this.raft.step(message);
  }

  /** Takes an answer that a StorageMessage asked to be given to this very node. */
  deliver(response: Message): StepResult {
    assert(response.to === this.raft.id, "raw node: deliver takes this node's own messages");
    const isFromThread = response.from === APPEND_THREAD || response.from === APPLY_THREAD;
    if (!isFromThread && response.from !== this.raft.id) return "localMessage";
    if (!isFromThread && this.raft.tracker.progress(this.raft.id) === undefined) {
      return "peerNotFound";
    }
    return this.raft.step(response);
  }

  /** Whether `ready()` has anything to say. */
  hasReady(): boolean {
    const { raft } = this;
    const { log } = raft;
    if (raft.messages.length > 0 || raft.messagesAfterAppend.length > 0) return true;
    if (raft.readStates.length > 0 || raft.evidence.length > 0) return true;
    if (log.unstable.hasNextEntries || log.hasNextCommitted(!this.#isAsync)) return true;
    if (log.unstable.nextSnapshot() !== undefined) return true;
    return this.#hasNewHardState() || this.#hasNewSoftState();
  }

  #hasNewHardState(): boolean {
    const { raft } = this;
    const last = this.#lastHardState;
    return last.commit !== raft.log.committed || last.term !== raft.term || last.vote !== raft.vote;
  }

  #hasNewSoftState(): boolean {
    return (
      this.#lastSoftState.lead !== this.raft.lead || this.#lastSoftState.role !== this.raft.role
    );
  }

  /**
   * Takes all work that has gathered. Must be done, and with the synchronous way `advance()` must
   * be called, before the next Ready is taken.
   */
  ready(): Ready {
    assert(!this.#isReadyOut, "raw node: ready before advance");
    const { raft } = this;
    const { log } = raft;
    const hardState = raft.hardState;
    const isHardStateNew = !sameHardState(hardState, this.#lastHardState);
    const entries = log.unstable.nextEntries();
    const messages = raft.messages;
    const afterAppend = raft.messagesAfterAppend;
    const ready: Ready = {
      softState: this.#hasNewSoftState() ? raft.softState : undefined,
      hardState: isHardStateNew ? hardState : undefined,
      readStates: raft.readStates.length === 0 ? NO_READS : raft.readStates,
      entries,
      snapshot: log.unstable.nextSnapshot(),
      committedEntries: log.nextCommitted(!this.#isAsync),
      messages,
      mustSync: needsSync(this.#lastHardState, hardState, entries.length),
      evidence: raft.evidence.length === 0 ? NO_EVIDENCE : raft.evidence,
    };
    raft.messages = [];
    raft.messagesAfterAppend = [];
    if (raft.readStates.length > 0) raft.readStates = [];
    if (raft.evidence.length > 0) raft.evidence = [];
    if (this.#isAsync) this.#addStorageMessages(ready, afterAppend);
    else this.#planAdvance(ready, afterAppend);
    this.#accept(ready, hardState);
    return ready;
  }

  #accept(ready: Ready, hardState: HardState): void {
    const { log } = this.raft;
    if (ready.softState !== undefined) this.#lastSoftState = ready.softState;
    this.#lastHardState = hardState;
    log.unstable.acceptInProgress();
    const last = ready.committedEntries[ready.committedEntries.length - 1];
    if (last === undefined) return;
    log.acceptApplying(last.index, encodedBytes(ready.committedEntries), !this.#isAsync);
  }

  /** What peers get goes into the Ready, what is for this node waits until it is done. */
  #planAdvance(ready: Ready, afterAppend: readonly Message[]): void {
    for (const message of afterAppend) {
      if (message.to === this.raft.id) this.#stepsOnAdvance.push(message);
      else ready.messages.push(message);
    }
    const appended = this.#appendDone(ready);
    if (appended !== undefined) this.#stepsOnAdvance.push(appended);
    if (ready.committedEntries.length > 0) this.#stepsOnAdvance.push(this.#applyDone(ready));
    this.#isReadyOut = true;
  }

  /** The Ready is done: written, sent, applied. Not for asynchronous storage writes. */
  advance(): void {
    assert(!this.#isAsync, "raw node: advance has no meaning with asynchronous storage writes");
    this.#isReadyOut = false;
    const steps = this.#stepsOnAdvance;
    this.#stepsOnAdvance = [];
    for (const message of steps) this.raft.step(message);
  }

  #addStorageMessages(ready: Ready, afterAppend: Message[]): void {
    const { hardState, entries, snapshot } = ready;
    const hasWrite = hardState !== undefined || entries.length > 0 || snapshot !== undefined;
    if (hasWrite || afterAppend.length > 0) {
      const message = this.#storageMessage(MessageType.STORAGE_APPEND, APPEND_THREAD);
      message.entries = entries;
      message.snapshot = snapshot;
      if (hardState !== undefined) {
        message.term = hardState.term;
        message.vote = hardState.vote;
        message.commit = hardState.commit;
      }
      // Messages that wait for earlier writes wait here too: writes are done in order.
      message.responses.push(...afterAppend);
      const done = this.#appendDone(ready);
      if (done !== undefined) message.responses.push(done);
      ready.messages.push(message);
    }
    if (ready.committedEntries.length > 0) {
      const message = this.#storageMessage(MessageType.STORAGE_APPLY, APPLY_THREAD);
      message.entries = ready.committedEntries;
      message.responses.push(this.#applyDone(ready));
      ready.messages.push(message);
    }
  }

  #storageMessage(type: number, to: bigint): StorageMessage {
    return { ...emptyRaftMessage(), type, to, from: this.raft.id, responses: [] };
  }

  /**
   * Says that all that is unstable now is durable. It is in the present term: one that arrives
   * after a change of term is not trusted, since what it speaks of may have been replaced. So each
   * write says it anew while anything is unstable, even if it adds no entry.
   */
  #appendDone(ready: Ready): Message | undefined {
    const { raft } = this;
    const { unstable } = raft.log;
    if (unstable.entries.length === 0 && ready.snapshot === undefined) return undefined;
    const message = emptyRaftMessage();
    message.type = MessageType.STORAGE_APPEND_RESP;
    message.to = raft.id;
    message.from = APPEND_THREAD;
    message.term = raft.term;
    message.snapshot = ready.snapshot;
    if (unstable.entries.length > 0) {
      message.index = raft.log.lastIndex();
      message.logTerm = raft.log.lastTerm();
    }
    return message;
  }

  #applyDone(ready: Ready): Message {
    const message = emptyRaftMessage();
    message.type = MessageType.STORAGE_APPLY_RESP;
    message.to = this.raft.id;
    message.from = APPLY_THREAD;
    message.entries = ready.committedEntries;
    return message;
  }

  status(): NodeStatus {
    const { raft } = this;
    const { tracker } = raft;
    const ids = raft.role === "leader" ? tracker.ids : [];
    return {
      id: raft.id,
      softState: raft.softState,
      hardState: raft.hardState,
      applied: raft.log.applied,
      lastIndex: raft.log.lastIndex(),
      leadTransferee: raft.leadTransferee,
      progress: ids.map((id) => [id, tracker.progress(id) as Progress] as const),
    };
  }
}

function isLocalType(type: number): boolean {
  switch (type) {
    case MessageType.HUP:
    case MessageType.BEAT:
    case MessageType.UNREACHABLE:
    case MessageType.SNAP_STATUS:
    case MessageType.CHECK_QUORUM:
    case MessageType.STORAGE_APPEND:
    case MessageType.STORAGE_APPEND_RESP:
    case MessageType.STORAGE_APPLY:
    case MessageType.STORAGE_APPLY_RESP:
    case MessageType.FORGET_LEADER:
      return true;
    default:
      return false;
  }
}

function isResponse(type: number): boolean {
  switch (type) {
    case MessageType.APP_RESP:
    case MessageType.VOTE_RESP:
    case MessageType.HEARTBEAT_RESP:
    case MessageType.READ_INDEX_RESP:
    case MessageType.PRE_VOTE_RESP:
      return true;
    default:
      return false;
  }
}

/** No term or index gets this far; beyond it, adding one would soon be inexact. */
const PLAUSIBLE_MAX = 2 ** 52;

function hasPlausibleNumbers(message: Message): boolean {
  if (message.term > PLAUSIBLE_MAX || message.logTerm > PLAUSIBLE_MAX) return false;
  if (message.index > PLAUSIBLE_MAX || message.rejectHint > PLAUSIBLE_MAX) return false;
  const metadata = message.snapshot?.metadata;
  return metadata === undefined || metadata.index <= PLAUSIBLE_MAX;
}

/** What followers pass on to the leader is good in any term. */
function mayLackTerm(type: number): boolean {
  return (
    type === MessageType.PROP ||
    type === MessageType.READ_INDEX ||
    type === MessageType.TRANSFER_LEADER
  );
}
