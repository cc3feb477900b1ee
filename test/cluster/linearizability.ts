/**
 * Whether a history of reads and writes of single keys could have come from one copy of the data
 * (Wing and Gong's search, with the memory of Lowe): each operation takes effect at one moment
 * between its call and its answer. A write whose outcome is unknown may take effect at any time
 * after its call, or never.
 */

export interface Operation {
  readonly kind: "read" | "write";
  readonly key: string;
  /** Written, or read; undefined = the key was not there. */
  value: string | undefined;
  /** Position of the call and of the answer among all calls and answers. */
  readonly calledAt: number;
  /** Infinity: nobody knows whether it happened. */
  answeredAt: number;
}

/** Records what clients do; reads that failed and writes that never were are left out. */
export class History {
  operations: Operation[] = [];
  #position = 0;

  call(kind: "read" | "write", key: string, value?: string): Operation {
    this.#position += 1;
    const answeredAt = Number.POSITIVE_INFINITY;
    const operation = { kind, key, value, calledAt: this.#position, answeredAt };
    this.operations.push(operation);
    return operation;
  }

  answered(operation: Operation, value?: string): void {
    this.#position += 1;
    operation.answeredAt = this.#position;
    if (operation.kind === "read") operation.value = value;
  }

  /** It is certain that it never happened. */
  withdraw(operation: Operation): void {
    this.operations = this.operations.filter((other) => other !== operation);
  }

  /** The keys whose history no single copy could have had. */
  faults(): string[] {
    const byKey = new Map<string, Operation[]>();
    for (const operation of this.operations) {
      const isUnread = operation.kind === "read" && !Number.isFinite(operation.answeredAt);
      if (isUnread) continue;
      const list = byKey.get(operation.key) ?? [];
      byKey.set(operation.key, list);
      list.push(operation);
    }
    return [...byKey].filter(([, list]) => !isLinearizable(list)).map(([key]) => key);
  }
}

interface Step {
  readonly at: number;
  readonly done: bigint;
  readonly value: string | undefined;
}

/** For operations on one key that is not there at first. */
export function isLinearizable(history: readonly Operation[]): boolean {
  const operations = [...history].sort((a, b) => a.calledAt - b.calledAt);
  const wanted = operations.reduce(
    (mask, { answeredAt }, at) => (Number.isFinite(answeredAt) ? mask | (1n << BigInt(at)) : mask),
    0n,
  );
  const seen = new Set<string>();
  const stack: Step[] = [{ at: 0, done: 0n, value: undefined }];
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    if ((step.done & wanted) === wanted) return true;
    for (const next of nextSteps(operations, step)) {
      const name = `${next.done.toString(36)} ${next.value ?? ""}`;
      if (seen.has(name)) continue;
      seen.add(name);
      stack.push(next);
    }
  }
  return false;
}

/** Operations that may come next: called before any that is open was answered. */
function nextSteps(operations: readonly Operation[], step: Step): Step[] {
  const steps: Step[] = [];
  let at = step.at;
  while (isDone(step, at)) at += 1;
  let firstAnswer = Number.POSITIVE_INFINITY;
  for (let next = at; next < operations.length; next += 1) {
    const operation = operations[next] as Operation;
    if (operation.calledAt > firstAnswer) break;
    if (isDone(step, next)) continue;
    firstAnswer = Math.min(firstAnswer, operation.answeredAt);
    const isPossible = operation.kind === "write" || operation.value === step.value;
    const done = step.done | (1n << BigInt(next));
    if (isPossible) steps.push({ at, done, value: operation.value });
  }
  return steps;
}

function isDone(step: Step, at: number): boolean {
  return ((step.done >> BigInt(at)) & 1n) === 1n;
}
