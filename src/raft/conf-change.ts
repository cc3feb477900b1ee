/**
 * Configurations and the changes between them, as pure functions of sets of ids.
 *
 * A change of one voter goes at once, since old and new majorities overlap (thesis 4.1). Anything
 * more passes through a joint configuration that needs both majorities (thesis 4.3). Learners get
 * the log and do not count. Source: thesis chapter 4; the rules of what is idempotent are etcd's.
 */
import {
  type ConfChange,
  ConfChangeType,
  type ConfChangeV2,
  type ConfState,
} from "../wire/index.ts";
import { NONE } from "./types.ts";

/** raftpb.ConfChangeTransition: how a change of several members goes. */
export const ConfChangeTransition = {
  /** Joint only when needed, and left by itself. */
  AUTO: 0,
  /** Always joint, and left by itself. */
  JOINT_IMPLICIT: 1,
  /** Always joint, left by a further, empty change. */
  JOINT_EXPLICIT: 2,
} as const;

/**
 * Who takes part.
 *
 * Invariant: (1) a learner is in neither half of the voters; (2) `learnersNext` are voters of the
 * outgoing half; (3) outside a joint configuration `outgoing` and `learnersNext` are empty and
 * `autoLeave` is false.
 */
export interface Config {
  readonly incoming: ReadonlySet<bigint>;
  readonly outgoing: ReadonlySet<bigint>;
  readonly learners: ReadonlySet<bigint>;
  /** Become learners when the joint configuration is left: until then they vote in `outgoing`. */
  readonly learnersNext: ReadonlySet<bigint>;
  /** The leader proposes the way out by itself. */
  readonly autoLeave: boolean;
}

export const EMPTY_CONFIG: Config = {
  incoming: new Set(),
  outgoing: new Set(),
  learners: new Set(),
  learnersNext: new Set(),
  autoLeave: false,
};

/** `joined` came anew (or left and came back): nothing known of them before still holds. */
export type ConfChangeOutcome =
  | { readonly kind: "changed"; readonly config: Config; readonly joined: ReadonlySet<bigint> }
  | { readonly kind: "refused"; readonly reason: string };

type SingleChange = ConfChangeV2["changes"][number];

export function isJoint(config: Config): boolean {
  return config.outgoing.size > 0;
}

export function isMember(config: Config, id: bigint): boolean {
  return config.incoming.has(id) || config.outgoing.has(id) || config.learners.has(id);
}

export function isVoter(config: Config, id: bigint): boolean {
  return config.incoming.has(id) || config.outgoing.has(id);
}

/** All members in ascending order, each once. */
export function memberIds(config: Config): bigint[] {
  const ids = new Set<bigint>([...config.incoming, ...config.outgoing, ...config.learners]);
  return sortedIds(ids);
}

export function sortedIds(ids: Iterable<bigint>): bigint[] {
  return [...ids].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** A change of the first kind says the same in the words of the second. */
export function asConfChangeV2(change: ConfChange): ConfChangeV2 {
  return {
    transition: ConfChangeTransition.AUTO,
    changes: [{ type: change.type, nodeId: change.nodeId }],
    context: change.context,
  };
}

/** Whether the change is the one that leaves a joint configuration: it changes nothing else. */
export function leavesJoint(change: ConfChangeV2): boolean {
  return change.transition === ConfChangeTransition.AUTO && change.changes.length === 0;
}

/** The configuration after `change`; `config` itself is not touched. Never throws. */
export function applyConfChange(config: Config, change: ConfChangeV2): ConfChangeOutcome {
  if (leavesJoint(change)) return leaveJoint(config);
  const needsJoint = change.transition !== ConfChangeTransition.AUTO || change.changes.length > 1;
  if (!needsJoint) return changeSimply(config, change.changes);
  return enterJoint(config, change.changes, {
    autoLeave: change.transition !== ConfChangeTransition.JOINT_EXPLICIT,
  });
}

/** Changes at most one voter, without a joint configuration. */
export function changeSimply(config: Config, changes: readonly SingleChange[]): ConfChangeOutcome {
  if (isJoint(config)) return refused("can't apply simple config change in joint config");
  const draft = new Draft(config);
  for (const change of changes) draft.apply(change);
  if (draft.incoming.size === 0) return refused("removed all voters");
  let differences = 0;
  for (const id of draft.incoming) if (!config.incoming.has(id)) differences += 1;
  for (const id of config.incoming) if (!draft.incoming.has(id)) differences += 1;
  if (differences > 1) return refused("more than one voter changed without entering joint config");
  return draft.finish(false);
}

/** The voters of now become the outgoing half; `changes` go to the incoming one. */
export function enterJoint(
  config: Config,
  changes: readonly SingleChange[],
  options: { readonly autoLeave: boolean },
): ConfChangeOutcome {
  if (isJoint(config)) return refused("config is already joint");
  if (config.incoming.size === 0) return refused("can't make a zero-voter config joint");
  const draft = new Draft(config);
  for (const id of config.incoming) draft.outgoing.add(id);
  for (const change of changes) draft.apply(change);
  if (draft.incoming.size === 0) return refused("removed all voters");
  return draft.finish(options.autoLeave);
}

/** Drops the outgoing half; voters on their way to be learners arrive. */
export function leaveJoint(config: Config): ConfChangeOutcome {
  if (!isJoint(config)) return refused("can't leave a non-joint config");
  const draft = new Draft(config);
  for (const id of draft.learnersNext) draft.learners.add(id);
  draft.learnersNext.clear();
  draft.outgoing.clear();
  return draft.finish(false);
}

function refused(reason: string): ConfChangeOutcome {
  return { kind: "refused", reason };
}

/** A configuration while its changes are applied one by one. */
class Draft {
  readonly incoming: Set<bigint>;
  readonly outgoing: Set<bigint>;
  readonly learners: Set<bigint>;
  readonly learnersNext: Set<bigint>;
  readonly #joined = new Set<bigint>();

  constructor(config: Config) {
    this.incoming = new Set(config.incoming);
    this.outgoing = new Set(config.outgoing);
    this.learners = new Set(config.learners);
    this.learnersNext = new Set(config.learnersNext);
  }

  apply(change: SingleChange): void {
    const id = change.nodeId;
    // A change that was refused when it was to be applied has its id set to none.
    if (id === NONE) return;
    switch (change.type) {
      case ConfChangeType.ADD_NODE:
        this.#join(id);
        this.learners.delete(id);
        this.learnersNext.delete(id);
        this.incoming.add(id);
        return;
      case ConfChangeType.ADD_LEARNER:
        this.#addLearner(id);
        return;
      case ConfChangeType.REMOVE_NODE:
        this.incoming.delete(id);
        this.learners.delete(id);
        this.learnersNext.delete(id);
        return;
      default:
        // UPDATE_NODE is about addresses, and what is unknown changes nothing, on every member.
        return;
    }
  }

  #addLearner(id: bigint): void {
    if (this.learners.has(id)) return;
    this.#join(id);
    this.incoming.delete(id);
    if (this.outgoing.has(id)) this.learnersNext.add(id);
    else this.learners.add(id);
  }

  #join(id: bigint): void {
    if (!this.incoming.has(id) && !this.outgoing.has(id) && !this.learners.has(id)) {
      this.#joined.add(id);
    }
  }

  finish(autoLeave: boolean): ConfChangeOutcome {
    const { incoming, outgoing, learners, learnersNext } = this;
    const config = { incoming, outgoing, learners, learnersNext, autoLeave };
    return { kind: "changed", config, joined: this.#joined };
  }
}

/** The state as it stands in snapshots: each list in ascending order. */
export function confStateOf(config: Config): ConfState {
  return {
    voters: sortedIds(config.incoming),
    learners: sortedIds(config.learners),
    votersOutgoing: sortedIds(config.outgoing),
    learnersNext: sortedIds(config.learnersNext),
    autoLeave: config.autoLeave,
  };
}

/** The configuration that a snapshot tells of; undefined if no configuration can look like that. */
export function configOf(state: ConfState): Config | undefined {
  const config: Config = {
    incoming: new Set(state.voters),
    outgoing: new Set(state.votersOutgoing),
    learners: new Set(state.learners),
    learnersNext: new Set(state.learnersNext),
    autoLeave: state.autoLeave,
  };
  return isValid(config) ? config : undefined;
}

/** The invariants of Config. */
function isValid(config: Config): boolean {
  if (isMember(config, NONE) || config.learnersNext.has(NONE)) return false;
  for (const id of config.learners) if (isVoter(config, id)) return false;
  for (const id of config.learnersNext) {
    if (!config.outgoing.has(id) || config.incoming.has(id)) return false;
  }
  if (isJoint(config)) return config.incoming.size > 0;
  return config.learnersNext.size === 0 && !config.autoLeave;
}
