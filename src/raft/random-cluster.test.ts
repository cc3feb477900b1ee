/**
 * A cluster in one thread from one seed: messages lost, doubled and reordered, members that crash
 * and come back with what was durable, partitions, snapshots, changes of membership. After each
 * action what Raft promises is checked (thesis, figure 3.2).
 */
import assert from "node:assert/strict";
import { Prng } from "../base/index.ts";
import {
  type ConfChangeV2,
  type ConfState,
  type Entry,
  EntryType,
  type HardState,
  type Message,
  MessageType,
  type Snapshot,
} from "../wire/index.ts";
import { MemoryStorage } from "./memory-storage.ts";
import { decodeChange } from "./raft.ts";
import { RawNode } from "./raw-node.ts";
import type { Ready } from "./ready.ts";
import { type Evidence, isStorageMessage, type ReadState, type StorageMessage } from "./types.ts";

const FIRST_INDEX = 1;
const NETWORK_MAX = 400;
const EMPTY_STATE: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

/** What survives a crash: the log, and the machine with the configuration it has reached. */
class DurableState extends MemoryStorage {
  applied = 0;
  digest = 0;
  confState: ConfState = EMPTY_STATE;

  override initialState(): { hardState: HardState; confState: ConfState } {
    return { hardState: super.initialState().hardState, confState: this.confState };
  }

  override snapshot(): Snapshot {
    const term = this.term(this.applied) ?? 0;
    const metadata = { confState: this.confState, index: this.applied, term };
    return { data: Buffer.from(String(this.digest)), metadata };
  }
}

class Member {
  readonly id: bigint;
  readonly state = new DurableState();
  raw!: RawNode;
  isDown = false;
  appendWork: StorageMessage[] = [];
  applyWork: StorageMessage[] = [];

  constructor(id: bigint) {
    this.id = id;
  }
}

export interface ClusterOptions {
  readonly seed: number;
  /** Members that may exist. */
  readonly size: number;
  /** `joint` includes changes of several members at once, and of who leads. */
  readonly changes: "none" | "simple" | "joint";
}

export class RandomCluster {
  readonly prng: Prng;
  readonly members: Member[] = [];
  readonly evidence: Evidence[] = [];
  readonly readStates: { readonly id: bigint; readonly read: ReadState }[] = [];
  readonly #options: ClusterOptions;
  readonly #isAsync: boolean;
  readonly #preVote: boolean;
  readonly #checkQuorum: boolean;
  #network: Message[] = [];
  #cut = new Set<bigint>();
  #isQuiet = false;
  #proposals = 0;
  /** Term -> who led it. */
  readonly #leaders = new Map<number, bigint>();
  /** Index -> the entry that was applied there first, and the lowest term that knew. */
  readonly applied = new Map<number, { term: number; data: string; knownInTerm: number }>();
  readonly #digests = new Map<number, number>();
  /** Reads asked: context -> commit index that was known to some member then. */
  readonly #reads = new Map<string, number>();
  readsAnswered = 0;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.prng = new Prng(options.seed);
    this.#isAsync = this.prng.chance(0.5);
    this.#preVote = this.prng.chance(0.5);
    this.#checkQuorum = this.prng.chance(0.5);
    const voters = options.changes === "none" ? options.size : 3;
    const ids = Array.from({ length: options.size }, (_, at) => BigInt(at + 1));
    const confState = { ...EMPTY_STATE, voters: ids.slice(0, voters) };
    for (const id of ids) {
      const member = new Member(id);
      if (ids.indexOf(id) < voters) {
        const metadata = { confState, index: FIRST_INDEX, term: 1 };
        this.#restore(member, { data: Buffer.from("0"), metadata });
      }
      this.#start(member);
      this.members.push(member);
    }
  }

  #start(member: Member): void {
    member.isDown = false;
    member.appendWork = [];
    member.applyWork = [];
    member.raw = new RawNode({
      id: member.id,
      storage: member.state,
      prng: new Prng(this.prng.uint32()),
      electionTimeoutTicks: 5,
      heartbeatTimeoutTicks: 1,
      appliedIndex: member.state.applied,
      appendBytesMax: 40,
      applyingBytesMax: 64,
      uncommittedBytesMax: 400,
      inflightMessagesMax: 3,
      inflightBytesMax: 100,
      pendingReadsMax: 8,
      readEpoch: BigInt(this.prng.uint32()),
      asyncStorageWrites: this.#isAsync,
      preVote: this.#preVote,
      checkQuorum: this.#checkQuorum,
      stepDownOnRemoval: true,
    });
  }

  leader(): Member | undefined {
    const leaders = this.members.filter(({ raw, isDown }) => !isDown && raw.raft.role === "leader");
    return leaders.sort((a, b) => b.raw.raft.term - a.raw.raft.term)[0];
  }

  /** One random thing happens. */
  act(): void {
    const member = this.prng.pick(this.members);
    // Faults pass, so that most of the time the cluster is at work.
    if (member.isDown && this.prng.chance(0.05)) this.#start(member);
    if (this.#cut.size > 0 && this.prng.chance(0.005)) this.#cut.clear();
    const dice = this.prng.below(1000);
    if (dice < 40) this.#tick(member);
    else if (dice < 480) this.#deliverAny();
    else if (dice < 900) this.#work(member);
    else if (dice < 950) this.#propose(member);
    else if (dice < 970) this.#askRead(member);
    else if (dice < 971) this.#crash(member);
    else if (dice < 981) this.#compact(member);
    else if (dice < 982) this.#partition();
    else if (dice < 984) member.raw.transferLeader(this.prng.pick(this.members).id);
    else if (this.#options.changes !== "none") this.#changeMembers(member);
    for (const other of this.members) this.#checkMember(other);
  }

  #tick(member: Member): void {
    if (!member.isDown) member.raw.tick();
  }

  #propose(member: Member): void {
    if (member.isDown) return;
    this.#proposals += 1;
    member.raw.propose(Buffer.from(`p${this.#proposals}${"x".repeat(this.prng.below(20))}`));
  }

  #askRead(member: Member): void {
    if (member.isDown) return;
    const context = `r${this.#reads.size}`;
    this.#reads.set(context, Math.max(...this.members.map(({ raw }) => raw.raft.log.committed)));
    member.raw.readIndex(Buffer.from(context));
  }

  #crash(member: Member): void {
    const down = this.members.filter(({ isDown }) => isDown).length;
    if ((down + 1) * 2 < this.members.length) member.isDown = true;
  }

  #compact({ state }: Member): void {
    if (state.applied < state.firstIndex() || state.applied > state.lastIndex()) return;
    state.compact(state.applied - this.prng.below(4));
  }

  #partition(): void {
    const count = 1 + this.prng.below(2);
    this.#cut = new Set(Array.from({ length: count }, () => this.prng.pick(this.members).id));
  }

  #changeMembers(member: Member): void {
    if (member.isDown) return;
    const isJoint = this.#options.changes === "joint";
    const { incoming } = member.raw.raft.tracker.config;
    // With two voters, a leader that removes itself can leave the other one behind for good.
    const types = isJoint || incoming.size > 3 ? [0, 0, 1, 3] : [0];
    const changes = Array.from({ length: isJoint ? this.prng.below(3) : 1 }, () => {
      return { type: this.prng.pick(types), nodeId: this.prng.pick(this.members).id };
    });
    const transition = isJoint ? this.prng.below(3) : 0;
    const change: ConfChangeV2 = { transition, changes, context: Buffer.alloc(0) };
    member.raw.proposeConfChangeV2(change);
  }

  /* Network */

  #send(message: Message): void {
    const isCut = this.#cut.has(message.from) !== this.#cut.has(message.to);
    const isLost = isCut || this.#network.length >= NETWORK_MAX;
    if (!this.#isQuiet && (isLost || this.prng.chance(0.1))) {
      this.#reportSnapshot(message, true);
      return;
    }
    this.#network.push(message);
  }

  #reportSnapshot(message: Message, isFailure: boolean): void {
    if (message.type !== MessageType.SNAP) return;
    const sender = this.#member(message.from);
    if (!sender.isDown) sender.raw.reportSnapshot(message.to, isFailure);
  }

  #member(id: bigint): Member {
    return this.members[Number(id) - 1] as Member;
  }

  #deliverAny(): void {
    if (this.#network.length === 0) return;
    const at = this.#isQuiet ? 0 : this.prng.below(this.#network.length);
    const message = this.#network[at] as Message;
    if (this.#isQuiet || this.prng.chance(0.9)) this.#network.splice(at, 1);
    const target = this.#member(message.to);
    if (target.isDown) return this.#reportSnapshot(message, true);
    target.raw.step(message);
    this.#reportSnapshot(message, false);
  }

  /* What a driver does */

  #work(member: Member): void {
    if (member.isDown) return;
    const append = this.prng.chance(0.5) ? member.appendWork.shift() : undefined;
    if (append !== undefined) return this.#doAppend(member, append);
    const apply = this.prng.chance(0.5) ? member.applyWork.shift() : undefined;
    if (apply !== undefined) return this.#doApply(member, apply);
    if (member.raw.hasReady()) this.#doReady(member, member.raw.ready());
  }

  #doReady(member: Member, ready: Ready): void {
    this.evidence.push(...ready.evidence);
    for (const read of ready.readStates) this.#checkRead(read);
    if (this.#isAsync) {
      for (const message of ready.messages) {
        if (!isStorageMessage(message)) this.#send(message);
        else if (message.type === MessageType.STORAGE_APPEND) member.appendWork.push(message);
        else member.applyWork.push(message);
      }
      return;
    }
    this.#save(member, ready.hardState, ready.entries, ready.snapshot);
    if (!this.#isQuiet && this.prng.chance(0.002)) {
      this.#crash(member);
      if (member.isDown) return;
    }
    for (const message of ready.messages) this.#send(message);
    for (const entry of ready.committedEntries) this.#apply(member, entry);
    member.raw.advance();
  }

  #doAppend(member: Member, work: StorageMessage): void {
    const { term, vote, commit } = work;
    const hasState = term !== 0 || vote !== 0n || commit !== 0;
    this.#save(member, hasState ? { term, vote, commit } : undefined, work.entries, work.snapshot);
    this.#answer(member, work);
  }

  #doApply(member: Member, work: StorageMessage): void {
    for (const entry of work.entries) this.#apply(member, entry);
    this.#answer(member, work);
  }

  #answer(member: Member, { responses }: StorageMessage): void {
    for (const response of responses) {
      if (response.to === member.id) member.raw.deliver(response);
      else this.#send(response);
    }
  }

  #save(
    member: Member,
    hardState: HardState | undefined,
    entries: readonly Entry[],
    snapshot: Snapshot | undefined,
  ): void {
    if (hardState !== undefined) member.state.setHardState(hardState);
    if (snapshot !== undefined) this.#restore(member, snapshot);
    member.state.append(entries);
  }

  #restore({ state }: Member, snapshot: Snapshot): void {
    state.applySnapshot(snapshot);
    const { index, confState } = snapshot.metadata;
    if (index <= state.applied) return;
    state.applied = index;
    state.confState = confState;
    state.digest = Number(snapshot.data.toString());
    this.#checkDigest(index, state.digest);
  }

  #apply(member: Member, entry: Entry): void {
    const { state } = member;
    if (entry.index <= state.applied) return;
    assert.equal(entry.index, state.applied + 1, "entries are applied without gaps");
    state.applied = entry.index;
    const data = entry.data.toString("latin1");
    for (const byte of Buffer.from(`${entry.term}${entry.type}${data}`)) {
      state.digest = (Math.imul(state.digest, 31) + byte) | 0;
    }
    const knownInTerm = member.raw.raft.term;
    const known = this.applied.get(entry.index);
    if (known === undefined) {
      this.applied.set(entry.index, { term: entry.term, data, knownInTerm });
    } else {
      assert.equal(entry.term, known.term, "state machine safety: the same term at an index");
      assert.equal(data, known.data, "state machine safety: the same entry at an index");
      known.knownInTerm = Math.min(known.knownInTerm, knownInTerm);
    }
    this.#checkDigest(entry.index, state.digest);
    const change = entry.type === EntryType.NORMAL ? undefined : decodeChange(entry);
    if (change !== undefined) state.confState = member.raw.applyConfChange(change).confState;
  }

  /* What Raft promises (thesis, figure 3.2) */

  #checkDigest(index: number, digest: number): void {
    const known = this.#digests.get(index) ?? digest;
    assert.equal(digest, known, "state machine safety: the same state at an index");
    this.#digests.set(index, digest);
  }

  #checkRead({ index, context }: ReadState): void {
    const committed = this.#reads.get(context.toString());
    assert.ok(committed !== undefined, "a read that somebody asked");
    this.readsAnswered += 1;
    assert.ok(index >= committed, "a read sees all that was committed when it was asked");
  }

  #checkMember(member: Member): void {
    if (member.isDown) return;
    const { raft } = member.raw;
    const { log } = raft;
    assert.ok(log.applied <= log.applying);
    assert.ok(log.applying <= log.committed);
    assert.ok(log.committed <= log.lastIndex());
    if (raft.role !== "leader") return;
    const known = this.#leaders.get(raft.term);
    if (known === member.id) return;
    assert.equal(known, undefined, "election safety: one leader a term");
    this.#leaders.set(raft.term, member.id);
    for (const [index, { term, knownInTerm }] of this.applied) {
      if (knownInTerm >= raft.term || index < log.firstIndex()) continue;
      assert.equal(log.term(index), term, "leader completeness: what is committed is in its log");
    }
  }

  /** Two logs that agree at an index agree in all that is before it. */
  checkLogMatching(): void {
    for (const one of this.members) {
      for (const other of this.members) {
        if (one.isDown || other.isDown || one.id >= other.id) continue;
        const a = one.raw.raft.log;
        const b = other.raw.raft.log;
        const lo = Math.max(a.firstIndex(), b.firstIndex());
        let isMatched = false;
        for (let at = Math.min(a.lastIndex(), b.lastIndex()); at >= lo; at -= 1) {
          const isSame = a.term(at) === b.term(at);
          if (isMatched) assert.ok(isSame, "log matching: equal at an index, equal before it");
          if (!isSame) continue;
          isMatched = true;
          assert.deepEqual(a.slice(at, at + 1, 1), b.slice(at, at + 1, 1), "log matching");
        }
      }
    }
  }

  /** No more faults: all work is done and time goes on until `isDone`. Returns whether it was. */
  calm(turns: number, isDone: () => boolean): boolean {
    this.#isQuiet = true;
    this.#cut.clear();
    for (const member of this.members) if (member.isDown) this.#start(member);
    for (let turn = 0; turn < turns; turn += 1) {
      for (const member of this.members) member.raw.tick();
      for (let round = 0; round < 20; round += 1) {
        for (const member of this.members) this.#finishWork(member);
        while (this.#network.length > 0) this.#deliverAny();
      }
      for (const member of this.members) this.#checkMember(member);
      if (isDone()) return true;
    }
    return false;
  }

  #finishWork(member: Member): void {
    for (let turn = 0; turn < 100; turn += 1) {
      const append = member.appendWork.shift();
      if (append !== undefined) this.#doAppend(member, append);
      const apply = member.applyWork.shift();
      if (apply !== undefined) this.#doApply(member, apply);
      const hasReady = member.raw.hasReady();
      if (hasReady) this.#doReady(member, member.raw.ready());
      if (append === undefined && apply === undefined && !hasReady) return;
    }
  }
}
