/**
 * Wrong applies, made on purpose from outside of a member: what its machine does with one entry is
 * replaced. Nothing in the sources knows of it.
 */
import type { ApplyOutcome, Machine } from "../../src/apply/index.ts";
import type { Backend } from "../../src/backend/index.ts";
import { errors } from "../../src/errors/index.ts";
import type { RaftOperation, RaftRequest, RequestOp } from "../../src/wire/index.ts";

/** Of a member: what applies entries, and what they have their effects on. */
export interface Applying {
  readonly machine: Machine;
  readonly backend: Backend;
}

/** What is done with an entry instead of applying it; `apply` is the machine's own. */
type Misapply = (
  parts: Applying,
  apply: Machine["apply"],
  index: number,
  term: number,
  request: RaftRequest,
) => ApplyOutcome;

const WRONG_VALUE = Buffer.from("rotten");

function withWrongValue(operation: RaftOperation): RaftOperation {
  if (operation.kind === "put") {
    return { kind: "put", put: { ...operation.put, value: WRONG_VALUE } };
  }
  if (operation.kind !== "txn") return operation;
  const wrong = (op: RequestOp): RequestOp =>
    op.kind === "put" ? { kind: "put", put: { ...op.put, value: WRONG_VALUE } } : op;
  const { txn } = operation;
  const [success, failure] = [txn.success.map(wrong), txn.failure.map(wrong)];
  return { kind: "txn", txn: { ...txn, success, failure } };
}

export const MISTAKES = {
  leftOut: ({ machine }, _apply, index, term) => {
    machine.advance(index, term);
    return errors.NoSpace;
  },
  wrongValue: (_parts, apply, index, term, request) => {
    const operation = withWrongValue(request.operation);
    return apply(index, term, { ...request, operation }, true);
  },
  twice: ({ backend }, apply, index, term, request) => {
    const { setApplied } = backend;
    // All of it is of one index.
    backend.setApplied = () => undefined;
    const outcome = apply(index, term, request, true);
    backend.setApplied = setApplied;
    apply(index, term, request, true);
    return outcome;
  },
} as const satisfies Readonly<Record<string, Misapply>>;

export type Mistake = keyof typeof MISTAKES;

/** Requests that change keys; which of them really do shows when another member applies them. */
const CHANGING = new Set(["put", "deleteRange", "txn"]);

export function canGoWrong({ operation }: RaftRequest): boolean {
  return CHANGING.has(operation.kind);
}
