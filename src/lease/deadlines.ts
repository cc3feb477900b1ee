/**
 * The primary's deadlines: two queues of wake-up times over all leases.
 *
 * A renewal only writes the new deadline into the lease. Its place in the queues is corrected when
 * the old wake-up time comes, so that a keep-alive costs no queue operation at all, and an idle
 * lease one in each period. All times are milliseconds of the caller's monotonic clock.
 */
import { Heap } from "../base/index.ts";
import type { LeaseCheckpoint } from "../wire/index.ts";
import type { Lease } from "./lease.ts";

const NEVER = Number.POSITIVE_INFINITY;
/** After this an expired lease that is still there is handed out again (LE-08). */
export const REVOKE_RETRY_MS = 7_000;
/** From this many leases on a promotion spreads their deadlines (LE-09). */
export const SPREAD_LEASES_MIN = 1_000;
/** Deadlines in any one second after a spread promotion. */
export const SPREAD_PER_SECOND_MAX = 750;
/** Leases looked at in one call; the rest is due at the next. Keeps a call below a millisecond. */
const VISITS_MAX = 2_000;

/** How much of a lease's time may go by before its remaining time is replicated. */
export function checkpointIntervalMs(ttlSeconds: number): number {
  return Math.max(1_000, ttlSeconds * 100);
}

export class LeaseDeadlines {
  readonly #expiries = new Heap<Lease>({
    before: (a, b) => a.expiryWakeMs < b.expiryWakeMs,
    positionOf: (lease) => lease.expiryPosition,
    place: (lease, position) => {
      lease.expiryPosition = position;
    },
  });
  readonly #checkpoints = new Heap<Lease>({
    before: (a, b) => a.checkpointWakeMs < b.checkpointWakeMs,
    positionOf: (lease) => lease.checkpointPosition,
    place: (lease, position) => {
      lease.checkpointPosition = position;
    },
  });
  /** Granted since the last call that brought the time. */
  #fresh: Lease[] = [];

  /** A lease just granted: its deadline starts at the next call that brings the time. */
  admit(lease: Lease): void {
    this.#fresh.push(lease);
  }

  startFresh(nowMs: number): void {
    if (this.#fresh.length === 0) return;
    const fresh = this.#fresh;
    this.#fresh = [];
    for (const lease of fresh) {
      // A renewal may have been faster.
      if (lease.expiryMs === NEVER) this.start(lease, nowMs, nowMs + lease.ttlSeconds * 1_000);
    }
  }

  /** Sets a deadline that counts from `nowMs`, whatever there was before. */
  start(lease: Lease, nowMs: number, expiryMs: number): void {
    lease.expiryMs = expiryMs;
    if (lease.expiryPosition < 0) {
      lease.expiryWakeMs = expiryMs;
      this.#expiries.push(lease);
    } else if (expiryMs < lease.expiryWakeMs) {
      lease.expiryWakeMs = expiryMs;
      this.#expiries.update(lease);
    }
    lease.checkpointMs = nowMs + firstCheckpointMs(lease);
    if (lease.checkpointPosition < 0) {
      lease.checkpointWakeMs = lease.checkpointMs;
      this.#checkpoints.push(lease);
    } else if (lease.checkpointMs < lease.checkpointWakeMs) {
      lease.checkpointWakeMs = lease.checkpointMs;
      this.#checkpoints.update(lease);
    }
  }

  drop(lease: Lease): void {
    this.#expiries.remove(lease);
    this.#checkpoints.remove(lease);
    // Keeps `startFresh` from taking up a lease that was revoked within the same batch.
    lease.expiryMs = 0;
  }

  /** See `LeaseClock.promote`. Starts from no deadlines at all. */
  startAll(leases: Iterable<Lease>, nowMs: number, extendMs: number): void {
    this.#fresh = [];
    const byRemaining = new Map<number, Lease[]>();
    let count = 0;
    for (const lease of leases) {
      const seconds = lease.remainingTtlSeconds > 0 ? lease.remainingTtlSeconds : lease.ttlSeconds;
      const group = byRemaining.get(seconds);
      if (group === undefined) byRemaining.set(seconds, [lease]);
      else group.push(lease);
      count += 1;
    }
    // Deadlines given so far, in order: each is a second or more after the one 750 before it.
    const recent = new Float64Array(SPREAD_PER_SECOND_MAX).fill(Number.NEGATIVE_INFINITY);
    let given = 0;
    for (const seconds of [...byRemaining.keys()].sort((a, b) => a - b)) {
      for (const lease of byRemaining.get(seconds) as Lease[]) {
        const slot = given % SPREAD_PER_SECOND_MAX;
        let expiryMs = nowMs + extendMs + seconds * 1_000;
        if (count >= SPREAD_LEASES_MIN) {
          expiryMs = Math.max(expiryMs, (recent[slot] as number) + 1_000);
        }
        recent[slot] = expiryMs;
        given += 1;
        this.start(lease, nowMs, expiryMs);
      }
    }
  }

  /** Forgets everything, the deadlines in the leases too. */
  stopAll(leases: Iterable<Lease>): void {
    this.#fresh = [];
    this.#expiries.clear();
    this.#checkpoints.clear();
    for (const lease of leases) {
      lease.expiryMs = NEVER;
      lease.checkpointMs = NEVER;
      lease.isCheckpointInFlight = false;
      lease.renewedMs = 0;
      lease.renewIntervalMs = 0;
    }
  }

  expired(nowMs: number, limit: number): bigint[] {
    const over: bigint[] = [];
    for (let visits = 0; visits < VISITS_MAX && over.length < limit; visits += 1) {
      const lease = this.#expiries.peek();
      if (lease === undefined || lease.expiryWakeMs > nowMs) break;
      if (lease.expiryMs <= nowMs) {
        over.push(lease.id);
        lease.expiryWakeMs = nowMs + REVOKE_RETRY_MS;
      } else {
        lease.expiryWakeMs = lease.expiryMs;
      }
      this.#expiries.update(lease);
    }
    return over;
  }

  dueCheckpoints(nowMs: number, limit: number): LeaseCheckpoint[] {
    const due: LeaseCheckpoint[] = [];
    for (let visits = 0; visits < VISITS_MAX && due.length < limit; visits += 1) {
      const lease = this.#checkpoints.peek();
      if (lease === undefined || lease.checkpointWakeMs > nowMs) break;
      if (lease.checkpointMs <= nowMs) {
        lease.checkpointMs = nowMs + checkpointIntervalMs(lease.ttlSeconds);
        this.#collect(lease, nowMs, due);
      }
      lease.checkpointWakeMs = lease.checkpointMs;
      this.#checkpoints.update(lease);
    }
    return due;
  }

  #collect(lease: Lease, nowMs: number, due: LeaseCheckpoint[]): void {
    // One at a time: see `Lessor.needsCheckpointClear`.
    if (lease.isCheckpointInFlight || lease.expiryMs <= nowMs) return;
    // Rounded up, since a lease must not end earlier than its client was told.
    const remaining = Math.ceil((lease.expiryMs - nowMs) / 1_000);
    const known = lease.remainingTtlSeconds > 0 ? lease.remainingTtlSeconds : lease.ttlSeconds;
    if (remaining >= known) return;
    lease.isCheckpointInFlight = true;
    due.push({ id: lease.id, remainingTtlSeconds: remaining });
  }
}

/**
 * A lease that is kept alive regularly is checkpointed only when a renewal is overdue, so that one
 * renewed in time never costs an entry in the log; a lease without such a rhythm, after a tenth of
 * its time.
 */
function firstCheckpointMs(lease: Lease): number {
  const overdueMs = Math.min(lease.renewIntervalMs * 1.25, lease.ttlSeconds * 500);
  return Math.max(checkpointIntervalMs(lease.ttlSeconds), overdueMs);
}
