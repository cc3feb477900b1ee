/**
 * One member's consensus as a machine of few states: what it has been told, in order, decides what
 * it is. States that look alike in everything that matters are one, so that a cluster's state is
 * three small numbers and what is on the wire, and each step of each member is computed only once.
 */
import { Prng } from "../../src/base/index.ts";
import {
  decodeChange,
  isStorageMessage,
  MemoryStorage,
  RawNode,
  type StorageMessage,
} from "../../src/raft/index.ts";
import {
  type ConfChangeV2,
  type ConfState,
  emptyRaftMessage,
  encodeConfChangeV2,
  type Entry,
  EntryType,
  marshal,
  type Message,
  MessageType,
} from "../../src/wire/index.ts";

export const VOTERS = [1n, 2n, 3n];

/** Something that happens to one member. */
export type Input =
  | { readonly kind: "campaign" | "beat" | "persist" | "crash" }
  | { readonly kind: "propose"; readonly data: string }
  | { readonly kind: "deliver"; readonly message: Message };

/** What can be seen of a member from outside. */
export interface View {
  readonly role: string;
  readonly term: number;
  /** Term and content of each entry, from FIRST_INDEX + 1 on. */
  readonly log: readonly string[];
  /** Entries of `log` that it takes for committed. */
  readonly committed: number;
  /** Writes that have not reached the disk. */
  readonly pendingWrites: number;
}

export interface LocalState {
  readonly id: number;
  readonly history: readonly Input[];
  readonly view: View;
  readonly steps: Map<string, LocalStep>;
}

export interface LocalStep {
  readonly next: LocalState;
  readonly sent: readonly Message[];
  /** What a correct member never shows. */
  readonly breach: string | undefined;
}

export interface LocalOptions {
  /** Writes reach the disk in steps of their own, so that a crash may lose them. */
  readonly separateWrites: boolean;
  readonly preVote: boolean;
  /** Entry bytes in one append; at least one entry always goes. */
  readonly appendBytesMax: number;
  /** What members find on their disks at first, by position; missing = nothing. */
  readonly disks: readonly StartDisk[];
}

export interface StartDisk {
  readonly term: number;
  /** The entries after the first: their terms, or a change of the configuration. */
  readonly log: readonly (number | { readonly term: number; readonly change: ConfChangeV2 })[];
  /** How many of them are known to be committed, and are applied. */
  readonly applied?: number;
  /** What holds then; missing = all three are voters. */
  readonly config?: {
    readonly voters: readonly bigint[];
    readonly votersOutgoing: readonly bigint[];
  };
}

/** Where every log begins: one entry that all have. */
const FIRST_INDEX = 1;

export class LocalNode {
  readonly id: bigint;
  readonly #options: LocalOptions;
  readonly #byKey = new Map<string, LocalState>();
  readonly first: LocalState;

  constructor(id: bigint, options: LocalOptions) {
    this.id = id;
    this.#options = options;
    const run = new Run(id, options);
    this.first = this.#intern(run, []);
  }

  get stateCount(): number {
    return this.#byKey.size;
  }

  step(state: LocalState, name: string, input: Input): LocalStep {
    const known = state.steps.get(name);
    if (known !== undefined) return known;
    const run = new Run(this.id, this.#options);
    for (const earlier of state.history) run.take(earlier);
    run.sent = [];
    const breach = breachOf(() => run.take(input)) ?? run.evidence[0];
    const next = this.#intern(run, [...state.history, input]);
    const step = { next, sent: run.sent, breach };
    state.steps.set(name, step);
    return step;
  }

  #intern(run: Run, history: readonly Input[]): LocalState {
    const key = run.key;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const state = { id: this.#byKey.size, history, view: run.view, steps: new Map() };
    this.#byKey.set(key, state);
    return state;
  }
}

function breachOf(run: () => void): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return `assertion: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** A member being run through its inputs. */
class Run {
  sent: Message[] = [];
  evidence: string[] = [];
  readonly #id: bigint;
  readonly #options: LocalOptions;
  readonly #storage: Log;
  #node: RawNode;
  #writes: StorageMessage[] = [];
  /** Answers to its candidacy, which the node keeps to itself. */
  #votes = new Set<string>();

  constructor(id: bigint, options: LocalOptions) {
    this.#id = id;
    this.#options = options;
    this.#storage = new Log(options.disks[Number(id) - 1]);
    this.#node = this.#start();
  }

  #start(): RawNode {
    return new RawNode({
      id: this.#id,
      storage: this.#storage,
      prng: new Prng(1),
      electionTimeoutTicks: 10,
      heartbeatTimeoutTicks: 1,
      appliedIndex: this.#storage.applied,
      appendBytesMax: this.#options.appendBytesMax,
      applyingBytesMax: 1_000,
      inflightMessagesMax: 8,
      readEpoch: 1n,
      asyncStorageWrites: true,
      preVote: this.#options.preVote,
    });
  }

  take(input: Input): void {
    const before = this.#node.raft.term;
    switch (input.kind) {
      case "campaign":
        this.#node.campaign();
        break;
      case "beat":
        this.#node.raft.step(local(MessageType.BEAT, this.#id));
        break;
      case "propose":
        this.#node.propose(Buffer.from(input.data));
        break;
      case "deliver":
        this.#noteVote(input.message);
        this.#node.step({ ...input.message });
        break;
      case "persist":
        this.#write(this.#writes.shift());
        break;
      default:
        this.#writes = [];
        this.#node = this.#start();
    }
    if (this.#node.raft.term !== before) this.#votes.clear();
    this.#work();
    if (!this.#node.raft.role.includes("andidate")) this.#votes.clear();
  }

  #noteVote({ type, from, reject }: Message): void {
    const isAnswer = type === MessageType.VOTE_RESP || type === MessageType.PRE_VOTE_RESP;
    if (isAnswer) this.#votes.add(`${type}:${from}:${reject}`);
  }

  #work(): void {
    for (;;) {
      if (!this.#options.separateWrites) {
        for (const write of this.#writes.splice(0)) this.#write(write);
      }
      if (!this.#node.hasReady()) return;
      const ready = this.#node.ready();
      this.evidence.push(...ready.evidence.map(({ kind }) => `evidence: ${kind}`));
      for (const message of ready.messages) {
        if (!isStorageMessage(message)) this.sent.push(message);
        else if (message.type === MessageType.STORAGE_APPEND) this.#writes.push(message);
        else this.#apply(message);
      }
    }
  }

  /** A change that holds is not forgotten: it is durable with the state that it is part of. */
  #apply(work: StorageMessage): void {
    for (const entry of work.entries) {
      const change = decodeChange(entry);
      if (change === undefined || entry.index <= this.#storage.applied) continue;
      this.#storage.confState = this.#node.applyConfChange(change).confState;
      this.#storage.applied = entry.index;
    }
    this.#answer(work);
  }

  #write(work: StorageMessage | undefined): void {
    if (work === undefined) return;
    const { term, vote, commit } = work;
    const hasState = term !== 0 || vote !== 0n || commit !== 0;
    if (hasState) this.#storage.save({ term, vote, commit });
    this.#storage.append(work.entries);
    this.#answer(work);
  }

  #answer({ responses }: StorageMessage): void {
    for (const response of responses) {
      if (response.to !== this.#id) this.sent.push(response);
      else {
        this.#noteVote(response);
        this.#node.deliver(response);
      }
    }
  }

  #entries(): string[] {
    const { log } = this.#node.raft;
    const slice = log.slice(log.firstIndex(), log.lastIndex() + 1, 1_000_000);
    if (typeof slice === "string") throw new Error(`the log is ${slice}`);
    return slice.map(({ term, data }) => `${term}${data.toString()}`);
  }

  get view(): View {
    const { role, term, log } = this.#node.raft;
    return {
      role,
      term,
      log: this.#entries(),
      committed: log.committed - FIRST_INDEX,
      pendingWrites: this.#writes.length,
    };
  }

  /** Equal for two members that will do the same from now on, whatever happens. */
  get key(): string {
    const { raft } = this.#node;
    const { log, tracker } = raft;
    const { unstable } = log;
    const progress = tracker.ids.map((id) => {
      const { state, match, next, sentCommit, isFlowPaused, inflights, isRecentlyActive } =
        tracker.progress(id) ?? {};
      return [state, match, next, sentCommit, isFlowPaused, inflights?.count, isRecentlyActive];
    });
    return JSON.stringify([
      [raft.role, raft.term, String(raft.vote), String(raft.lead)],
      [log.committed, log.applied, log.applying, unstable.offset, unstable.inProgressTo],
      this.#entries(),
      raft.role === "leader" ? progress : [...this.#votes].sort(),
      this.#storage.text,
      [...tracker.config.incoming, "/", ...tracker.config.outgoing].join(" "),
      this.#writes.map((work) => [textOf(work), work.responses.map(textOf)]),
    ]);
  }
}

/** What survives a crash. */
class Log extends MemoryStorage {
  confState: ConfState;
  /** Of the last change of the configuration that holds. */
  applied: number;
  #saved = "";

  constructor(disk: StartDisk = { term: 1, log: [] }) {
    super();
    const none = { learners: [], learnersNext: [], autoLeave: false };
    const first = { ...none, voters: [...VOTERS], votersOutgoing: [] };
    const { voters, votersOutgoing } = disk.config ?? first;
    this.confState = { ...none, voters: [...voters], votersOutgoing: [...votersOutgoing] };
    this.applied = FIRST_INDEX + (disk.applied ?? 0);
    const metadata = { confState: first, index: FIRST_INDEX, term: 1 };
    this.applySnapshot({ data: Buffer.alloc(0), metadata });
    this.save({ term: disk.term, vote: 0n, commit: this.applied });
    this.append(disk.log.map((content, at) => entryOf(content, FIRST_INDEX + 1 + at)));
  }

  override initialState(): ReturnType<MemoryStorage["initialState"]> {
    return { hardState: super.initialState().hardState, confState: this.confState };
  }

  save(state: { term: number; vote: bigint; commit: number }): void {
    this.setHardState(state);
    this.#saved = `${state.term} ${state.vote} ${state.commit}`;
  }

  get text(): string {
    const entries = this.entries(this.firstIndex(), this.lastIndex() + 1, 1_000_000);
    const log = entries === "compacted" ? [] : entries;
    return `${this.#saved} ${this.applied} ${log.map(({ term, data }) => `${term}${data.toString()}`).join(" ")}`;
  }
}

function entryOf(content: StartDisk["log"][number], index: number): Entry {
  if (typeof content === "number") {
    return { type: EntryType.NORMAL, term: content, index, data: Buffer.alloc(0) };
  }
  const data = marshal(encodeConfChangeV2, content.change);
  return { type: EntryType.CONF_CHANGE_V2, term: content.term, index, data };
}

/** Everything in a message that a member looks at. */
export function textOf(message: Message): string {
  const { type, from, to, term, logTerm, index, commit, reject, rejectHint, entries, vote } =
    message;
  const content = entries.map((entry) => `${entry.index}.${entry.term}${entry.data.toString()}`);
  return `${type} ${from}>${to} ${term} ${logTerm}/${index} ${commit} ${vote} ${reject} ${rejectHint} ${content.join(",")}`;
}

function local(type: number, from: bigint): Message {
  return { ...emptyRaftMessage(), type, from };
}
