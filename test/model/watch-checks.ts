/**
 * What etcd promises of watches, held against what really happened: filter, ordered, unique,
 * atomic, reliable, resumable, bookmarkable, prev_kv and is-create.
 */
import type { HistoryEvent, Pair, Problem, WatchRecord, WatchRequest } from "./history.ts";
import { isInRange, type Replay, sameEvent, samePair } from "./replay.ts";

const PROBLEMS_MAX = 10;

export interface WatchTruth {
  readonly events: ReadonlyMap<number, readonly HistoryEvent[]>;
  readonly replay: Replay;
  readonly endRevision: number;
  /** The highest revision that may have been compacted: prev_kv may be missing up to there. */
  readonly compactedRevision: number;
}

export function watchProblems(watches: readonly WatchRecord[], truth: WatchTruth): Problem[] {
  const problems: Problem[] = [];
  for (const watch of watches) {
    if (problems.length >= PROBLEMS_MAX) break;
    problems.push(...new WatchCheck(watch, truth).problems);
  }
  return problems.slice(0, PROBLEMS_MAX);
}

class WatchCheck {
  readonly problems: Problem[] = [];
  readonly #watch: WatchRecord;
  readonly #truth: WatchTruth;
  /** The first revision that it owes. */
  #first = 0;
  /** The last event that was shown, and how many of its revision were. */
  #last = 0;
  #shownOfLast = 0;
  /** All up to here was promised to have been shown. */
  #bookmark = 0;

  constructor(watch: WatchRecord, truth: WatchTruth) {
    this.#watch = watch;
    this.#truth = truth;
    const { startRevision } = watch.request;
    if (watch.createdRevision === undefined) {
      if (watch.responses.some(({ events }) => events.length > 0)) {
        this.#complain("reliable", "events came before its creation was answered");
      }
      return;
    }
    this.#first = startRevision === 0 ? watch.createdRevision + 1 : startRevision;
    this.#walk();
  }

  #complain(guarantee: string, text: string): void {
    const { client, member, request } = this.#watch;
    const which = `watch of ${client} on ${member} (${request.key} from ${request.startRevision})`;
    this.problems.push({ check: `watch ${guarantee}`, text: `${which}: ${text}` });
  }

  #walk(): void {
    this.#last = this.#first - 1;
    this.#bookmark = this.#first - 1;
    let isInFragments = false;
    for (const response of this.#watch.responses) {
      if (this.problems.length > 0) return;
      if (response.isProgress) this.#takeBookmark(response.revision);
      this.#takeEvents(response.events, isInFragments);
      if (!response.isFragment) this.#checkWhole();
      isInFragments = response.isFragment;
      if (response.isCanceled) return this.#checkEnd(response.compactRevision);
    }
    if (this.#watch.isOpenAtEnd && this.problems.length === 0) this.#checkComplete();
  }

  #takeEvents(events: readonly HistoryEvent[], isInFragments: boolean): void {
    for (const event of events) {
      const { modRevision } = event.pair;
      if (!isWanted(event, this.#watch.request)) {
        return this.#complain("filter", `${textOf(event)} is not what it asked for`);
      }
      if (modRevision < this.#first) {
        return this.#complain("resumable", `${textOf(event)} is before its start`);
      }
      if (modRevision < this.#last) {
        return this.#complain("ordered", `${textOf(event)} came after revision ${this.#last}`);
      }
      if (modRevision <= this.#bookmark) {
        return this.#complain("bookmarkable", `${textOf(event)} came after ${this.#bookmark}`);
      }
      this.#takeEvent(event, events[0] === event && !isInFragments);
      if (this.problems.length > 0) return;
    }
  }

  #takeEvent(event: HistoryEvent, isNewResponse: boolean): void {
    const { modRevision } = event.pair;
    if (modRevision > this.#last) {
      this.#checkWhole();
      this.#checkGap(modRevision);
      this.#last = modRevision;
      this.#shownOfLast = 0;
    } else if (isNewResponse) {
      const isRepeated = this.#dueAt(modRevision).length <= this.#shownOfLast;
      const guarantee = isRepeated ? "unique" : "atomic";
      return this.#complain(guarantee, `${textOf(event)} came in a response of its own`);
    }
    const due = this.#dueAt(modRevision);
    const expected = due[this.#shownOfLast];
    if (!sameEvent(event, expected)) {
      if (due.slice(0, this.#shownOfLast).some((earlier) => sameEvent(event, earlier))) {
        return this.#complain("unique", `${textOf(event)} came twice`);
      }
      const wanted = expected === undefined ? "nothing more" : textOf(expected);
      return this.#complain(
        due.some((one) => sameEvent(event, one)) ? "ordered" : "reliable",
        `${textOf(event)} was shown, due was ${wanted}`,
      );
    }
    this.#shownOfLast += 1;
    this.#checkPrevious(event);
  }

  /** Of its last revision all was shown: a transaction is seen whole or not at all. */
  #checkWhole(): void {
    if (this.problems.length > 0 || this.#shownOfLast === 0) return;
    const due = this.#dueAt(this.#last);
    if (this.#shownOfLast >= due.length) return;
    const missing = due.slice(this.#shownOfLast).map(textOf).join(", ");
    this.#complain("atomic", `of revision ${this.#last} it was not shown ${missing}`);
  }

  #checkGap(upTo: number): void {
    for (let revision = this.#last + 1; revision < upTo; revision += 1) {
      const [missed] = this.#dueAt(revision);
      if (missed === undefined) continue;
      const isFirst = this.#last < this.#first;
      const guarantee = isFirst ? "resumable" : "reliable";
      this.#complain(guarantee, `${textOf(missed)} was not shown, revision ${upTo} was`);
      return;
    }
  }

  #takeBookmark(revision: number): void {
    for (let at = this.#last + 1; at <= revision; at += 1) {
      const [missed] = this.#dueAt(at);
      if (missed === undefined) continue;
      this.#complain("bookmarkable", `${textOf(missed)} was not shown before ${revision} was`);
      return;
    }
    this.#bookmark = Math.max(this.#bookmark, revision);
  }

  #checkEnd(compactRevision: number): void {
    if (compactRevision === 0) return;
    // It may have read up to there and not yet sent: nothing more can be said.
    if (compactRevision > this.#truth.compactedRevision) {
      this.#complain("reliable", `canceled for a compaction at ${compactRevision} that never was`);
    } else if (compactRevision <= this.#bookmark) {
      this.#complain("reliable", `canceled for ${compactRevision}, though it was past that`);
    }
  }

  #checkComplete(): void {
    for (let revision = this.#last + 1; revision <= this.#truth.endRevision; revision += 1) {
      const [missed] = this.#dueAt(revision);
      if (missed === undefined) continue;
      this.#complain("reliable", `${textOf(missed)} was never shown`);
      return;
    }
  }

  #dueAt(revision: number): HistoryEvent[] {
    const events = this.#truth.events.get(revision) ?? [];
    return events.filter((event) => isWanted(event, this.#watch.request));
  }

  #checkPrevious(event: HistoryEvent): void {
    const { pair, type, previous } = event;
    const before = this.#truth.replay.get(pair.key, pair.modRevision - 1);
    const isCreate = type === "put" && pair.createRevision === pair.modRevision;
    if (type === "put" && isCreate !== (before === undefined)) {
      this.#complain("is-create", `${textOf(event)} with create revision ${pair.createRevision}`);
    }
    if (!this.#watch.request.wantsPrevious) {
      if (previous !== undefined) this.#complain("prev_kv", `${textOf(event)} has one, unasked`);
      return;
    }
    if (samePair(previous, before)) return;
    const mayBeGone = pair.modRevision - 1 <= this.#truth.compactedRevision;
    if (previous === undefined && mayBeGone) return;
    this.#complain(
      "prev_kv",
      `${textOf(event)} has ${textOfPair(previous)}, not ${textOfPair(before)}`,
    );
  }
}

function isWanted({ type, pair }: HistoryEvent, request: WatchRequest): boolean {
  if (!isInRange(pair.key, request.key, request.rangeEnd)) return false;
  return !(type === "put" ? request.filter === "noPut" : request.filter === "noDelete");
}

function textOf({ type, pair }: HistoryEvent): string {
  return `${type} ${pair.key}=${pair.value.slice(0, 30)} at ${pair.modRevision}`;
}

function textOfPair(pair: Pair | undefined): string {
  return pair === undefined ? "nothing" : `${pair.value.slice(0, 30)} of ${pair.modRevision}`;
}
