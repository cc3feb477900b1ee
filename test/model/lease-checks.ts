/**
 * Leases: never early, never forgotten. Times are those of one observer who saw the calls and the
 * history's events; what he saw of a lease's end came at or after it.
 */
import type { Call, HistoryEvent, Problem, RunRecord } from "./history.ts";
import { type Cause, name } from "./linearizable.ts";

export interface LeaseTruth {
  readonly causes: ReadonlyMap<number, Cause>;
  readonly events: ReadonlyMap<number, readonly HistoryEvent[]>;
  /** When a revision was seen first, in ms of the run; undefined = by nobody. */
  readonly seenMs: (revision: number) => number | undefined;
  /** Leases and leased keys that are still there after all had time to end. */
  readonly left: readonly string[];
  /** How far the clocks of members and observer may differ over a lease's life. */
  readonly toleranceMs: number;
}

interface Promised {
  /** Who was told so, by whom. */
  readonly by: Call;
  readonly fromMs: number;
  readonly untilMs: number;
}

export function leaseProblems(record: RunRecord, truth: LeaseTruth): Problem[] {
  const problems: Problem[] = [];
  const complain = (text: string): void => void problems.push({ check: "lease", text });
  const promises = promisesOf(record.calls);
  for (const [revision, cause] of truth.causes) {
    if (cause.kind !== "lease" || cause.call !== undefined) continue;
    const seenMs = truth.seenMs(revision);
    if (seenMs === undefined || wasRevoked(record.calls, cause.lease, seenMs)) continue;
    const broken = (promises.get(cause.lease) ?? []).find(
      ({ fromMs, untilMs }) => fromMs < seenMs && seenMs + truth.toleranceMs < untilMs,
    );
    if (broken === undefined) continue;
    complain(
      `lease ${cause.lease} ended at revision ${revision}, seen at ${seenMs} ms; ` +
        `it was promised from ${broken.fromMs} to ${broken.untilMs} ms`,
    );
  }
  problems.push(...renewalProblems(record.calls, promises, truth.toleranceMs));
  problems.push(...useProblems(record.calls, truth.causes));
  for (const lease of truth.left) complain(`lease ${lease} is still there long after its time`);
  return problems.slice(0, 10);
}

/** From its answer on a lease lives for its TTL, counted from the call. */
function promisesOf(calls: readonly Call[]): Map<string, Promised[]> {
  const promises = new Map<string, Promised[]>();
  for (const call of calls) {
    const { request, outcome, calledMs, returnedMs } = call;
    if (outcome.kind !== "ok") continue;
    if (request.kind !== "grant" && request.kind !== "keepAlive") continue;
    const { ttlSeconds } = outcome.response;
    if (ttlSeconds <= 0) continue;
    const list = promises.get(request.lease) ?? [];
    promises.set(request.lease, list);
    list.push({ by: call, fromMs: returnedMs, untilMs: calledMs + ttlSeconds * 1_000 });
  }
  return promises;
}

function wasRevoked(calls: readonly Call[], lease: string, beforeMs: number): boolean {
  return calls.some(
    ({ request, outcome, calledMs }) =>
      request.kind === "revoke" &&
      request.lease === lease &&
      outcome.kind !== "refused" &&
      calledMs <= beforeMs,
  );
}

/** A renewal that says "gone" while the lease was promised. */
function renewalProblems(
  calls: readonly Call[],
  promises: ReadonlyMap<string, readonly Promised[]>,
  toleranceMs: number,
): Problem[] {
  const problems: Problem[] = [];
  for (const call of calls) {
    const { request, outcome, calledMs, returnedMs } = call;
    if (request.kind !== "keepAlive" || outcome.kind !== "ok") continue;
    if (outcome.response.ttlSeconds > 0) continue;
    if (wasRevoked(calls, request.lease, returnedMs)) continue;
    const held = (promises.get(request.lease) ?? []).find(
      ({ fromMs, untilMs }) => fromMs <= calledMs && returnedMs + toleranceMs < untilMs,
    );
    if (held === undefined) continue;
    const text =
      `${name(call)} was told at ${returnedMs} ms that it is gone; ` +
      `${name(held.by)} was promised it up to ${held.untilMs} ms`;
    problems.push({ check: "lease", text });
  }
  return problems;
}

/** Nothing is put on a lease after the history has ended it. */
function useProblems(calls: readonly Call[], causes: ReadonlyMap<number, Cause>): Problem[] {
  const endedAt = new Map<string, number>();
  for (const [revision, cause] of causes) {
    if (cause.kind === "lease") endedAt.set(cause.lease, revision);
  }
  const grants = new Map<string, number>();
  for (const { request, outcome } of calls) {
    // A lease that is granted again by the same id is another one.
    if (request.kind !== "grant" || outcome.kind === "refused") continue;
    grants.set(request.lease, (grants.get(request.lease) ?? 0) + 1);
  }
  const problems: Problem[] = [];
  for (const { request, outcome } of calls) {
    if (request.kind !== "kv" || outcome.kind !== "ok") continue;
    const { isSuccess, revision } = outcome.response;
    for (const operation of isSuccess ? request.success : request.failure) {
      if (operation.kind !== "put" || operation.lease === "0") continue;
      const ended = endedAt.get(operation.lease) ?? Number.POSITIVE_INFINITY;
      const isOnce = (grants.get(operation.lease) ?? 0) <= 1;
      if (!isOnce || revision <= ended) continue;
      const text = `${operation.key} was put on lease ${operation.lease} at ${revision}, ended at ${ended}`;
      problems.push({ check: "lease", text });
    }
  }
  return problems;
}
