/** The kinds of faults, and what shows that one of them has changed how a run went. */
import type { Observation } from "../observations.ts";

/**
 * For each kind what it may bring about: a fault counts as effective when one of these was seen
 * while it lasted or soon after. That nothing else was the cause shows `coverage.test.ts`, which
 * compares with the same run without the fault.
 */
export const FAULT_EFFECTS = {
  /* machines.ts */
  crash: ["leaderships", "sectorsLost", "refusals"],
  crashLeader: ["leaderships", "sectorsLost", "refusals"],
  crashInWrite: ["leaderships", "sectorsLost", "refusals"],
  blink: ["leaderships", "sectorsLost", "refusals"],
  kill: ["leaderships", "refusals"],
  crashAll: ["leaderships", "sectorsLost", "refusals"],
  pause: ["leaderships", "heldRuns", "refusals"],
  pauseLeader: ["leaderships", "refusals"],
  electionStorm: ["leaderships"],
  /* links.ts */
  isolate: ["leaderships", "appendsRefused", "refusals"],
  isolateLeader: ["leaderships", "refusals"],
  oneWay: ["leaderships", "appendsRefused", "refusals"],
  bridge: ["leaderships", "appendsRefused", "refusals"],
  split: ["leaderships", "appendsRefused", "refusals"],
  cuts: ["leaderships", "appendsRefused", "refusals"],
  slowLink: ["leaderships", "appendsRefused", "refusals"],
  loss: ["leaderships", "appendsRefused", "refusals"],
  duplicate: ["doubled"],
  reorder: ["appendsRefused", "overtaken"],
  breakSnapshot: ["snapshotsBroken"],
  fallBehind: ["snapshots"],
  /* disks.ts */
  writeError: ["failures", "startsRefused", "diskErrors"],
  readError: ["failures", "startsRefused", "diskErrors"],
  fullDisk: ["failures", "startsRefused", "diskFull"],
  slowDisk: ["leaderships", "refusals"],
  bitFlip: ["careNotes", "startsRefused", "failures"],
  storeRot: ["storesReplaced"],
  putBack: ["comebacks"],
  /* applies.ts */
  leftOut: ["storesReplaced"],
  wrongValue: ["storesReplaced"],
  twice: ["storesReplaced"],
  /* clocks.ts */
  clockJump: ["wrongClockReads"],
  clockDrift: ["leaderships", "campaigns"],
  /* membership.ts */
  changeMembers: ["membershipChanges"],
  replaceMember: ["membershipChanges"],
  /* operations.ts */
  moveLeader: ["leaderships"],
  compact: ["compactions"],
  defragment: ["defragmentations"],
} as const satisfies Readonly<Record<string, readonly Observation[]>>;

export type FaultKind = keyof typeof FAULT_EFFECTS;

export const FAULT_KINDS = Object.keys(FAULT_EFFECTS) as readonly FaultKind[];

/** Those that need more members than one. */
const BETWEEN_MEMBERS: ReadonlySet<FaultKind> = new Set<FaultKind>([
  "isolate",
  "isolateLeader",
  "oneWay",
  "bridge",
  "split",
  "cuts",
  "slowLink",
  "loss",
  "duplicate",
  "reorder",
  "breakSnapshot",
  "fallBehind",
  "moveLeader",
  "replaceMember",
  "storeRot",
  "putBack",
  "leftOut",
  "wrongValue",
  "twice",
]);

/** What a seed may choose from. */
export function kindsFor(members: number): readonly FaultKind[] {
  return FAULT_KINDS.filter((kind) => members > 1 || !BETWEEN_MEMBERS.has(kind));
}

/** One planned fault. Whom it strikes and how hard follows from its own seed. */
export interface Fault {
  readonly atMs: number;
  readonly kind: FaultKind;
  readonly lengthMs: number;
  readonly seed: number;
}
