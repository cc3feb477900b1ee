/**
 * Changes of the membership, from the request over the log to the member table, the consensus and
 * the connections (surface 5). The rules are in membership.ts and reconfig-checks.ts.
 */
import type { Machine } from "../apply/index.ts";
import { EtcdError, errors } from "../errors/index.ts";
import { decodeChange } from "../raft/index.ts";
import type { Clock, Digests, PeerNetwork } from "../seam/index.ts";
import { type ConfChange, type ConfState, type Entry, EntryType } from "../wire/index.ts";
import type { Driver } from "./driver.ts";
import type { Leadership } from "./leadership.ts";
import { CHANGES_WAITING_MAX } from "./limits.ts";
import {
  applyConfChangeEntry,
  type MembershipEffect,
  planAdd,
  planPromote,
  planRemove,
  planUpdate,
} from "./membership.ts";
import {
  checkAdd,
  checkLearnerReady,
  checkPromote,
  checkRemove,
  type ReconfigView,
} from "./reconfig-checks.ts";
import type { ClusterMember, MembershipChange, Waiter } from "./types.ts";

export interface ClusterChangesOptions {
  readonly id: bigint;
  readonly machine: () => Machine;
  readonly driver: Driver;
  readonly network: PeerNetwork;
  readonly leadership: Leadership;
  readonly clock: Clock;
  readonly digests: Digests;
  readonly isStrict: boolean;
  readonly learnersMax: number;
  /** Of the state that is applied. */
  readonly confState: ConfState;
  readonly newRequestId: () => bigint;
  readonly onEffect: (effect: MembershipEffect) => void;
}

/** Configurations remembered: a snapshot under way may be of a little while ago. */
const CONF_STATES_MAX = 64;

interface Pending {
  readonly change: ConfChange;
  readonly waiter: Waiter<MembershipChange>;
  readonly atMs: number;
}

export class ClusterChanges {
  readonly #options: ClusterChangesOptions;
  /** Oldest first, by the request's id. */
  readonly #pending = new Map<bigint, Pending>();
  /** What everybody is told since the end. */
  #end: EtcdError | undefined;
  /** The configurations from each index on, the newest at the end. */
  #confStates: { readonly index: number; readonly confState: ConfState }[];
  promotions = 0;
  readonly promotionFailures = new Map<string, number>();

  constructor(options: ClusterChangesOptions) {
    this.#options = options;
    this.#confStates = [{ index: 0, confState: options.confState }];
  }

  /** Of the state that is applied. */
  get confState(): ConfState {
    return this.confStateAt(Number.POSITIVE_INFINITY);
  }

  /** Of the state as it was at `index`, not long ago. */
  confStateAt(index: number): ConfState {
    const found = this.#confStates.findLast((row) => row.index <= index) ?? this.#confStates[0];
    return (found as { confState: ConfState }).confState;
  }

  /** The state is that of a snapshot now. */
  restore(confState: ConfState): void {
    this.#confStates = [{ index: 0, confState }];
  }

  add(
    peerUrls: readonly string[],
    isLearner: boolean,
    waiter: Waiter<MembershipChange>,
    isChecked = false,
  ): void {
    const { clock, digests, learnersMax, newRequestId } = this.#options;
    const plan = {
      requestId: newRequestId(),
      peerUrls,
      isLearner,
      unixSeconds: clock.wallMs() / 1000,
      learnersMax,
    };
    const check = (view: ReconfigView) => (isChecked ? undefined : checkAdd(view, isLearner));
    this.#propose(planAdd(plan, digests), check, waiter);
  }

  remove(id: bigint, waiter: Waiter<MembershipChange>): void {
    const change = planRemove(this.#options.newRequestId(), id);
    this.#propose(change, (view) => checkRemove(view, id), waiter);
  }

  /** One that serves no purpose any more; the caller has seen that the others are a quorum. */
  removeLost(id: bigint, waiter: Waiter<MembershipChange>): void {
    this.#propose(planRemove(this.#options.newRequestId(), id), () => undefined, waiter);
  }

  update(id: bigint, peerUrls: readonly string[], waiter: Waiter<MembershipChange>): void {
    const change = planUpdate(this.#options.newRequestId(), id, peerUrls);
    this.#propose(change, () => undefined, waiter);
  }

  /** On the leader: only it knows how far the learner is. */
  promote(id: bigint, waiter: Waiter<MembershipChange>): void {
    this.#promote(id, {
      done: (change) => {
        this.promotions += 1;
        waiter.done(change);
      },
      refused: (error) => {
        this.promotionFailures.set(error.id, (this.promotionFailures.get(error.id) ?? 0) + 1);
        waiter.refused(error);
      },
    });
  }

  #promote(id: bigint, waiter: Waiter<MembershipChange>): void {
    const target = this.#members().find((member) => member.id === id);
    if (target === undefined) return waiter.refused(errors.MemberNotFound);
    if (!target.isLearner) return waiter.refused(errors.MemberNotLearner);
    const { driver } = this.#options;
    const progress = new Map(driver.node.status().progress);
    const leaderMatch = progress.get(this.#options.id)?.match ?? 0;
    const refusal = checkLearnerReady(progress.get(id)?.match, leaderMatch);
    if (refusal !== undefined) return waiter.refused(refusal);
    const change = planPromote(this.#options.newRequestId(), id);
    this.#propose(change, ({ members }) => checkPromote(members), waiter);
  }

  #members(): readonly ClusterMember[] {
    return this.#options.machine().members();
  }

  #propose(
    change: ConfChange | EtcdError,
    check: (view: ReconfigView) => EtcdError | undefined,
    waiter: Waiter<MembershipChange>,
  ): void {
    if (this.#end !== undefined) return waiter.refused(this.#end);
    if (change instanceof EtcdError) return waiter.refused(change);
    if (this.#pending.size >= CHANGES_WAITING_MAX) return waiter.refused(errors.TooManyRequests);
    const { id, clock, network, driver, isStrict } = this.#options;
    const nowMs = clock.monotonicMs();
    const view = {
      members: this.#members(),
      selfId: id,
      nowMs,
      connectedSinceMs: (other: bigint) => network.connectedSinceMs(other),
    };
    const refusal = isStrict ? check(view) : undefined;
    if (refusal !== undefined) return waiter.refused(refusal);
    this.#pending.set(change.id, { change, waiter, atMs: nowMs });
    driver.proposeConfChange(change);
  }

  /** A committed change of the configuration: whatever it holds, it never throws (CL-12). */
  apply(entry: Entry): void {
    const { machine: machineOf, driver } = this.#options;
    const machine = machineOf();
    if (entry.index <= machine.appliedIndex) return this.#passOver(entry);
    if (entry.type !== EntryType.CONF_CHANGE) {
      // Changes of the second kind are never proposed: none has an effect on the table.
      const change = decodeChange(entry);
      if (change !== undefined) driver.node.applyConfChange({ ...change, changes: [] });
      return machine.advance(entry.index, entry.term);
    }
    const outcome = applyConfChangeEntry(entry.data, machine);
    const { confState } = driver.node.applyConfChange(outcome.change);
    machine.putConfState(confState);
    this.#confStates = [
      ...this.#confStates.slice(1 - CONF_STATES_MAX),
      { index: entry.index, confState },
    ];
    machine.advance(entry.index, entry.term);
    if (outcome.kind === "applied") this.#options.onEffect(outcome.effect);
    const pending = this.#pending.get(outcome.change.id);
    if (pending === undefined) return;
    this.#pending.delete(outcome.change.id);
    if (outcome.kind === "refused") return pending.waiter.refused(outcome.error);
    const members = this.#members();
    const member = members.find(({ id }) => id === outcome.change.nodeId);
    pending.waiter.done({ member, members });
  }

  /** A store that came from another member has its effects; the consensus has yet to hear of it. */
  #passOver(entry: Entry): void {
    const change = decodeChange(entry);
    if (change === undefined) return;
    const isFirstKind = entry.type === EntryType.CONF_CHANGE;
    const { node } = this.#options.driver;
    const { confState } = node.applyConfChange(isFirstKind ? change : { ...change, changes: [] });
    this.restore(confState);
  }

  expire(deadlineMs: number): void {
    for (const [id, { change, waiter, atMs }] of this.#pending) {
      if (atMs > deadlineMs) return;
      this.#pending.delete(id);
      this.#options.driver.dropConfChange(change);
      waiter.refused(this.#options.leadership.timeoutError(atMs));
    }
  }

  /** Refuses what waits, and all that comes. */
  stop(error: EtcdError): void {
    this.#end = error;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { waiter } of pending) waiter.refused(error);
  }
}
