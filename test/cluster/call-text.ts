/** Calls of clients and what came of them, in a few words for the trace. */
import type {
  Compare,
  Operation,
  Outcome,
  Request,
  Result,
  WatchRequest,
  WatchResponse,
} from "../model/history.ts";

export function briefly(request: Request): string {
  switch (request.kind) {
    case "kv": {
      const success = request.success.map(operationText).join(", ");
      const reads = request.isSerializable ? "serializable " : "";
      if (request.compares.length === 0) return `${reads}${success}`;
      const compares = request.compares.map(compareText).join(" and ");
      const failure = request.failure.map(operationText).join(", ");
      return `${reads}if ${compares} then ${success} else ${failure}`;
    }
    case "grant":
      return `grant lease ${request.lease} for ${request.ttlSeconds} s`;
    case "revoke":
    case "keepAlive":
      return `${request.kind} lease ${request.lease}`;
    case "compact":
      return `compact up to ${request.revision}`;
    default:
      return request.kind;
  }
}

export function outcomeText(outcome: Outcome): string {
  if (outcome.kind !== "ok") return `${outcome.kind}: ${outcome.error}`;
  const { revision, isSuccess, results, ttlSeconds } = outcome.response;
  const parts = [`ok at ${revision}`, ...results.map(resultText)];
  if (!isSuccess) parts.push("else");
  if (ttlSeconds > 0) parts.push(`ttl ${ttlSeconds} s`);
  return parts.join(" ");
}

export function watchText({ key, rangeEnd, startRevision }: WatchRequest): string {
  return `[${key}, ${visible(rangeEnd)}) from ${startRevision === 0 ? "now" : startRevision}`;
}

export function responseText(response: Omit<WatchResponse, "at" | "atMs">): string {
  const { revision, events, isProgress, isCanceled, compactRevision } = response;
  if (isCanceled) return `canceled at ${revision}, compacted up to ${compactRevision}`;
  if (isProgress) return `progress up to ${revision}`;
  const texts = events.map(({ type, pair: { key, value, modRevision } }) =>
    type === "put" ? `${key}=${value}@${modRevision}` : `${key} deleted@${modRevision}`,
  );
  return texts.join(" ");
}

function operationText(operation: Operation): string {
  const { kind, key } = operation;
  if (kind === "put") {
    return `put ${key}=${operation.value}${operation.lease === "0" ? "" : ` lease ${operation.lease}`}`;
  }
  const keys = operation.rangeEnd === "" ? key : `[${key}, ${visible(operation.rangeEnd)})`;
  if (kind === "delete") return `delete ${keys}`;
  const revision = operation.revision === 0 ? "" : ` at ${operation.revision}`;
  return `range ${keys}${revision}${operation.limit === 0 ? "" : ` limit ${operation.limit}`}`;
}

function compareText({ target, key, value }: Compare): string {
  return `${target} of ${key} is ${value}`;
}

function resultText(result: Result): string {
  if (result.kind === "put") return "";
  if (result.kind === "delete") return `deleted ${result.deleted}`;
  const pairs = result.pairs.map(({ key, value, modRevision }) => `${key}=${value}@${modRevision}`);
  return `{${pairs.join(" ")}}`;
}

/** The end of everything is a zero byte. */
function visible(key: string): string {
  return JSON.stringify(key).slice(1, -1);
}
