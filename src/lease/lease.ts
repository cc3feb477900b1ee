/**
 * One lease: its replicated part and its deadlines. Only `StoredLessor` touches it.
 */
import type { Key } from "../base/index.ts";

export interface Lease {
  readonly id: bigint;
  readonly ttlSeconds: number;
  /** As stored by the last checkpoint; 0 = none, the full TTL counts. */
  remainingTtlSeconds: number;
  readonly keys: Set<Key>;

  /** When the lease is over; Infinity on a member that is not primary. */
  expiryMs: number;
  /** When the expiry queue looks at it next. Invariant: <= expiryMs unless the lease is over. */
  expiryWakeMs: number;
  expiryPosition: number;
  /** When its remaining time should be replicated; Infinity = not before it is renewed. */
  checkpointMs: number;
  /** When the checkpoint queue looks at it next. Invariant: <= checkpointMs. */
  checkpointWakeMs: number;
  checkpointPosition: number;
  /** A checkpoint was handed out and is neither applied nor known to be dropped. */
  isCheckpointInFlight: boolean;
  /** When it was granted or renewed last; 0 = never on this primary. */
  renewedMs: number;
  /** The time between its last two renewals; 0 = it was renewed less than twice. */
  renewIntervalMs: number;
}

export function newLease(id: bigint, ttlSeconds: number, remainingTtlSeconds: number): Lease {
  return {
    id,
    ttlSeconds,
    remainingTtlSeconds,
    keys: new Set(),
    expiryMs: Number.POSITIVE_INFINITY,
    expiryWakeMs: Number.POSITIVE_INFINITY,
    expiryPosition: -1,
    checkpointMs: Number.POSITIVE_INFINITY,
    checkpointWakeMs: Number.POSITIVE_INFINITY,
    checkpointPosition: -1,
    isCheckpointInFlight: false,
    renewedMs: 0,
    renewIntervalMs: 0,
  };
}

export function idOrder(a: Lease, b: Lease): number {
  if (a.id === b.id) return 0;
  return a.id < b.id ? -1 : 1;
}
