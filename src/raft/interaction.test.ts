/**
 * Replays etcd's interaction scenarios: nodes with memory logs, one list of messages in flight, and
 * each Ready, message, state and refusal compared as text. Only log lines are left out.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import {
  type ConfState,
  type Entry,
  EntryType,
  type HardState,
  type Message,
  MessageType,
  type Snapshot,
} from "../wire/index.ts";
import { ConfChangeTransition } from "./conf-change.ts";
import { emptySnapshot, MemoryStorage } from "./memory-storage.ts";
import { decodeChange } from "./raft.ts";
import { RawNode } from "./raw-node.ts";
import {
  entryText,
  MESSAGE_TYPES,
  messageLines,
  progressText,
  readyLines,
  roleText,
} from "./scenario-text.test.ts";
import { type Directive, parseChanges, readScenario, scenarioFiles } from "./testdata.test.ts";
import { isStorageMessage, type StepResult, type StorageMessage } from "./types.ts";

/** Files whose lines are not yet equal, each with the reason. */
const NOT_YET_EQUAL = new Map<string, string>();

const LOG_LINE = /^ *(DEBUG|INFO|WARN|ERROR|FATAL) /;
const ELECTION_TICKS = 3;
const HEARTBEAT_TICKS = 1;
/** Turns after which `stabilize` must have come to rest. */
const TURNS_MAX = 1000;

const REFUSALS = new Map<StepResult, string>([
  ["proposalDropped", "raft proposal dropped"],
  ["peerNotFound", "raft: cannot step as peer not found"],
]);

/** A log in memory whose snapshots are those that the state machine makes, not those it took. */
class ScenarioStorage extends MemoryStorage {
  readonly history: Snapshot[] = [];

  override snapshot(): Snapshot | undefined {
    return this.history.at(-1);
  }
}

interface Node {
  readonly id: bigint;
  readonly raw: RawNode;
  readonly storage: ScenarioStorage;
  readonly isAsync: boolean;
  appendWork: StorageMessage[];
  applyWork: StorageMessage[];
}

class Scenario {
  readonly #nodes: Node[] = [];
  #messages: Message[] = [];
  #isQuiet = false;
  #indent = "";
  #lines: string[] = [];

  run(directive: Directive): string[] {
    this.#lines = [];
    this.#dispatch(directive);
    return this.#lines.length === 0 ? ["ok"] : this.#lines;
  }

  #print(...lines: readonly string[]): void {
    if (this.#isQuiet) return;
    for (const line of lines) this.#lines.push(this.#indent + line);
  }

  /** What is printed under `header`, two blanks further in. */
  #under(header: string, body: () => void): void {
    this.#print(header);
    const before = this.#indent;
    this.#indent += "  ";
    body();
    this.#indent = before;
  }

  #refusal(result: StepResult): void {
    if (result === "ok") return;
    const text = REFUSALS.get(result);
    assert.ok(text !== undefined, `unexpected ${result}`);
    this.#print(text);
  }

  #node(id: string | bigint | undefined): Node {
    const node = this.#nodes[Number(id) - 1];
    assert.ok(node !== undefined, `no node ${id}`);
    return node;
  }

  /** The nodes named, or all. */
  #named(directive: Directive): Node[] {
    if (directive.plain.length === 0) return [...this.#nodes];
    return directive.plain.map((id) => this.#node(id));
  }

  #dispatch(directive: Directive): void {
    const { plain, named } = directive;
    switch (directive.command) {
      case "log-level":
        this.#isQuiet = plain[0] === "none";
        return;
      case "add-nodes":
        return this.#addNodes(directive);
      case "campaign":
        return this.#node(plain[0]).raw.campaign();
      case "compact":
        this.#node(plain[0]).storage.compact(Number(plain[1]));
        return this.#printLog(this.#node(plain[0]));
      case "deliver-msgs":
        return this.#deliverNamed(directive);
      case "process-ready":
        return this.#eachNamed(directive, "handling Ready", (node) => this.#processReady(node));
      case "process-append-thread":
        return this.#eachNamed(directive, "processing append thread", (node) => {
          this.#processWork(node, node.appendWork.shift());
        });
      case "process-apply-thread":
        return this.#eachNamed(directive, "processing apply thread", (node) => {
          this.#processWork(node, node.applyWork.shift());
        });
      case "propose":
        return this.#refusal(this.#node(plain[0]).raw.propose(Buffer.from(plain[1] ?? "")));
      case "propose-conf-change":
        return this.#proposeConfChange(directive);
      case "stabilize":
        return this.#stabilizeAt(directive);
      case "tick-election":
        return this.#tick(this.#node(plain[0]), ELECTION_TICKS);
      case "tick-heartbeat":
        return this.#tick(this.#node(plain[0]), HEARTBEAT_TICKS);
      case "transfer-leadership":
        this.#refusal(
          this.#node(named.get("from")?.[0]).raw.transferLeader(BigInt(named.get("to")?.[0] ?? 0)),
        );
        return;
      case "forget-leader":
        return this.#node(plain[0]).raw.forgetLeader();
      case "report-unreachable":
        return this.#node(plain[0]).raw.reportUnreachable(BigInt(plain[1] ?? 0));
      case "set-randomized-election-timeout":
        this.#node(plain[0]).raw.raft.randomizedElectionTimeoutTicks = Number(
          named.get("timeout")?.[0],
        );
        return;
      default:
        this.#show(directive);
    }
  }

  #show(directive: Directive): void {
    switch (directive.command) {
      case "raft-log":
        return this.#printLog(this.#node(directive.plain[0]));
      case "raft-state":
        for (const { id, raw } of this.#nodes) {
          const { role, lead, term, tracker } = raw.raft;
          const kind = tracker.isVoter(id) ? "Voter" : "Non-Voter";
          this.#print(`${id}: ${roleText(role)} (${kind}) Term:${term} Lead:${lead}`);
        }
        return;
      case "status":
        for (const [id, progress] of this.#node(directive.plain[0]).raw.status().progress) {
          this.#print(`${id}: ${progressText(progress)}`);
        }
        return;
      default:
        assert.fail(`${directive.at}: unknown command ${directive.command}`);
    }
  }

  #printLog({ storage }: Node): void {
    const lo = storage.firstIndex();
    const hi = storage.lastIndex() + 1;
    if (lo === hi) {
      this.#print(`log is empty: first index=${lo}, last index=${hi - 1}`);
      return;
    }
    const entries = storage.entries(lo, hi, Number.POSITIVE_INFINITY);
    assert.ok(typeof entries !== "string");
    this.#print(...entries.map(entryText));
  }

  #addNodes({ plain, named }: Directive): void {
    const ids = (key: string): bigint[] => (named.get(key) ?? []).map(BigInt);
    const flag = (key: string): boolean => named.get(key)?.[0] === "true";
    const index = Number(named.get("index")?.[0] ?? 0);
    const confState: ConfState = {
      voters: ids("voters"),
      learners: ids("learners"),
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    };
    for (let count = Number(plain[0]); count > 0; count -= 1) {
      const id = BigInt(this.#nodes.length + 1);
      const storage = new ScenarioStorage();
      const data = Buffer.from(named.get("content")?.[0] ?? "");
      const snapshot =
        index === 0 ? emptySnapshot() : { data, metadata: { confState, index, term: 1 } };
      storage.applySnapshot(snapshot);
      storage.history.push(snapshot);
      const raw = new RawNode({
        id,
        storage,
        prng: new Prng(Number(id)),
        electionTimeoutTicks: ELECTION_TICKS,
        heartbeatTimeoutTicks: HEARTBEAT_TICKS,
        appliedIndex: index,
        appendBytesMax: Number.MAX_SAFE_INTEGER,
        applyingBytesMax: Number(named.get("max-committed-size-per-ready")?.[0] ?? 0),
        inflightMessagesMax: Number(named.get("inflight")?.[0] ?? 2 ** 31),
        readEpoch: id,
        asyncStorageWrites: flag("async-storage-writes"),
        preVote: flag("prevote"),
        checkQuorum: flag("checkquorum"),
        readOnly: named.get("read-only")?.[0] === "lease-based" ? "leaseBased" : "safe",
        stepDownOnRemoval: flag("step-down-on-removal"),
        disableConfChangeValidation: flag("disable-conf-change-validation"),
      });
      const isAsync = flag("async-storage-writes");
      this.#nodes.push({ id, raw, storage, isAsync, appendWork: [], applyWork: [] });
    }
  }

  #proposeConfChange({ plain, named, input }: Directive): void {
    const changes = parseChanges(input);
    const { raw } = this.#node(plain[0]);
    const context = Buffer.alloc(0);
    const [first] = changes;
    if (named.get("v1")?.[0] === "true" && first !== undefined) {
      this.#refusal(raw.proposeConfChange({ id: 0n, ...first, context }));
      return;
    }
    const transition = {
      auto: ConfChangeTransition.AUTO,
      implicit: ConfChangeTransition.JOINT_IMPLICIT,
      explicit: ConfChangeTransition.JOINT_EXPLICIT,
    }[named.get("transition")?.[0] ?? "auto"];
    assert.ok(transition !== undefined);
    this.#refusal(raw.proposeConfChangeV2({ transition, changes, context }));
  }

  #tick({ raw }: Node, ticks: number): void {
    for (let tick = 0; tick < ticks; tick += 1) raw.tick();
  }

  /** A header for each node, unless there is only one. */
  #eachNamed(directive: Directive, what: string, act: (node: Node) => void): void {
    const nodes = this.#named(directive);
    for (const node of nodes) {
      if (nodes.length === 1) act(node);
      else this.#under(`> ${node.id} ${what}`, () => act(node));
    }
  }

  #processReady(node: Node): void {
    const ready = node.raw.ready();
    this.#print(...readyLines(ready));
    if (!node.isAsync) {
      this.#save(node, ready.hardState, ready.entries, ready.snapshot);
      this.#apply(node, ready.committedEntries);
    }
    for (const message of ready.messages) {
      if (!isStorageMessage(message)) this.#messages.push(message);
      else if (message.type === MessageType.STORAGE_APPEND) node.appendWork.push(message);
      else node.applyWork.push(message);
    }
    if (!node.isAsync) node.raw.advance();
  }

  #processWork(node: Node, work: StorageMessage | undefined): void {
    if (work === undefined) {
      this.#print("no work to perform");
      return;
    }
    const { responses } = work;
    const request: StorageMessage = { ...work, responses: [] };
    this.#print("Processing:", ...messageLines(request), "Responses:");
    for (const response of responses) this.#print(...messageLines(response));
    if (work.type === MessageType.STORAGE_APPEND) {
      const { term, vote, commit } = work;
      const hasState = term !== 0 || vote !== 0n || commit !== 0;
      const hardState = hasState ? { term, vote, commit } : undefined;
      this.#save(node, hardState, work.entries, work.snapshot);
    } else {
      this.#apply(node, work.entries);
    }
    this.#messages.push(...responses);
  }

  #save(
    { storage }: Node,
    hardState: HardState | undefined,
    entries: readonly Entry[],
    snapshot: Snapshot | undefined,
  ): void {
    if (hardState !== undefined) storage.setHardState(hardState);
    if (snapshot !== undefined) {
      storage.applySnapshot(snapshot);
      storage.history.push(snapshot);
    }
    storage.append(entries);
  }

  /** The machine appends what is applied to its data, and makes a snapshot each time. */
  #apply({ raw, storage }: Node, entries: readonly Entry[]): void {
    for (const entry of entries) {
      const last = storage.history.at(-1);
      assert.ok(last !== undefined);
      let { confState } = last.metadata;
      let update = entry.data;
      if (entry.type !== EntryType.NORMAL) {
        const change = decodeChange(entry);
        assert.ok(change !== undefined);
        const applied = raw.applyConfChange(change);
        assert.equal(applied.refusal, undefined);
        confState = applied.confState;
        update = change.context;
      }
      const data = Buffer.concat([last.data, update]);
      storage.history.push({
        data,
        metadata: { confState, index: entry.index, term: entry.term },
      });
    }
  }

  #deliverNamed(directive: Directive): void {
    const dropped = (directive.named.get("drop") ?? []).map(BigInt);
    const type = directive.named.get("type")?.[0];
    for (const id of directive.plain) this.#deliver(BigInt(id), { isDropped: false, type });
    for (const id of dropped) this.#deliver(id, { isDropped: true, type });
  }

  #inbox(id: bigint): Message[] {
    return this.#messages.filter((message) => message.to === id);
  }

  #deliver(id: bigint, options: { isDropped: boolean; type: string | undefined }): void {
    const inbox = this.#inbox(id).filter(
      (message) => options.type === undefined || MESSAGE_TYPES.get(message.type) === options.type,
    );
    this.#messages = this.#messages.filter((message) => !inbox.includes(message));
    for (const message of inbox) {
      const lines = messageLines(message);
      if (options.isDropped) {
        this.#print(`dropped: ${lines[0]}`, ...lines.slice(1));
        continue;
      }
      this.#print(...lines);
      const node = this.#node(id);
      const isOwn = message.from === id || message.from > 0xffff_ffffn;
      this.#refusal(isOwn ? node.raw.deliver(message) : node.raw.step(message));
    }
  }

  #stabilizeAt(directive: Directive): void {
    const before = this.#isQuiet;
    const level = directive.named.get("log-level")?.[0];
    if (level !== undefined) this.#isQuiet = level === "none";
    this.#stabilize(this.#named(directive));
    this.#isQuiet = before;
  }

  #stabilize(nodes: readonly Node[]): void {
    for (let turn = 0; turn < TURNS_MAX; turn += 1) {
      let isAtRest = true;
      const on = (node: Node, what: string, body: () => void): void => {
        isAtRest = false;
        this.#under(`> ${node.id} ${what}`, body);
      };
      for (const node of nodes) {
        if (node.raw.hasReady()) on(node, "handling Ready", () => this.#processReady(node));
      }
      for (const node of nodes) {
        if (this.#inbox(node.id).length === 0) continue;
        on(node, "receiving messages", () => {
          this.#deliver(node.id, { isDropped: false, type: undefined });
        });
      }
      for (const node of nodes) {
        if (node.appendWork.length === 0) continue;
        on(node, "processing append thread", () => {
          while (node.appendWork.length > 0) this.#processWork(node, node.appendWork.shift());
        });
      }
      for (const node of nodes) {
        if (node.applyWork.length === 0) continue;
        on(node, "processing apply thread", () => {
          while (node.applyWork.length > 0) this.#processWork(node, node.applyWork.shift());
        });
      }
      if (isAtRest) return;
    }
    assert.fail("the nodes do not come to rest");
  }
}

/** The expected lines that are not log text; a command that printed nothing else said `ok`. */
function comparable(expected: readonly string[]): string[] {
  const lines = expected.filter((line) => !LOG_LINE.test(line));
  return lines.length === 0 ? ["ok"] : lines;
}

test("scenario files: all of etcd's are here, and message types have its names (RA-08)", () => {
  assert.equal(scenarioFiles("interaction").length, 23);
  assert.equal(scenarioFiles("quorum").length, 3);
  assert.equal(scenarioFiles("confchange").length, 8);
  assert.equal(MESSAGE_TYPES.get(4), "MsgAppResp");
  assert.equal(MESSAGE_TYPES.get(19), "MsgStorageAppend");
  // From 2 000 on they are what members of our own kind tell each other beside the consensus.
  assert.equal([...MESSAGE_TYPES.keys()].filter((type) => type < 2_000).length, 24);
});

for (const name of scenarioFiles("interaction")) {
  const todo = NOT_YET_EQUAL.get(name);
  const options = todo === undefined ? {} : { skip: todo };
  test(`interaction scenario ${name}: every Ready, message and state is etcd's`, options, () => {
    const scenario = new Scenario();
    for (const directive of readScenario("interaction", name)) {
      const lines = scenario.run(directive);
      assert.deepEqual(lines, comparable(directive.expected), directive.at);
    }
  });
}
