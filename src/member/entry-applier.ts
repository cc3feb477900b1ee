/**
 * What is done with committed entries: the machine first, then everything here that follows from
 * them, and those who wait for it.
 */
import type { ApplyOutcome } from "../apply/index.ts";
import { EtcdError, errors } from "../errors/index.ts";
import type { RevisionChanges } from "../mvcc/index.ts";
import { NONE } from "../raft/index.ts";
import type { Clock, Timers } from "../seam/index.ts";
import type { Entry, RaftOperation, RaftRequest } from "../wire/index.ts";
import type { Applier } from "./apply-queue.ts";
import type { RaftMember } from "./raft-member.ts";
import type { RaftStorage } from "./raft-storage.ts";
import type { WatchPump } from "./watch-pump.ts";

export interface EntryApplierOptions {
  readonly member: RaftMember;
  readonly storage: RaftStorage;
  readonly watch: WatchPump;
  readonly heartbeatMs: number;
  readonly electionTimeoutMs: number;
  readonly clock: Clock;
  readonly timers: Timers;
}

export class EntryApplier implements Applier {
  /** Since the start. Those that came with a snapshot are not among them; reads are added here. */
  readonly operations = {
    puts: 0,
    deletes: 0,
    txns: 0,
    ranges: 0,
    leasesGranted: 0,
    leasesRevoked: 0,
  };
  readonly #options: EntryApplierOptions;
  readonly #member: RaftMember;

  constructor(options: EntryApplierOptions) {
    this.#options = options;
    this.#member = options.member;
    this.watchChanges();
  }

  /** To be called again when the member has another store. */
  watchChanges(): void {
    this.#member.local.machine.onChanges = (changes) => this.#onChanges(changes);
  }

  #onChanges(changes: RevisionChanges): void {
    for (const { type } of changes.changes) {
      if (type === "put") this.operations.puts += 1;
      else this.operations.deletes += 1;
    }
    this.#options.watch.hub.notify(changes);
  }

  applyRequest(entry: Entry, request: RaftRequest, isWaited: boolean): ApplyOutcome {
    this.#member.care.state.consistency.entry(entry.data);
    const outcome = this.#member.local.machine.apply(entry.index, entry.term, request, isWaited);
    if (request.operation.kind !== "put") this.#applied(request.operation, outcome);
    return outcome;
  }

  #applied(operation: RaftOperation, outcome: ApplyOutcome): void {
    if (outcome instanceof EtcdError) return;
    if (operation.kind === "txn") this.operations.txns += 1;
    else if (operation.kind === "leaseGrant") this.operations.leasesGranted += 1;
    else if (operation.kind === "leaseRevoke") this.operations.leasesRevoked += 1;
    else if (operation.kind === "compaction") this.#member.local.scrubber.wake();
    else if (operation.kind === "downgradeInfoSet") this.#member.cluster.versions.wake();
  }

  applyConfChange(entry: Entry): void {
    this.#member.cluster.changes.apply(entry);
  }

  pass(entry: Entry): void {
    const { driver, local } = this.#member;
    local.machine.advance(entry.index, entry.term);
    if (entry.data.length > 0) return;
    if (driver.isLeader && entry.term === driver.term) this.#becamePrimary();
    // Another term has begun: what an earlier leader was given and is not here now is lost, or will
    // come by a detour, of which a heartbeat is enough to tell.
    this.#options.timers.after(this.#options.heartbeatMs, () =>
      driver.proposals.abandonBefore(entry.term, errors.TimeoutDueToLeaderFail),
    );
  }

  /** All that earlier terms committed is applied: leases run from here (RA-07, LE-09). */
  #becamePrimary(): void {
    const { local, cluster } = this.#member;
    if (local.lessor.isPrimary) return;
    const { clock, electionTimeoutMs } = this.#options;
    local.lessor.promote(clock.monotonicMs(), electionTimeoutMs);
    cluster.versions.wake();
  }

  appliedTo(index: number): void {
    const { driver, local, cluster } = this.#member;
    this.#options.storage.setApplied(index);
    driver.reads.appliedTo(index);
    local.pacer.applied();
    this.#options.watch.step();
    if (driver.leader === NONE) {
      this.#options.timers.soon(() => cluster.elections.standIfAlone());
    }
  }
}
