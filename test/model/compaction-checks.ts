/** Compaction: what is gone stays gone, and nothing goes before it was asked for. */
import type { Call, Problem } from "./history.ts";
import { name } from "./linearizable.ts";

/** The highest revision that anyone asked to compact, acknowledged or not. */
export function compactedRevision(calls: readonly Call[]): number {
  let highest = 0;
  for (const { request, outcome } of calls) {
    if (request.kind !== "compact" || outcome.kind === "refused") continue;
    highest = Math.max(highest, request.revision);
  }
  return highest;
}

/** Others than the clients may have compacted up to `byOthers`, at any time. */
export function compactionProblems(calls: readonly Call[], byOthers: number): Problem[] {
  const compactions = calls.filter(({ request }) => request.kind === "compact");
  const problems: Problem[] = [];
  const complain = (text: string): void => void problems.push({ check: "compaction", text });
  for (const call of calls) {
    const revision = oldestRead(call);
    if (revision === undefined) continue;
    if (call.outcome.kind === "ok" && !isSerializable(call)) {
      const done = highest(compactions, (one) => {
        return one.outcome.kind === "ok" && one.returnedAt < call.calledAt;
      });
      if (revision < done) complain(`${name(call)} was answered, ${done} was compacted before`);
    }
    if (call.outcome.kind === "refused" && /compacted/.test(call.outcome.error)) {
      const asked = highest(compactions, (one) => {
        return one.outcome.kind !== "refused" && one.calledAt < call.returnedAt;
      });
      if (revision >= Math.max(asked, byOthers))
        complain(`${name(call)} was refused as compacted, asked was ${asked}`);
    }
  }
  return problems.slice(0, 10);
}

/** The oldest revision that a call asks to see; undefined = the newest is enough. */
function oldestRead({ request }: Call): number | undefined {
  if (request.kind !== "kv") return undefined;
  const revisions = request.success.flatMap((operation) =>
    operation.kind === "range" && operation.revision > 0 ? [operation.revision] : [],
  );
  return revisions.length === 0 ? undefined : Math.min(...revisions);
}

function isSerializable({ request }: Call): boolean {
  return request.kind === "kv" && request.isSerializable;
}

function highest(compactions: readonly Call[], counts: (call: Call) => boolean): number {
  let revision = 0;
  for (const call of compactions) {
    if (call.request.kind !== "compact" || !counts(call)) continue;
    revision = Math.max(revision, call.request.revision);
  }
  return revision;
}
