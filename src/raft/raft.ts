/**
 * The consensus algorithm of one member: terms, elections, replication, commitment.
 *
 * Messages and ticks go in through `step` and `tick`; what is to be written, sent and applied piles
 * up in public fields that raw-node.ts collects. No clock, no promise, no I/O: the same inputs give
 * the same run. Behaviour is that of etcd's raft 3.7, replayed from its scenario files.
 *
 * What a peer can cause is checked and refused, or noted as evidence; asserts guard only what a bug
 * of ours could break. Source: Ongaro's thesis, sections at the places.
 */
import { assert, type Prng } from "../base/index.ts";
import {
  type ConfChangeV2,
  type ConfState,
  decodeConfChange,
  decodeConfChangeV2,
  emptyRaftMessage,
  type Entry,
  EntryType,
  type HardState,
  type Message,
  MessageType,
  sizeEntry,
  type Snapshot,
} from "../wire/index.ts";
import {
  applyConfChange,
  asConfChangeV2,
  type Config,
  configOf,
  isJoint,
  leavesJoint,
} from "./conf-change.ts";
import { type LogEntries, payloadBytes, RaftLog } from "./log.ts";
import type { Progress } from "./progress.ts";
import type { VoteResult } from "./quorum.ts";
import { ReadOnly } from "./read-only.ts";
import type { SoftState } from "./ready.ts";
import { Tracker } from "./tracker.ts";
import {
  type Evidence,
  EVIDENCE_MAX,
  NONE,
  PENDING_READS_MAX,
  type RaftOptions,
  type ReadState,
  type Role,
  type StepResult,
} from "./types.ts";

/** Tells a vote request that a leader asked for: it need not wait for that leader's lease. */
const TRANSFER_CONTEXT = Buffer.from("CampaignTransfer");
const EMPTY = Buffer.alloc(0);
const NOBODY: ReadonlySet<bigint> = new Set();
/** Entries of one page when the unapplied log is searched for configuration changes. */
const SCAN_PAGE_BYTES = 1024 * 1024;

type Campaign = "preElection" | "election" | "transfer";

export class Raft {
  readonly id: bigint;
  readonly log: RaftLog;
  readonly tracker: Tracker;

  /** Invariant: never decreases; durable before any answer of this term goes out (thesis 3.8). */
  term = 0;
  /** Whom this member voted for in `term`. Durable like the term. */
  vote: bigint = NONE;
  role: Role = "follower";
  lead: bigint = NONE;
  /** Whom the leader hands over to; while set it takes no proposals (thesis 3.10). */
  leadTransferee: bigint = NONE;

  /** Messages that may go at once. */
  messages: Message[] = [];
  /** Messages that promise something: they go once all that precedes them is durable. */
  messagesAfterAppend: Message[] = [];
  readStates: ReadState[] = [];
  /** The commit index moved, and waits for an append to go along with (`gatherCommits`). */
  hasUnsharedCommit = false;
  evidence: Evidence[] = [];

  readonly #options: RaftOptions;
  readonly #prng: Prng;
  readonly #checkQuorum: boolean;
  readonly #isLeaseBased: boolean;
  readonly #uncommittedBytesMax: number;
  readonly #pendingReadsMax: number;
  readonly #readOnly: ReadOnly;
  /** Reads that came before this leader committed an entry of its term. */
  #earlyReads: Message[] = [];
  /** Index of the newest configuration change in the log that may not be applied yet. */
  #pendingConfIndex = 0;
  /** Payload bytes of the leader's uncommitted tail; an estimate that may be low after restarts. */
  #uncommittedBytes = 0;
  #electionElapsed = 0;
  #heartbeatElapsed = 0;
  #randomizedTimeout = 0;

  constructor(options: RaftOptions) {
    checkOptions(options);
    this.#options = options;
    this.#prng = options.prng;
    this.id = options.id;
    this.#checkQuorum = options.checkQuorum === true;
    this.#isLeaseBased = options.readOnly === "leaseBased";
    this.#uncommittedBytesMax = options.uncommittedBytesMax || Number.POSITIVE_INFINITY;
    this.#pendingReadsMax = options.pendingReadsMax ?? PENDING_READS_MAX;
    this.log = new RaftLog(options.storage, options.applyingBytesMax || options.appendBytesMax);
    this.tracker = new Tracker({
      inflightMessagesMax: options.inflightMessagesMax,
      inflightBytesMax: options.inflightBytesMax ?? 0,
    });
    this.#readOnly = new ReadOnly({
      id: options.id,
      epoch: options.readEpoch,
      pendingMax: this.#pendingReadsMax,
    });
    this.#restoreState();
    this.becomeFollower(this.term, NONE);
  }

  #restoreState(): void {
    const { hardState, confState } = this.#options.storage.initialState();
    const config = configOf(confState);
    assert(config !== undefined, "raft: the stored configuration is valid", {
      id: String(this.id),
    });
    this.tracker.switchTo(config, NOBODY, this.#nextForNewcomers());
    this.term = hardState.term;
    this.vote = hardState.vote;
    const lastIndex = this.log.lastIndex();
    if (hardState.commit > lastIndex) {
      // The log was cut behind our back. Serving what is left would deny what was acknowledged.
      const commit = hardState.commit;
      this.#report({ kind: "commitBeyondLog", from: this.id, commit, lastIndex });
    }
    this.log.commitTo(Math.min(hardState.commit, lastIndex));
    const applied = this.#options.appliedIndex ?? 0;
    if (applied > this.log.applied) {
      // The machine applied it, so it was committed, even if that was not written down.
      this.log.commitTo(Math.min(applied, lastIndex));
      this.log.appliedTo(Math.min(applied, this.log.committed), 0);
    }
  }

  get softState(): SoftState {
    return { lead: this.lead, role: this.role };
  }

  get hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  /** Ticks without word from a leader until this node campaigns. */
  get randomizedElectionTimeoutTicks(): number {
    return this.#randomizedTimeout;
  }

  /** For tests and simulations: what the next draw would have decided. */
  set randomizedElectionTimeoutTicks(ticks: number) {
    this.#randomizedTimeout = ticks;
  }

  /** At a leader: the newest change of the configuration is here, or before; 0 = there is none. */
  get pendingConfIndex(): number {
    return this.#pendingConfIndex;
  }

  get pendingReadCount(): number {
    return this.#readOnly.pendingCount + this.#earlyReads.length;
  }

  get uncommittedBytes(): number {
    return this.#uncommittedBytes;
  }

  /** Whether this member may stand for election: a voter that holds what its config stands on. */
  get isPromotable(): boolean {
    const progress = this.tracker.progress(this.id);
    return (
      progress !== undefined && !progress.isLearner && this.log.unstable.snapshot === undefined
    );
  }

  /* Time */

  tick(): void {
    if (this.role === "leader") this.#tickLeader();
    else this.#tickElection();
  }

  #tickElection(): void {
    this.#electionElapsed += 1;
    if (!this.isPromotable || this.#electionElapsed < this.#randomizedTimeout) return;
    this.#electionElapsed = 0;
    this.step(this.#local(MessageType.HUP));
  }

  #tickLeader(): void {
    this.#heartbeatElapsed += 1;
    this.#electionElapsed += 1;
    if (this.#electionElapsed >= this.#options.electionTimeoutTicks) {
      this.#electionElapsed = 0;
      if (this.#checkQuorum) this.step(this.#local(MessageType.CHECK_QUORUM));
      // A transferee that did not win by now will not; go on leading (thesis 3.10).
      if (this.#isLeader()) this.leadTransferee = NONE;
    }
    if (!this.#isLeader() || this.#heartbeatElapsed < this.#options.heartbeatTimeoutTicks) return;
    this.#heartbeatElapsed = 0;
    this.step(this.#local(MessageType.BEAT));
  }

  /** Read afresh: a step may have changed it. */
  #isLeader(): boolean {
    return this.role === "leader";
  }

  #local(type: number): Message {
    const message = emptyRaftMessage();
    message.type = type;
    message.from = this.id;
    return message;
  }

  /* Roles */

  becomeFollower(term: number, lead: bigint): void {
    this.#reset(term);
    this.role = "follower";
    this.lead = lead;
  }

  #becomePreCandidate(): void {
    // Neither term nor vote change: nothing is asked of anyone yet (thesis 9.6).
    this.tracker.resetVotes();
    this.lead = NONE;
    this.role = "preCandidate";
  }

  #becomeCandidate(): void {
    this.#reset(this.term + 1);
    this.vote = this.id;
    this.role = "candidate";
  }

  #becomeLeader(): void {
    assert(this.role === "candidate", "raft: only a candidate becomes leader");
    this.#reset(this.term);
    this.role = "leader";
    this.lead = this.id;
    const own = this.tracker.progress(this.id);
    assert(own !== undefined, "raft: a leader is a member");
    own.becomeReplicate();
    own.isRecentlyActive = true;
    // There may be a configuration change in the tail: none is proposed until all is applied.
    this.#pendingConfIndex = this.log.lastIndex();
    // Commits what earlier terms left behind (thesis 3.6.2), and marks the new term (RA-07).
    this.#appendEntries([{ type: EntryType.NORMAL, term: 0, index: 0, data: EMPTY }], 0);
  }

  #reset(term: number): void {
    if (this.term !== term) {
      this.term = term;
      this.vote = NONE;
    }
    this.lead = NONE;
    this.leadTransferee = NONE;
    this.#electionElapsed = 0;
    this.#heartbeatElapsed = 0;
    const timeout = this.#options.electionTimeoutTicks;
    this.#randomizedTimeout = timeout + this.#prng.below(timeout);
    this.tracker.resetVotes();
    const lastIndex = this.log.lastIndex();
    for (const id of this.tracker.ids) {
      const progress = this.tracker.progress(id) as Progress;
      progress.restart(id === this.id ? lastIndex : 0, lastIndex + 1);
    }
    this.#pendingConfIndex = 0;
    this.#uncommittedBytes = 0;
    this.#readOnly.reset(term);
    this.#earlyReads = [];
  }

  #report(evidence: Evidence): void {
    if (this.evidence.length < EVIDENCE_MAX) this.evidence.push(evidence);
  }

  /**
   * What a member promised may be lost to it: its vote and its acknowledgements are not counted
   * until it gives them again.
   */
  forgetPromises(id: bigint): void {
    if (id === this.id) return;
    this.tracker.forgetVote(id);
    if (this.role === "leader") this.tracker.progress(id)?.forget();
  }

  /* Messages in */

  /** Takes a message, of a peer or of this node itself. Never throws on what a peer can send. */
  step(message: Message): StepResult {
    if (message.term > this.term && !this.#meetHigherTerm(message)) return "ok";
    if (message.term !== 0 && message.term < this.term) {
      this.#answerLowerTerm(message);
      return "ok";
    }
    switch (message.type) {
      case MessageType.HUP:
        this.#hup(this.#options.preVote === true ? "preElection" : "election");
        return "ok";
      case MessageType.STORAGE_APPEND_RESP:
        if (message.index !== 0) this.log.unstable.stableTo(message.index, message.logTerm);
        if (message.snapshot !== undefined) this.#snapshotApplied(message.snapshot);
        return "ok";
      case MessageType.STORAGE_APPLY_RESP:
        this.#entriesApplied(message.entries);
        return "ok";
      case MessageType.VOTE:
      case MessageType.PRE_VOTE:
        this.#answerVoteRequest(message);
        return "ok";
      default:
        return this.#stepRole(message);
    }
  }

  #stepRole(message: Message): StepResult {
    switch (this.role) {
      case "leader":
        return this.#stepLeader(message);
      case "preCandidate":
      case "candidate":
        return this.#stepCandidate(message);
      default:
        return this.#stepFollower(message);
    }
  }

  /** Whether the message is to be looked at further. */
  #meetHigherTerm(message: Message): boolean {
    const { type } = message;
    if (type === MessageType.VOTE || type === MessageType.PRE_VOTE) {
      // Who hears a leader keeps it: a member that was cut off must not depose it (thesis 4.2.3).
      const isLeaseValid =
        this.#checkQuorum &&
        this.lead !== NONE &&
        this.#electionElapsed < this.#options.electionTimeoutTicks;
      if (isLeaseValid && !message.context.equals(TRANSFER_CONTEXT)) return false;
    }
    // The term of a pre-vote is one that nobody has yet, and so is that of a granted answer.
    if (type === MessageType.PRE_VOTE) return true;
    if (type === MessageType.PRE_VOTE_RESP && !message.reject) return true;
    this.becomeFollower(message.term, isFromLeader(type) ? message.from : NONE);
    return true;
  }

  #answerLowerTerm(message: Message): void {
    const { type } = message;
    const fromLeader = type === MessageType.HEARTBEAT || type === MessageType.APP;
    if (fromLeader && (this.#checkQuorum || this.#options.preVote === true)) {
      // A member whose term ran ahead while it was cut off could neither follow nor win, as its
      // vote requests are ignored. Its answer makes the leader step down and catch up with terms.
      this.#send(this.#message(MessageType.APP_RESP, message.from));
    } else if (type === MessageType.PRE_VOTE) {
      // Tells a pre-candidate of a lower term, which none would otherwise do, what the term is.
      const response = this.#message(MessageType.PRE_VOTE_RESP, message.from);
      response.term = this.term;
      response.reject = true;
      this.#send(response);
    } else if (type === MessageType.STORAGE_APPEND_RESP && message.snapshot !== undefined) {
      // Entries written in an earlier term may have been replaced, even by ones of equal term at
      // other places: they will be reported again. A snapshot is committed state, always good.
      this.#snapshotApplied(message.snapshot);
    }
  }

  #answerVoteRequest(message: Message): void {
    const isPreVote = message.type === MessageType.PRE_VOTE;
    // May vote: again for the same one; for anyone when neither vote nor leader is known; in a
    // pre-vote, for a term to come.
    const canVote =
      this.vote === message.from ||
      (this.vote === NONE && this.lead === NONE) ||
      (isPreVote && message.term > this.term);
    const grants = canVote && this.log.isUpToDate(message.index, message.logTerm);
    // Learners vote as well: whether this member was promoted may be known only to the candidate.
    const type = isPreVote ? MessageType.PRE_VOTE_RESP : MessageType.VOTE_RESP;
    const response = this.#message(type, message.from);
    response.reject = !grants;
    // A granted pre-vote speaks of the term to come, or the candidate would ignore it.
    response.term = grants ? message.term : this.term;
    this.#send(response);
    if (grants && !isPreVote) {
      this.#electionElapsed = 0;
      this.vote = message.from;
    }
  }

  #stepLeader(message: Message): StepResult {
    switch (message.type) {
      case MessageType.BEAT:
        this.#broadcastHeartbeat(this.#readOnly.heartbeatContext());
        return "ok";
      case MessageType.CHECK_QUORUM:
        this.#checkQuorumActive();
        return "ok";
      case MessageType.PROP:
        return this.#propose(message);
      case MessageType.READ_INDEX:
        return this.#readIndex(message);
      case MessageType.FORGET_LEADER:
        return "ok";
      case MessageType.APP:
      case MessageType.HEARTBEAT:
      case MessageType.SNAP:
        this.#report({ kind: "secondLeader", from: message.from, term: message.term });
        return "ok";
      default:
    }
    const progress = this.tracker.progress(message.from);
    if (progress === undefined) return "ok";
    switch (message.type) {
      case MessageType.APP_RESP:
        return this.#onAppendResponse(message, progress);
      case MessageType.HEARTBEAT_RESP:
        this.#onHeartbeatResponse(message, progress);
        return "ok";
      case MessageType.SNAP_STATUS:
        this.#onSnapshotStatus(progress, message.reject);
        return "ok";
      case MessageType.UNREACHABLE:
        // In a pipeline much may be lost by now: find out what arrived.
        if (progress.state === "replicate") progress.becomeProbe();
        return "ok";
      case MessageType.TRANSFER_LEADER:
        this.#transferLeader(message.from, progress);
        return "ok";
      default:
        return "ok";
    }
  }

  #stepCandidate(message: Message): StepResult {
    switch (message.type) {
      case MessageType.PROP:
        return "proposalDropped";
      case MessageType.APP:
      case MessageType.HEARTBEAT:
      case MessageType.SNAP:
        // Someone won this term.
        this.becomeFollower(message.term, message.from);
        return this.#fromLeader(message);
      case MessageType.PRE_VOTE_RESP:
        if (this.role === "preCandidate") this.#countVote(message);
        return "ok";
      case MessageType.VOTE_RESP:
        if (this.role === "candidate") this.#countVote(message);
        return "ok";
      case MessageType.READ_INDEX:
        return "proposalDropped";
      default:
        return "ok";
    }
  }

  #stepFollower(message: Message): StepResult {
    switch (message.type) {
      case MessageType.PROP:
        if (this.#options.disableProposalForwarding === true) return "proposalDropped";
        return this.#forward(message);
      case MessageType.READ_INDEX:
      case MessageType.TRANSFER_LEADER:
        return this.#forward(message);
      case MessageType.APP:
      case MessageType.HEARTBEAT:
      case MessageType.SNAP:
        this.#electionElapsed = 0;
        this.lead = message.from;
        return this.#fromLeader(message);
      case MessageType.FORGET_LEADER:
        // With leases the leader answers reads alone, and counts on being kept for that long.
        if (!this.#isLeaseBased) this.lead = NONE;
        return "ok";
      case MessageType.TIMEOUT_NOW:
        // The leader asks for it, so neither pre-vote nor its lease stand in the way (3.10).
        this.#hup("transfer");
        return "ok";
      case MessageType.READ_INDEX_RESP:
        return this.#onReadIndexResponse(message);
      default:
        return "ok";
    }
  }

  /* Elections (thesis 3.4) */

  #hup(campaign: Campaign): void {
    if (this.role === "leader" || !this.isPromotable) return;
    // Who has not applied a change that may be committed does not know who must vote.
    if (this.#hasUnappliedConfChange()) return;
    this.#campaign(campaign);
  }

  #hasUnappliedConfChange(): boolean {
    let lo = this.log.applied + 1;
    const hi = this.log.committed + 1;
    while (lo < hi) {
      const page = this.log.slice(lo, hi, SCAN_PAGE_BYTES);
      // Applied by now and gone from memory, though nobody has said so here yet.
      if (typeof page === "string") return true;
      for (const entry of page) if (isConfChange(entry)) return true;
      lo += page.length;
    }
    return false;
  }

  #campaign(campaign: Campaign): void {
    const isPreElection = campaign === "preElection";
    if (isPreElection) this.#becomePreCandidate();
    else this.#becomeCandidate();
    const term = isPreElection ? this.term + 1 : this.term;
    const index = this.log.lastIndex();
    const logTerm = this.log.lastTerm();
    for (const id of this.tracker.ids) {
      if (!this.tracker.isVoter(id)) continue;
      if (id === this.id) {
        // One's own vote counts once it is durable, like any other.
        const own = isPreElection ? MessageType.PRE_VOTE_RESP : MessageType.VOTE_RESP;
        const response = this.#message(own, id);
        response.term = term;
        this.#send(response);
        continue;
      }
      const request = this.#message(isPreElection ? MessageType.PRE_VOTE : MessageType.VOTE, id);
      request.term = term;
      request.index = index;
      request.logTerm = logTerm;
      if (campaign === "transfer") request.context = TRANSFER_CONTEXT;
      this.#send(request);
    }
  }

  #countVote(message: Message): void {
    this.tracker.recordVote(message.from, !message.reject);
    const result: VoteResult = this.tracker.voteResult();
    if (result === "lost") {
      // A refused pre-vote may carry a higher term; that was met before.
      this.becomeFollower(this.term, NONE);
    } else if (result === "won") {
      if (this.role === "preCandidate") {
        this.#campaign("election");
      } else {
        this.#becomeLeader();
        this.#broadcastAppend();
      }
    }
  }

  /** A leader that no quorum hears must not go on as if it led (thesis 6.2). */
  #checkQuorumActive(): void {
    if (!this.tracker.isQuorumActive()) {
      this.becomeFollower(this.term, NONE);
      return;
    }
    for (const id of this.tracker.ids) {
      if (id !== this.id) (this.tracker.progress(id) as Progress).isRecentlyActive = false;
    }
  }

  /* Leadership transfer (thesis 3.10) */

  #transferLeader(transferee: bigint, progress: Progress): void {
    if (progress.isLearner || this.leadTransferee === transferee) return;
    this.leadTransferee = NONE;
    if (transferee === this.id) return;
    // It has one election timeout to take over.
    this.#electionElapsed = 0;
    this.leadTransferee = transferee;
    if (progress.match === this.log.lastIndex()) this.#sendTimeoutNow(transferee);
    else this.#sendAppend(transferee, progress);
  }

  #sendTimeoutNow(to: bigint): void {
    this.#send(this.#message(MessageType.TIMEOUT_NOW, to));
  }

  /* Replication, at the leader (thesis 3.5) */

  #propose(message: Message): StepResult {
    const { entries } = message;
    // A leader that is no member any more, or hands over, must not extend the log.
    if (entries.length === 0 || this.tracker.progress(this.id) === undefined) {
      return "proposalDropped";
    }
    if (this.leadTransferee !== NONE) return "proposalDropped";
    const lastIndex = this.log.lastIndex();
    let own: Entry[] | undefined;
    for (let at = 0; at < entries.length; at += 1) {
      const entry = entries[at] as Entry;
      if (entry.type === EntryType.NORMAL) continue;
      const verdict = this.#checkConfChange(entry);
      if (verdict === "malformed") return "malformed";
      if (verdict === "fits") {
        this.#pendingConfIndex = lastIndex + at + 1;
      } else {
        // Keeps its place as an empty entry, so that the asker sees it was not done.
        own ??= entries.slice();
        own[at] = { type: EntryType.NORMAL, term: 0, index: 0, data: EMPTY };
      }
    }
    if (!this.#appendEntries(own ?? entries, payloadBytes(own ?? entries))) {
      return "proposalDropped";
    }
    this.#broadcastAppend();
    return "ok";
  }

  /** One change at a time, a joint configuration is left before the next (thesis 4.1, 4.3). */
  #checkConfChange(entry: Entry): "fits" | "refused" | "malformed" {
    const change = decodeChange(entry);
    if (change === undefined) return "malformed";
    if (this.#options.disableConfChangeValidation === true) return "fits";
    if (this.#pendingConfIndex > this.log.applied) return "refused";
    return isJoint(this.tracker.config) === leavesJoint(change) ? "fits" : "refused";
  }

  /** Numbers the entries and puts them in the log. Refuses beyond the uncommitted limit. */
  #appendEntries(entries: readonly Entry[], bytes: number): boolean {
    const uncommitted = this.#uncommittedBytes;
    // One oversized proposal goes through on an empty tail, and empty entries always do.
    const isOver = uncommitted > 0 && bytes > 0 && uncommitted + bytes > this.#uncommittedBytesMax;
    if (isOver) return false;
    this.#uncommittedBytes += bytes;
    let index = this.log.lastIndex();
    const numbered = new Array<Entry>(entries.length);
    for (let at = 0; at < entries.length; at += 1) {
      const entry = entries[at] as Entry;
      index += 1;
      numbered[at] = { type: entry.type, term: this.term, index, data: entry.data };
    }
    this.log.append(numbered);
    // The leader's own copy counts once it is durable: it acknowledges to itself then.
    const response = this.#message(MessageType.APP_RESP, this.id);
    response.index = index;
    this.#send(response);
    return true;
  }

  #broadcastAppend(): void {
    for (const id of this.tracker.ids) {
      if (id !== this.id) this.#sendAppend(id, this.tracker.progress(id) as Progress);
    }
  }

  /** Tells the commit index to those whom no append told that `index` is committed. */
  shareCommit(index: number): void {
    if (index >= this.log.committed) this.hasUnsharedCommit = false;
    if (this.role !== "leader") return;
    for (const id of this.tracker.ids) {
      const progress = this.tracker.progress(id) as Progress;
      if (id !== this.id && progress.canRaiseCommit(index)) this.#sendAppend(id, progress);
    }
  }

  /** What was sent said less than it should have: the members do not know of `index` after all. */
  tellCommitAgain(index: number): void {
    for (const id of this.tracker.ids) {
      const progress = this.tracker.progress(id) as Progress;
      if (progress.sentCommit >= index) progress.sentCommit = index - 1;
    }
    this.shareCommit(index);
  }

  /** Sends what is next to a member, an empty append if there is nothing new. */
  #sendAppend(to: bigint, progress: Progress): void {
    this.#trySendAppend(to, progress, true);
  }

  /** Returns whether a message went. */
  #trySendAppend(to: bigint, progress: Progress, sendIfEmpty: boolean): boolean {
    if (progress.isPaused) return false;
    const previous = progress.next - 1;
    const previousTerm = this.log.term(previous);
    if (previousTerm === undefined) return this.#trySendSnapshot(to, progress);
    // A full window still lets an empty append through: the answer to it tells what was lost.
    const isFull = progress.state === "replicate" && progress.inflights.isFull;
    const entries: LogEntries = isFull
      ? []
      : this.log.entriesFrom(progress.next, this.#options.appendBytesMax);
    if (entries === "pending") return false;
    if (entries === "compacted") return this.#trySendSnapshot(to, progress);
    if (entries.length === 0 && !sendIfEmpty) return false;
    const message = this.#message(MessageType.APP, to);
    message.index = previous;
    message.logTerm = previousTerm;
    message.entries = entries;
    message.commit = this.log.committed;
    this.#send(message);
    progress.sent(entries.length, payloadBytes(entries));
    progress.sentCommit = this.log.committed;
    return true;
  }

  #trySendSnapshot(to: bigint, progress: Progress): boolean {
    if (!progress.isRecentlyActive) return false;
    const snapshot = this.log.snapshot();
    if (snapshot === undefined) return false;
    progress.becomeSnapshot(snapshot.metadata.index);
    const message = this.#message(MessageType.SNAP, to);
    message.snapshot = snapshot;
    this.#send(message);
    return true;
  }

  #broadcastHeartbeat(context: Buffer): void {
    for (const id of this.tracker.ids) {
      if (id === this.id) continue;
      const progress = this.tracker.progress(id) as Progress;
      const message = this.#message(MessageType.HEARTBEAT, id);
      // Never beyond what the member is known to hold: it may lack, or hold others of, the rest.
      message.commit = Math.min(progress.match, this.log.committed);
      message.context = context;
      this.#send(message);
      progress.sentCommit = message.commit;
    }
  }

  #onAppendResponse(message: Message, progress: Progress): StepResult {
    progress.isRecentlyActive = true;
    if (message.reject) {
      this.#onRefusedAppend(message, progress);
      return "ok";
    }
    const { from, index } = message;
    const lastIndex = this.log.lastIndex();
    if (index > lastIndex) {
      this.#report({ kind: "ackBeyondLog", from, index, lastIndex });
      return "ok";
    }
    const isNews = progress.acknowledge(index);
    // A probe that was acknowledged at a known place still ends the probing.
    if (!isNews && !(progress.match === index && progress.state === "probe")) return "ok";
    this.#acknowledged(progress, index);
    if (this.#tryCommit()) {
      this.#releaseEarlyReads();
      if (this.#options.gatherCommits === true) this.hasUnsharedCommit = true;
      else this.#broadcastAppend();
    } else if (from !== this.id && progress.canRaiseCommit(this.log.committed)) {
      if (this.#options.gatherCommits === true) this.hasUnsharedCommit = true;
      else this.#sendAppend(from, progress);
    }
    if (from === this.id) return "ok";
    // Room in the window: fill it.
    while (this.#trySendAppend(from, progress, false)) {
      // Each message advances `next` or pauses the flow.
    }
    if (from === this.leadTransferee && progress.match === this.log.lastIndex()) {
      this.#sendTimeoutNow(from);
    }
    return "ok";
  }

  #acknowledged(progress: Progress, index: number): void {
    switch (progress.state) {
      case "probe":
        progress.becomeReplicate();
        return;
      case "snapshot":
        // Whatever snapshot it was: once the log reaches on from there, it can follow.
        if (progress.match + 1 >= this.log.firstIndex()) {
          progress.becomeProbe();
          progress.becomeReplicate();
        }
        return;
      default:
        progress.inflights.freeUpTo(index);
    }
  }

  #onRefusedAppend(message: Message, progress: Progress): void {
    let hint = message.rejectHint;
    if (message.logTerm > 0) {
      // Skips whole terms that the follower cannot match, a round trip each instead of one an
      // entry (thesis 3.5, last paragraphs).
      hint = this.log.findConflict(Math.min(hint, this.log.lastIndex()), message.logTerm).index;
    }
    if (!progress.stepBack(message.index, hint)) return;
    if (progress.state === "replicate") progress.becomeProbe();
    this.#sendAppend(message.from, progress);
  }

  #onHeartbeatResponse(message: Message, progress: Progress): void {
    progress.isRecentlyActive = true;
    progress.isFlowPaused = false;
    if (progress.match < this.log.lastIndex() || progress.state === "probe") {
      this.#sendAppend(message.from, progress);
    }
    if (this.#isLeaseBased || message.context.length === 0) return;
    this.#readOnly.noteAnswer(message.from, message.context);
    this.#answerConfirmedReads();
  }

  /** The entries that `to` needs were `pending` in storage, and can be had now. */
  resumeSending(to: bigint): void {
    const progress = this.tracker.progress(to);
    if (this.role !== "leader" || to === this.id || progress === undefined) return;
    while (this.#trySendAppend(to, progress, false)) {
      // As far as the window goes.
    }
  }

  #onSnapshotStatus(progress: Progress, isFailure: boolean): void {
    if (progress.state !== "snapshot") return;
    if (isFailure) progress.pendingSnapshot = 0;
    progress.becomeProbe();
    // Success: wait for the acknowledgement. Failure: for a heartbeat's answer, then try again.
    progress.isFlowPaused = true;
  }

  #tryCommit(): boolean {
    return this.log.tryCommit(this.tracker.committed(), this.term);
  }

  /* Reads (thesis 6.4) */

  #readIndex(message: Message): StepResult {
    if (message.entries.length !== 1) return "malformed";
    // Before an entry of its own term is committed a leader does not know what is committed. That
    // holds for a single voter too, whose commit index on disk may be behind (RA-04).
    if (!this.log.matchesTerm(this.log.committed, this.term)) {
      if (this.#earlyReads.length >= this.#pendingReadsMax) return "proposalDropped";
      this.#earlyReads.push(message);
      return "ok";
    }
    return this.#startRead(message);
  }

  #startRead(message: Message): StepResult {
    // A leader that was removed leads on for a moment: then the only voter is another one.
    const isAlone = this.tracker.isSingleton && this.tracker.isVoter(this.id);
    if (this.#isLeaseBased || isAlone) {
      this.#answerRead(message, this.log.committed);
      return "ok";
    }
    if (!this.#readOnly.add(this.log.committed, message)) return "proposalDropped";
    this.#broadcastHeartbeat(this.#readOnly.heartbeatContext());
    return "ok";
  }

  #releaseEarlyReads(): void {
    if (this.#earlyReads.length === 0) return;
    if (!this.log.matchesTerm(this.log.committed, this.term)) return;
    const reads = this.#earlyReads;
    this.#earlyReads = [];
    for (const read of reads) this.#startRead(read);
  }

  #answerConfirmedReads(): void {
    if (this.#readOnly.pendingCount === 0) return;
    for (const read of this.#readOnly.takeConfirmed(this.tracker.config)) {
      this.#answerRead(read.request, read.index);
    }
  }

  #answerRead(request: Message, index: number): void {
    if (request.from === NONE || request.from === this.id) {
      this.readStates.push({ index, context: (request.entries[0] as Entry).data });
      return;
    }
    const response = this.#message(MessageType.READ_INDEX_RESP, request.from);
    response.index = index;
    response.entries = request.entries;
    this.#send(response);
  }

  #onReadIndexResponse(message: Message): StepResult {
    const entry = message.entries[0];
    if (entry === undefined || message.entries.length !== 1) return "malformed";
    this.readStates.push({ index: message.index, context: entry.data });
    return "ok";
  }

  /* The follower's side */

  /** Passes on what only the leader can do (RA-11). */
  #forward(message: Message): StepResult {
    if (this.lead === NONE) return "proposalDropped";
    const forwarded = { ...message, to: this.lead };
    if (forwarded.from === NONE) forwarded.from = this.id;
    this.#send(forwarded);
    return "ok";
  }

  #fromLeader(message: Message): StepResult {
    switch (message.type) {
      case MessageType.APP:
        return this.#onAppend(message);
      case MessageType.HEARTBEAT:
        this.#onHeartbeat(message);
        return "ok";
      default:
        return this.#onSnapshot(message);
    }
  }

  #onAppend(message: Message): StepResult {
    if (!isWellFormedAppend(message)) return "malformed";
    const { log } = this;
    const response = this.#message(MessageType.APP_RESP, message.from);
    if (message.index < log.committed) {
      this.#checkCommitted(message);
      response.index = log.committed;
      this.#send(response);
      return "ok";
    }
    const lastNew = log.tryAppend(message.index, message.logTerm, message.entries, message.commit);
    if (lastNew !== undefined) {
      response.index = lastNew;
    } else {
      const hint = log.findConflict(Math.min(message.index, log.lastIndex()), message.logTerm);
      response.index = message.index;
      response.reject = true;
      response.rejectHint = hint.index;
      response.logTerm = hint.term;
    }
    this.#send(response);
    return "ok";
  }

  /** A leader has all that is committed; one that sends something else there is none. */
  #checkCommitted(message: Message): void {
    const { from, entries } = message;
    const { committed } = this.log;
    for (let at = 0; at < entries.length; at += 1) {
      const { index, term } = entries[at] as Entry;
      if (index > committed) return;
      const own = this.log.term(index);
      if (own === undefined || own === term) continue;
      this.#report({ kind: "conflictBelowCommit", from, index, term, ownTerm: own });
      return;
    }
  }

  #onHeartbeat(message: Message): void {
    const { from, commit } = message;
    const lastIndex = this.log.lastIndex();
    // A leader names only what this member has acknowledged. If that is not here, it was lost.
    if (commit > lastIndex) this.#report({ kind: "commitBeyondLog", from, commit, lastIndex });
    else this.log.commitTo(commit);
    const response = this.#message(MessageType.HEARTBEAT_RESP, from);
    response.context = message.context;
    this.#send(response);
  }

  #onSnapshot(message: Message): StepResult {
    const { snapshot } = message;
    const config = snapshot === undefined ? undefined : configOf(snapshot.metadata.confState);
    if (snapshot === undefined || config === undefined) return "malformed";
    if (snapshot.metadata.term > message.term) return "malformed";
    const response = this.#message(MessageType.APP_RESP, message.from);
    response.index = this.#restore(snapshot, config) ? this.log.lastIndex() : this.log.committed;
    this.#send(response);
    return "ok";
  }

  /** Takes a snapshot for the whole state (thesis 5.1). Returns whether it was news. */
  #restore(snapshot: Snapshot, config: Config): boolean {
    const { index, term } = snapshot.metadata;
    if (index <= this.log.committed) return false;
    const isMember =
      config.incoming.has(this.id) || config.outgoing.has(this.id) || config.learners.has(this.id);
    if (!isMember) return false;
    if (this.log.matchesTerm(index, term)) {
      // The log is here already; only the commit index was behind.
      this.log.commitTo(index);
      return false;
    }
    this.log.restore(snapshot);
    this.#switchTo(config, new Set(this.tracker.ids));
    return true;
  }

  /* What the driver reports */

  #snapshotApplied(snapshot: Snapshot): void {
    const { index } = snapshot.metadata;
    this.log.unstable.snapshotStableTo(index);
    this.#appliedTo(Math.min(Math.max(index, this.log.applied), this.log.committed), 0);
  }

  #entriesApplied(entries: readonly Entry[]): void {
    const last = entries[entries.length - 1];
    if (last === undefined) return;
    let bytes = 0;
    let payload = 0;
    for (let at = 0; at < entries.length; at += 1) {
      const entry = entries[at] as Entry;
      bytes += sizeEntry(entry);
      payload += entry.data.length;
    }
    this.#appliedTo(Math.max(last.index, this.log.applied), bytes);
    // Counted from the leader's own start, so what older terms left may take it below zero.
    this.#uncommittedBytes = Math.max(0, this.#uncommittedBytes - payload);
  }

  #appliedTo(index: number, bytes: number): void {
    this.log.appliedTo(index, bytes);
    const isDue = this.tracker.config.autoLeave && index >= this.#pendingConfIndex;
    if (!isDue || this.role !== "leader") return;
    // Has no payload, so no limit refuses it. A transfer under way may: then it is tried again
    // with the next applied entry, or the new leader does it.
    const proposal = this.#local(MessageType.PROP);
    proposal.entries = [{ type: EntryType.CONF_CHANGE_V2, term: 0, index: 0, data: EMPTY }];
    this.step(proposal);
  }

  /* Configuration (thesis chapter 4) */

  /**
   * Puts a committed change into force and returns the configuration that then holds. A change that
   * does not fit leaves all as it is, on every member alike, and says why.
   */
  applyConfChange(change: ConfChangeV2): { confState: ConfState; refusal: string | undefined } {
    const outcome = applyConfChange(this.tracker.config, change);
    if (outcome.kind === "refused") {
      return { confState: this.tracker.confState(), refusal: outcome.reason };
    }
    this.#switchTo(outcome.config, outcome.joined);
    return { confState: this.tracker.confState(), refusal: undefined };
  }

  #nextForNewcomers(): number {
    // At first only the last entry is tried; the answer tells where the newcomer really is.
    return Math.max(this.log.lastIndex(), 1);
  }

  #switchTo(config: Config, joined: ReadonlySet<bigint>): void {
    this.tracker.switchTo(config, joined, this.#nextForNewcomers());
    if (this.role !== "leader") return;
    const own = this.tracker.progress(this.id);
    if (own === undefined || own.isLearner) {
      // Otherwise it leads on until the change is committed, without counting itself (4.2.2).
      if (this.#options.stepDownOnRemoval === true) this.becomeFollower(this.term, NONE);
      return;
    }
    if (config.incoming.size === 0) return;
    // Those whose answer was still missing may not be needed any more.
    this.#answerConfirmedReads();
    if (this.#tryCommit()) {
      // A smaller quorum may hold more than the one before.
      this.#releaseEarlyReads();
      this.#broadcastAppend();
    } else {
      for (const id of this.tracker.ids) {
        if (id !== this.id) this.#trySendAppend(id, this.tracker.progress(id) as Progress, false);
      }
    }
    if (this.leadTransferee !== NONE && !this.tracker.isVoter(this.leadTransferee)) {
      this.leadTransferee = NONE;
    }
  }

  /** Starts a new cluster's log: entries that are committed by decree (RA-06). */
  bootstrap(entries: readonly Entry[], changes: readonly ConfChangeV2[]): void {
    assert(this.log.lastIndex() === 0, "raft: only an empty log can be bootstrapped");
    this.becomeFollower(1, NONE);
    this.log.append(entries);
    this.log.commitTo(entries.length);
    for (const change of changes) {
      const { refusal } = this.applyConfChange(change);
      assert(refusal === undefined, "raft: the first members form a configuration");
    }
  }

  /* Messages out */

  #message(type: number, to: bigint): Message {
    return {
      type,
      to,
      from: this.id,
      term: 0,
      logTerm: 0,
      index: 0,
      entries: [],
      commit: 0,
      snapshot: undefined,
      reject: false,
      rejectHint: 0,
      context: EMPTY,
      vote: NONE,
    };
  }

  #send(message: Message): void {
    switch (message.type) {
      case MessageType.VOTE:
      case MessageType.PRE_VOTE:
        // Their term is that of the election, set by who made them.
        this.messages.push(message);
        return;
      case MessageType.VOTE_RESP:
      case MessageType.PRE_VOTE_RESP:
        this.messagesAfterAppend.push(message);
        return;
      case MessageType.APP_RESP:
        message.term = this.term;
        this.messagesAfterAppend.push(message);
        return;
      case MessageType.PROP:
      case MessageType.READ_INDEX:
        // Good in any term: they are passed on, and carry none.
        this.messages.push(message);
        return;
      default:
        message.term = this.term;
        this.messages.push(message);
    }
  }
}

function isFromLeader(type: number): boolean {
  return type === MessageType.APP || type === MessageType.HEARTBEAT || type === MessageType.SNAP;
}

/** Numbered without gaps after `index`, in terms that do not fall and do not pass the leader's. */
function isWellFormedAppend(message: Message): boolean {
  let term = message.logTerm;
  let index = message.index;
  const { entries } = message;
  for (let at = 0; at < entries.length; at += 1) {
    const entry = entries[at] as Entry;
    index += 1;
    if (entry.index !== index || entry.term < term) return false;
    term = entry.term;
  }
  return term <= message.term;
}

function isConfChange(entry: Entry): boolean {
  return entry.type === EntryType.CONF_CHANGE || entry.type === EntryType.CONF_CHANGE_V2;
}

/** What a CONF_CHANGE or CONF_CHANGE_V2 entry asks for; undefined when it is none, or garbled. */
export function decodeChange(entry: Entry): ConfChangeV2 | undefined {
  if (!isConfChange(entry)) return undefined;
  try {
    return entry.type === EntryType.CONF_CHANGE
      ? asConfChangeV2(decodeConfChange(entry.data))
      : decodeConfChangeV2(entry.data);
  } catch {
    return undefined;
  }
}

function checkOptions(options: RaftOptions): void {
  assert(options.id !== NONE, "raft: a member has an id");
  assert(options.heartbeatTimeoutTicks > 0, "raft: heartbeats are at least a tick apart");
  assert(
    options.electionTimeoutTicks > options.heartbeatTimeoutTicks,
    "raft: an election timeout spans several heartbeats",
  );
  assert(options.inflightMessagesMax > 0, "raft: something must be allowed in flight");
  assert(
    options.readOnly !== "leaseBased" || options.checkQuorum === true,
    "raft: reads by lease need checkQuorum",
  );
}
