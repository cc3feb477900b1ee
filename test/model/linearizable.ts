/**
 * Strict serializability of a store with revisions.
 *
 * Every write has a revision of its own, so that answers name most of the order. What is left to be
 * found out is which of the calls with an unknown outcome made the revisions that nobody was
 * answered: the chronicle says what each revision changed, and only calls that would have changed
 * exactly that are tried, the first that fits first; where the chronicle has a gap, what any of
 * them would have done is tried. A choice that leads into a contradiction is taken back.
 *
 * Once each revision has its call, the state at each is known. Then everything that was answered
 * must be what that state answers, and no answer may come from before what was known when it was
 * asked, or from after its return: with an order that is given, that is linearizability.
 */
import type { Call, HistoryEvent, Problem, RunRecord } from "./history.ts";
import { answersDiffer, deletedPair, Replay, sameEvents } from "./replay.ts";

const PROBLEMS_MAX = 10;
/** Choices that are tried before a history is given up as undecided. */
const TRIES_MAX = 200_000;

/** A store begins at revision 1, which holds nothing. */
const FIRST_WRITTEN = 2;

/** How a revision came to be. */
export type Cause =
  | { readonly kind: "call"; readonly call: Call }
  /** A lease ended, with the keys that hung on it. */
  | { readonly kind: "lease"; readonly lease: string; readonly call: Call | undefined };

export interface Explained {
  readonly problems: readonly Problem[];
  /** Every state, when there was no problem before. */
  readonly replay: Replay;
  readonly causes: ReadonlyMap<number, Cause>;
  /** What each revision changed, gaps filled. */
  readonly events: ReadonlyMap<number, readonly HistoryEvent[]>;
}

/** The choice that went furthest, and why it went no further. */
interface Deepest {
  readonly revision: number;
  readonly problem: Problem;
}

interface Step {
  readonly cause: Cause;
  readonly events: readonly HistoryEvent[];
}

/** What happened at each revision, and whether every answer fits. */
export function explain(record: RunRecord): Explained {
  return new Explainer(record).run();
}

export function changedSomething(call: Call): boolean {
  if (call.request.kind !== "kv" || call.outcome.kind !== "ok") return false;
  const { isSuccess, results } = call.outcome.response;
  const operations = isSuccess ? call.request.success : call.request.failure;
  return results.some(
    (result, at) =>
      operations[at]?.kind === "put" || (result.kind === "delete" && result.deleted > 0),
  );
}

class Explainer {
  readonly #record: RunRecord;
  readonly #problems: Problem[] = [];
  readonly #replay = new Replay();
  readonly #claims = new Map<number, Call>();
  /** By revision: what was answered there and changed nothing. */
  readonly #answers = new Map<number, Call[]>();
  readonly #causes = new Map<number, Cause>();
  readonly #events = new Map<number, readonly HistoryEvent[]>();
  /** Calls of which nobody knows whether they were done, by the keys that they name. */
  readonly #open = new Map<string, Call[]>();
  readonly #openRevokes: Call[] = [];
  readonly #used = new Set<Call>();
  /** By revision: when an answer first showed it, or one after it. */
  readonly #shownAt: number[] = [];
  #tries = 0;

  constructor(record: RunRecord) {
    this.#record = record;
  }

  run(): Explained {
    this.#claim();
    this.#collectOpen();
    this.#findShown();
    const last = this.#shownAt.length - 1;
    if (this.#problems.length === 0) this.#explainAll(last);
    if (this.#problems.length === 0) {
      this.#checkTime();
    }
    return {
      problems: this.#problems,
      replay: this.#replay,
      causes: this.#causes,
      events: this.#events,
    };
  }

  #complain(text: string): void {
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push(broken(text));
  }

  /** Answers that name the revision which they made. */
  #claim(): void {
    for (const call of this.#record.calls) {
      if (call.request.kind !== "kv" || call.outcome.kind !== "ok") continue;
      const { revision } = call.outcome.response;
      if (!changedSomething(call)) {
        const answers = this.#answers.get(revision);
        if (answers === undefined) this.#answers.set(revision, [call]);
        else answers.push(call);
        continue;
      }
      if (revision < FIRST_WRITTEN) {
        this.#complain(`${name(call)} was told revision ${revision}, which nobody writes`);
        continue;
      }
      const other = this.#claims.get(revision);
      if (other === undefined) this.#claims.set(revision, call);
      else this.#complain(`${name(other)} and ${name(call)} were both told revision ${revision}`);
    }
  }

  #collectOpen(): void {
    for (const call of this.#record.calls) {
      const { request } = call;
      // A revocation that was answered is looked for as well: it does not say what it deleted.
      if (request.kind === "revoke" && call.outcome.kind !== "refused")
        this.#openRevokes.push(call);
      if (request.kind !== "kv" || call.outcome.kind !== "unknown") continue;
      const keys = new Set<string>();
      for (const operation of [...request.success, ...request.failure]) {
        if (operation.kind === "range") continue;
        keys.add(operation.kind === "delete" && operation.rangeEnd !== "" ? "" : operation.key);
      }
      for (const key of keys) {
        const list = this.#open.get(key) ?? [];
        this.#open.set(key, list);
        list.push(call);
      }
    }
  }

  #findShown(): void {
    const shown = this.#shownAt;
    const saw = (revision: number, at: number): void => {
      while (shown.length <= revision) shown.push(Number.POSITIVE_INFINITY);
      shown[revision] = Math.min(shown[revision] as number, at);
    };
    saw(Math.max(1, this.#record.endRevision), Number.POSITIVE_INFINITY);
    for (const revision of this.#record.chronicle.keys()) saw(revision, Number.POSITIVE_INFINITY);
    for (const { request, outcome, returnedAt } of this.#record.calls) {
      if (outcome.kind !== "ok" || request.kind !== "kv") continue;
      saw(outcome.response.revision, returnedAt);
    }
    for (const { responses } of this.#record.watches) {
      for (const { events, at } of responses) {
        for (const { pair } of events) saw(pair.modRevision, at);
      }
    }
    for (let revision = shown.length - 2; revision >= 0; revision -= 1) {
      const next = shown[revision + 1] as number;
      shown[revision] = Math.min(shown[revision] as number, next);
    }
  }

  /** Depth first over the choices, without recursion: histories are long. */
  #explainAll(last: number): void {
    const choices: { revision: number; rest: Step[] }[] = [];
    let revision = FIRST_WRITTEN;
    let deepest: Deepest | undefined;
    for (;;) {
      const problem = this.#answersAt(revision - 1);
      if (problem === undefined && revision > last) return;
      const found = problem ?? this.#stepsAt(revision);
      if (!Array.isArray(found) && revision > (deepest?.revision ?? 0)) {
        deepest = { revision, problem: found };
      }
      let steps = Array.isArray(found) ? found : [];
      while (steps.length === 0) {
        const back = choices.pop();
        if (back === undefined) return void this.#problems.push((deepest as Deepest).problem);
        this.#takeBack(revision - 1, back.revision);
        revision = back.revision;
        steps = back.rest;
      }
      this.#tries += 1;
      if (this.#tries > TRIES_MAX + last) return this.#complain("undecided: too many choices");
      const [step, ...rest] = steps as [Step, ...Step[]];
      if (rest.length > 0) choices.push({ revision, rest });
      this.#take(revision, step);
      revision += 1;
    }
  }

  #take(revision: number, { cause, events }: Step): void {
    this.#causes.set(revision, cause);
    this.#events.set(revision, events);
    if (cause.call !== undefined) this.#used.add(cause.call);
    this.#replay.append(revision, events);
  }

  /** From the newest down to `revision`. */
  #takeBack(newest: number, revision: number): void {
    for (let at = newest; at >= revision; at -= 1) {
      const call = this.#causes.get(at)?.call;
      if (call !== undefined) this.#used.delete(call);
      this.#replay.retract(at, this.#events.get(at) ?? []);
      this.#causes.delete(at);
      this.#events.delete(at);
    }
  }

  /** What can have made the revision on the state before it; or why nothing can. */
  #stepsAt(revision: number): Step[] | Problem {
    const known = this.#record.chronicle.get(revision);
    const claim = this.#claims.get(revision);
    if (claim?.request.kind === "kv") {
      const due = this.#replay.execute(claim.request);
      const told = claim.outcome.kind === "ok" ? claim.outcome.response : undefined;
      const difference = told === undefined ? undefined : answersDiffer(told, due);
      if (difference !== undefined) return broken(`${name(claim)} at ${revision}: ${difference}`);
      if (known !== undefined && !sameEvents(known, due.events)) {
        return broken(`${name(claim)} was told revision ${revision}, which is ${list(known)}`);
      }
      return [{ cause: { kind: "call", call: claim }, events: due.events }];
    }
    const steps = known === undefined ? this.#guesses(revision) : this.#fitting(revision, known);
    if (steps.length > 0) return steps;
    return broken(
      known === undefined
        ? `revision ${revision}: nobody was told of it and no open call can have made it`
        : `revision ${revision} is ${list(known)}, which nobody asked for`,
    );
  }

  #fitting(revision: number, known: readonly HistoryEvent[]): Step[] {
    const lists = [this.#open.get("") ?? [], ...known.map(({ pair }) => this.#open.get(pair.key))];
    const steps = this.#tryCalls(revision, new Set(lists.flatMap((some) => some ?? [])), known);
    // Of equal calls any will do: what the first can do now, it could do later as well.
    const kinds = new Map(steps.map((step) => [textOf(step), step]));
    return [...kinds.values(), ...this.#endedLeases(revision, known)];
  }

  #guesses(revision: number): Step[] {
    const calls = new Set([...this.#open.values()].flat());
    return [...this.#tryCalls(revision, calls), ...this.#endedLeases(revision)];
  }

  #tryCalls(revision: number, calls: Iterable<Call>, known?: readonly HistoryEvent[]): Step[] {
    const steps: Step[] = [];
    const shownAt = this.#shownAt[revision] as number;
    for (const call of calls) {
      if (this.#used.has(call) || call.calledAt > shownAt || call.request.kind !== "kv") continue;
      const { events } = this.#replay.execute(call.request);
      const fits = known === undefined ? events.length > 0 : sameEvents(known, events);
      if (fits) steps.push({ cause: { kind: "call", call }, events });
    }
    return steps;
  }

  #endedLeases(revision: number, known?: readonly HistoryEvent[]): Step[] {
    if (known?.some(({ type }) => type === "put") === true) return [];
    const steps: Step[] = [];
    const shownAt = this.#shownAt[revision] as number;
    for (const [lease, keys] of this.#replay.leased()) {
      const isWhole =
        known === undefined ||
        (known.length === keys.size && known.every(({ pair }) => keys.has(pair.key)));
      if (!isWhole) continue;
      const sorted = [...keys].sort();
      const events = sorted.map(
        (key): HistoryEvent => ({ type: "delete", pair: deletedPair(key, revision) }),
      );
      const call = this.#openRevokes.find(
        (one) =>
          !this.#used.has(one) &&
          one.calledAt <= shownAt &&
          one.request.kind === "revoke" &&
          one.request.lease === lease &&
          (one.outcome.kind !== "ok" || one.outcome.response.revision >= revision),
      );
      steps.push({ cause: { kind: "lease", lease, call }, events: known ?? events });
    }
    return steps;
  }

  /** Answers that changed nothing, at a revision that is the newest now. */
  #answersAt(revision: number): Problem | undefined {
    for (const call of this.#answers.get(revision) ?? []) {
      const { request, outcome } = call;
      if (request.kind !== "kv" || outcome.kind !== "ok") continue;
      const difference = answersDiffer(outcome.response, this.#replay.execute(request));
      if (difference === undefined) continue;
      const check = request.isSerializable ? "serializable" : "linearizable";
      return { check, text: `${name(call)} at ${revision}: ${difference}` };
    }
    return undefined;
  }

  /** No answer from before what was known at its call; no revision before its own call. */
  #checkTime(): void {
    const { calls } = this.#record;
    const asked = calls.filter(({ request, outcome }) => {
      return request.kind === "kv" && !request.isSerializable && outcome.kind === "ok";
    });
    const returns = [...asked].sort((a, b) => a.returnedAt - b.returnedAt);
    let known = 0;
    let next = 0;
    for (const call of asked.sort((a, b) => a.calledAt - b.calledAt)) {
      for (; next < returns.length; next += 1) {
        const returned = returns[next] as Call;
        if (returned.returnedAt > call.calledAt) break;
        known = Math.max(known, revisionOf(returned));
      }
      const revision = revisionOf(call);
      const isStale = changedSomething(call) ? revision <= known : revision < known;
      if (!isStale) continue;
      this.#complain(`${name(call)} was told revision ${revision}, ${known} was known before`);
    }
    this.#checkCauses();
  }

  #checkCauses(): void {
    for (const [revision, cause] of this.#causes) {
      if (cause.call === undefined) continue;
      const shownAt = this.#shownAt[revision] as number;
      if (cause.call.calledAt <= shownAt) continue;
      this.#complain(`revision ${revision} was shown before ${name(cause.call)} was called`);
    }
  }
}

function broken(text: string): Problem {
  return { check: "linearizable", text };
}

function revisionOf({ outcome }: Call): number {
  return outcome.kind === "ok" ? outcome.response.revision : 0;
}

function textOf({ cause }: Step): string {
  return cause.kind === "call" ? JSON.stringify(cause.call.request) : cause.lease;
}

export function name({ client, id, member, request }: Call): string {
  const text = JSON.stringify(request).slice(0, 200);
  return `call ${id} of ${client} to ${member} (${text})`;
}

function list(events: readonly HistoryEvent[]): string {
  const texts = events.map(({ type, pair }) => `${type} ${pair.key}=${pair.value.slice(0, 30)}`);
  return texts.length === 0 ? "nothing" : texts.join(", ");
}
