/** What a simulated run ends with. */
import type { FaultKind } from "./faults/kinds.ts";
import type { Observations } from "./observations.ts";
import type { Plan } from "./plan.ts";

/** A check has found something; `check` is its name in reports. */
export class CheckFailed extends Error {
  readonly check: string;

  constructor(check: string, message: string) {
    super(message);
    this.name = "CheckFailed";
    this.check = check;
  }
}

export interface Failure {
  /** Name of the check, or what kind of failure it is: "stuck", "error". */
  readonly check: string;
  readonly message: string;
  /** Simulated time at which it was found. */
  readonly atMs: number;
}

export interface FaultFigures {
  /** How often it was injected. */
  readonly injected: number;
  /** How often something followed that would be its doing (faults/kinds.ts says what). */
  readonly effective: number;
}

export interface Figures {
  readonly simulatedMs: number;
  readonly wallMs: number;
  /** Of the processor, by the whole process. */
  readonly cpuMs: number;
  /** Requests that clients sent, and those that were answered. */
  readonly asked: number;
  readonly answered: number;
  readonly observations: Observations;
  readonly faults: Readonly<Partial<Record<FaultKind, FaultFigures>>>;
}

export interface Outcome {
  readonly seed: number;
  readonly plan: Plan;
  readonly ok: boolean;
  readonly failure?: Failure;
  /** Of every line of the trace: equal for two runs that did the same at the same times. */
  readonly digest: string;
  readonly figures: Figures;
}

/** Words at the beginning of an error that say which check it is of, longest first. */
const BEGINNINGS: readonly (readonly [string, string])[] = [
  ["breach: leader", "one leader a term"],
  ["breach: state machine", "same entry and effects at an index"],
  ["breach: log matching", "log matching"],
  ["breach: revision", "one entry a revision"],
  ["breach:", "no member fails"],
  ["not linearizable", "linearizable"],
  ["watch:", "watch"],
  ["leases:", "lease"],
  ["hashes differ", "all members alike"],
];

export function failureOf(error: unknown, atMs: number): Failure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof CheckFailed) return { check: error.check, message, atMs };
  if (/^seed \d+: waited/.test(message)) return { check: "stuck", message, atMs };
  // The cluster itself has found a member out.
  if (/^breach: \S+ is accused/.test(message)) {
    return { check: "no member is accused", message, atMs };
  }
  const known = BEGINNINGS.find(([beginning]) => message.startsWith(beginning));
  const stack = error instanceof Error ? (error.stack ?? message) : message;
  return known === undefined
    ? { check: "error", message: stack, atMs }
    : { check: known[1], message, atMs };
}
