/**
 * Leases. What is replicated (ids, TTLs, stored remaining times, attached keys) changes only by
 * apply; deadlines exist on the leader alone, in memory, in the milliseconds of a monotonic clock
 * that the caller hands in. See docs/internals/lease.md and decision 0010.
 */
import type { Key } from "../base/index.ts";
import type { EtcdError } from "../errors/index.ts";
import type { LeaseCheckpoint } from "../wire/index.ts";

export interface LeaseTimeToLive {
  /** Whole seconds left, rounded down, never negative; where nothing expires, the granted TTL. */
  readonly ttlSeconds: number;
  readonly grantedTtlSeconds: number;
}

/** The replicated side: only apply/ calls what changes something. */
export interface LeaseTable {
  has(id: bigint): boolean;
  readonly size: number;
  /** 0 when there is no such lease. */
  grantedTtlSeconds(id: bigint): number;
  /** The lease that holds `key`; 0n when none does. */
  leaseOf(key: Key): bigint;
  /** Keys attached to a lease, sorted; empty when there is no such lease. */
  keysOf(id: bigint): Key[];

  /** Undefined when granted; a refusal leaves everything as it was. The TTL is taken as it is. */
  grant(id: bigint, ttlSeconds: number): EtcdError | undefined;
  /**
   * Drops the lease and its row and returns the keys that were attached, sorted, for the caller to
   * delete in the same transaction (AP-06); undefined when there is no such lease.
   */
  revoke(id: bigint): Key[] | undefined;
  /** A key that was put with lease `id` (0n = none), taken from the lease that held it before. */
  attach(id: bigint, key: Key): void;
  /** A key that was deleted. */
  detach(key: Key): void;
  /** Stores remaining times; unknown leases are passed over (LE-07). */
  checkpoint(checkpoints: readonly LeaseCheckpoint[]): void;
}

/** The leader's side: time. On other members nothing expires. */
export interface LeaseClock {
  readonly isPrimary: boolean;
  /**
   * Starts the deadlines of all leases: the remaining time (stored or full) plus `extendMs`, spread
   * so that no second sees more than 750 of them when there are 1 000 leases or more (LE-09).
   */
  promote(nowMs: number, extendMs: number): void;
  /** Forgets all deadlines (LE-10). */
  demote(): void;
  /**
   * Starts a new deadline. Returns the TTL in seconds, 0 when the lease is unknown, expired or this
   * member is not primary (LE-04). If `needsCheckpointClear(id)` holds after it, the answer to the
   * client waits until a checkpoint of 0 for this lease, proposed after this call, was applied.
   */
  renew(id: bigint, nowMs: number): number;
  /** A remaining time is stored, or on its way, that is shorter than what a client may be told. */
  needsCheckpointClear(id: bigint): boolean;
  /** Undefined when there is no such lease. */
  timeToLive(id: bigint, nowMs: number): LeaseTimeToLive | undefined;
  /** All ids, the one that expires first in front (LE-06). */
  list(): bigint[];
  /**
   * At most `limit` leases whose time is over, for the caller to revoke by proposals. One that is
   * still there REVOKE_RETRY_MS later is returned again (LE-08). Also starts the deadlines of
   * leases granted since the last call, so it is to be called every 500 ms or more often.
   */
  expired(nowMs: number, limit: number): bigint[];
  /**
   * At most `limit` remaining times that should be replicated, for the caller to propose as one
   * LeaseCheckpoint entry.
   */
  dueCheckpoints(nowMs: number, limit: number): LeaseCheckpoint[];
  /** Those checkpoints were never proposed (not: their fate is unknown). */
  checkpointsDropped(checkpoints: readonly LeaseCheckpoint[]): void;
}

export interface Lessor extends LeaseTable, LeaseClock {}
