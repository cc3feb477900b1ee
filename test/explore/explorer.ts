/**
 * Every state that three members can reach in so many steps, whatever order messages come in,
 * whichever are lost or come twice, and whoever crashes: breadth first, each state once. In each,
 * what Raft promises is checked (thesis, figure 3.2).
 *
 * A message on the wire may be delivered at any later time or never. Those that change nothing any
 * more, since their receiver has left their term or their question behind, are taken off.
 */
import { type Message, MessageType } from "../../src/wire/index.ts";
import {
  type Input,
  LocalNode,
  type LocalOptions,
  type LocalState,
  textOf,
  type View,
  VOTERS,
} from "./local-node.ts";

export interface ExploreOptions extends LocalOptions {
  readonly depthMax: number;
  /** States after which it gives up. */
  readonly statesMax: number;
  /** Wall time after which it gives up. */
  readonly secondsMax: number;
  readonly termMax: number;
  readonly proposalsMax: number;
  readonly crashesMax: number;
  /** Messages that come once more. */
  readonly duplicatesMax: number;
  readonly beatsMax: number;
}

export interface Exploration {
  readonly states: number;
  /** Steps that led to known states are counted too. */
  readonly steps: number;
  /** All states up to this depth were seen. */
  readonly depth: number;
  /** There are no more states at all within the bounds. */
  readonly isComplete: boolean;
  readonly localStates: number;
  readonly breach: { readonly text: string; readonly path: readonly string[] } | undefined;
}

interface State {
  readonly locals: readonly LocalState[];
  /** Ids of messages, ascending. */
  readonly wire: readonly number[];
  readonly left: Budget;
  /** By term: the position of who led it. */
  readonly leaders: readonly (number | undefined)[];
  /** The longest log that any member took for committed. */
  readonly committed: readonly string[];
  readonly parent: State | undefined;
  readonly action: string;
}

interface Budget {
  readonly proposals: number;
  readonly crashes: number;
  readonly duplicates: number;
  readonly beats: number;
}

export function explore(options: ExploreOptions): Exploration {
  return new Explorer(options).run();
}

class Explorer {
  readonly #options: ExploreOptions;
  readonly #nodes: readonly LocalNode[];
  readonly #messages: Message[] = [];
  readonly #messageIds = new Map<string, number>();
  readonly #seen = new Set<string>();
  readonly #matched = new Map<string, string | undefined>();
  #next: State[] = [];
  #steps = 0;
  #breach: Exploration["breach"];

  constructor(options: ExploreOptions) {
    this.#options = options;
    this.#nodes = VOTERS.map((id) => new LocalNode(id, options));
  }

  run(): Exploration {
    const { depthMax, statesMax, secondsMax } = this.#options;
    const endMs = performance.now() + secondsMax * 1_000;
    let frontier = [this.#first()];
    let depth = 0;
    let isComplete = false;
    while (depth < depthMax && this.#breach === undefined) {
      this.#next = [];
      for (const state of frontier) {
        this.#expand(state);
        const isOver = this.#seen.size > statesMax || performance.now() > endMs;
        if (this.#breach !== undefined || isOver) return this.#result(depth, false);
      }
      isComplete = this.#next.length === 0;
      if (isComplete) break;
      frontier = this.#next;
      depth += 1;
    }
    return this.#result(depth, isComplete);
  }

  #result(depth: number, isComplete: boolean): Exploration {
    const localStates = this.#nodes.reduce((sum, node) => sum + node.stateCount, 0);
    const { size } = this.#seen;
    return {
      states: size,
      steps: this.#steps,
      depth,
      isComplete,
      localStates,
      breach: this.#breach,
    };
  }

  #first(): State {
    const { proposalsMax, crashesMax, duplicatesMax, beatsMax } = this.#options;
    const state: State = {
      locals: this.#nodes.map(({ first }) => first),
      wire: [],
      left: {
        proposals: proposalsMax,
        crashes: crashesMax,
        duplicates: duplicatesMax,
        beats: beatsMax,
      },
      leaders: [],
      committed: [],
      parent: undefined,
      action: "start",
    };
    this.#seen.add(keyOf(state));
    return state;
  }

  #expand(state: State): void {
    const { left, locals } = state;
    for (const [at, { view }] of locals.entries()) {
      if (this.#breach !== undefined) return;
      // All are alike at first, so that it does not matter who begins.
      const isAlike = this.#options.disks.length === 0;
      const mayStand = state.parent !== undefined || at === 0 || !isAlike;
      if (view.role !== "leader" && view.term < this.#options.termMax && mayStand) {
        this.#happen(state, at, "campaign", { kind: "campaign" });
      }
      if (view.role === "leader" && left.proposals > 0) {
        const data = `p${left.proposals}`;
        const spent = { ...left, proposals: left.proposals - 1 };
        this.#happen(state, at, `propose ${data}`, { kind: "propose", data }, spent);
      }
      if (view.role === "leader" && left.beats > 0) {
        this.#happen(state, at, "beat", { kind: "beat" }, { ...left, beats: left.beats - 1 });
      }
      if (view.pendingWrites > 0) this.#happen(state, at, "persist", { kind: "persist" });
      if (left.crashes > 0 && state.parent !== undefined) {
        const spent = { ...left, crashes: left.crashes - 1 };
        this.#happen(state, at, "crash", { kind: "crash" }, spent);
      }
    }
    for (const id of state.wire) this.#deliver(state, id);
  }

  #deliver(state: State, id: number): void {
    const message = this.#messages[id] as Message;
    const at = Number(message.to) - 1;
    const name = `deliver ${id}`;
    const input: Input = { kind: "deliver", message };
    const rest = { ...state, wire: state.wire.filter((other) => other !== id) };
    this.#happen(rest, at, name, input, state.left, state);
    if (state.left.duplicates > 0) {
      const spent = { ...state.left, duplicates: state.left.duplicates - 1 };
      this.#happen(state, at, name, input, spent);
    }
  }

  #happen(
    state: State,
    at: number,
    name: string,
    input: Input,
    left: Budget = state.left,
    parent: State = state,
  ): void {
    if (this.#breach !== undefined) return;
    this.#steps += 1;
    const { next, sent, breach } = (this.#nodes[at] as LocalNode).step(
      state.locals[at] as LocalState,
      name,
      input,
    );
    const locals = state.locals.with(at, next);
    const action = `member ${at + 1}: ${input.kind === "deliver" ? textOf(input.message) : name}`;
    const wire = this.#wire(state.wire, sent, locals);
    const made = { ...this.#checked(state, locals, at), locals, wire, left, parent, action };
    if (breach !== undefined) this.#broken(breach, made);
    const key = keyOf(made);
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#next.push(made);
    if (this.#pendingBreach !== undefined) this.#broken(this.#pendingBreach, made);
  }

  #pendingBreach: string | undefined;

  #broken(text: string, state: State): void {
    const path: string[] = [];
    for (let at: State | undefined = state; at !== undefined; at = at.parent) path.push(at.action);
    this.#breach ??= { text, path: path.reverse() };
  }

  #wire(
    wire: readonly number[],
    sent: readonly Message[],
    locals: readonly LocalState[],
  ): number[] {
    const ids = new Set(wire);
    for (const message of sent) {
      const text = textOf(message);
      let id = this.#messageIds.get(text);
      if (id === undefined) {
        id = this.#messages.length;
        this.#messages.push(message);
        this.#messageIds.set(text, id);
      }
      ids.add(id);
    }
    const isAlive = (id: number): boolean => {
      const message = this.#messages[id] as Message;
      return !isDead(message, (locals[Number(message.to) - 1] as LocalState).view);
    };
    return [...ids].filter(isAlive).sort((a, b) => a - b);
  }

  /** What is known of the past after a step of the member at `at`, and whether it may be so. */
  #checked(
    state: State,
    locals: readonly LocalState[],
    at: number,
  ): Pick<State, "leaders" | "committed"> {
    let { leaders, committed } = state;
    this.#pendingBreach = undefined;
    const fail = (text: string): void => {
      this.#pendingBreach ??= text;
    };
    const { view } = locals[at] as LocalState;
    if (view.role === "leader" && leaders[view.term] !== at) {
      if (leaders[view.term] !== undefined) fail(`election safety: two leaders in ${view.term}`);
      const isComplete = committed.every((entry, index) => view.log[index] === entry);
      if (!isComplete)
        fail(`leader completeness: ${view.log.join(" ")} lacks ${committed.join(" ")}`);
      const more = [...leaders];
      more[view.term] = at;
      leaders = more;
    }
    for (let index = 0; index < view.committed; index += 1) {
      const entry = view.log[index] as string;
      if (index >= committed.length) committed = [...committed, entry];
      else if (committed[index] !== entry) {
        fail(`state machine safety: ${entry} and ${committed[index]} committed at ${index}`);
      }
    }
    for (const [other, local] of locals.entries()) {
      const problem = other === at ? undefined : this.#matching(locals, at, other, local);
      if (problem !== undefined) fail(problem);
    }
    return { leaders, committed };
  }

  #matching(
    locals: readonly LocalState[],
    at: number,
    other: number,
    local: LocalState,
  ): string | undefined {
    const mine = locals[at] as LocalState;
    const key = `${at}.${mine.id} ${other}.${local.id}`;
    if (this.#matched.has(key)) return this.#matched.get(key);
    const problem = logMatching(mine.view.log, local.view.log);
    this.#matched.set(key, problem);
    return problem;
  }
}

/** Whether the message changes nothing any more, whatever comes. */
function isDead({ type, term }: Message, { role, term: own }: View): boolean {
  if (term !== own) return term < own;
  // Who is no candidate of its term will not be one again, nor will a follower lead it.
  if (type === MessageType.VOTE_RESP) return role !== "candidate";
  const isToLeader = type === MessageType.APP_RESP || type === MessageType.HEARTBEAT_RESP;
  return isToLeader && role === "follower";
}

/** Two logs with the same entry at an index are the same up to there. */
function logMatching(a: readonly string[], b: readonly string[]): string | undefined {
  let isMatched = false;
  for (let at = Math.min(a.length, b.length) - 1; at >= 0; at -= 1) {
    const isSame = Number.parseInt(a[at] as string, 10) === Number.parseInt(b[at] as string, 10);
    if (isSame && a[at] !== b[at]) return `log matching: ${a.join(" ")} and ${b.join(" ")}`;
    if (isMatched && !isSame) return `log matching: ${a.join(" ")} and ${b.join(" ")}`;
    isMatched ||= isSame;
  }
  return undefined;
}

function keyOf({ locals, wire, left, leaders, committed }: State): string {
  const [a, b, c] = locals as [LocalState, LocalState, LocalState];
  const budget = `${left.proposals}.${left.crashes}.${left.duplicates}.${left.beats}`;
  return `${a.id} ${b.id} ${c.id}|${wire.join(" ")}|${budget}|${leaders.join(" ")}|${committed.join(" ")}`;
}
