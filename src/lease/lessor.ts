/**
 * Leases and their table: which exist, which keys they hold, and, on the primary, how long they
 * live (deadlines.ts).
 *
 * Source: surface 4 and 19 (bucket `lease`: 8 bytes big-endian id -> leasepb.Lease).
 */
import type { Backend } from "../backend/index.ts";
import { assert, type Key, LEASE_TTL_SECONDS_MAX, MalformedError } from "../base/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import type { LeaseCheckpoint } from "../wire/index.ts";
import { LeaseDeadlines } from "./deadlines.ts";
import { idOrder, type Lease, newLease } from "./lease.ts";
import { decodeLeaseRow, encodeLeaseRow, leaseRowKey } from "./row.ts";
import type { Lessor, LeaseTimeToLive } from "./types.ts";

const SCAN_ROWS = 10_000;
const NO_KEYS: Key[] = [];

/**
 * Reads the table of leases. The keys that they hold are not in it: the store calls `attach` for
 * each live key with a lease while it rebuilds its index (LE-11).
 */
export function openLessor(backend: Backend): Lessor {
  const lessor = new StoredLessor(backend);
  let lo: Buffer = Buffer.alloc(0);
  for (;;) {
    const rows = backend.scan("lease", lo, undefined, SCAN_ROWS);
    for (const row of rows) lessor.restore(row.value);
    const last = rows[rows.length - 1];
    if (rows.length < SCAN_ROWS || last === undefined) return lessor;
    lo = Buffer.concat([last.key, Buffer.alloc(1)]);
  }
}

class StoredLessor implements Lessor {
  readonly #backend: Backend;
  readonly #leases = new Map<bigint, Lease>();
  /** Invariant: `#leaseByKey.get(key) === lease` exactly if `lease.keys.has(key)`. */
  readonly #leaseByKey = new Map<Key, Lease>();
  readonly #deadlines = new LeaseDeadlines();
  isPrimary = false;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  restore(row: Buffer): void {
    try {
      const lease = decodeLeaseRow(row);
      this.#leases.set(lease.id, lease);
    } catch (error) {
      // The backend has checked the record: a row that is no lease was never written by apply.
      if (!(error instanceof MalformedError)) throw error;
    }
  }

  has(id: bigint): boolean {
    return this.#leases.has(id);
  }

  get size(): number {
    return this.#leases.size;
  }

  grantedTtlSeconds(id: bigint): number {
    return this.#leases.get(id)?.ttlSeconds ?? 0;
  }

  leaseOf(key: Key): bigint {
    return this.#leaseByKey.get(key)?.id ?? 0n;
  }

  keysOf(id: bigint): Key[] {
    const lease = this.#leases.get(id);
    return lease === undefined ? NO_KEYS : [...lease.keys].sort();
  }

  grant(id: bigint, ttlSeconds: number): EtcdError | undefined {
    if (id === 0n) return errors.LeaseNotFound;
    if (!(ttlSeconds <= LEASE_TTL_SECONDS_MAX)) return errors.LeaseTTLTooLarge;
    if (this.#leases.has(id)) return errors.LeaseExist;
    // Proposals carry the effective TTL (DV-06); a foreign member's may not.
    const lease = newLease(id, Math.max(1, ttlSeconds), 0);
    this.#leases.set(id, lease);
    this.#backend.put("lease", leaseRowKey(id), encodeLeaseRow(lease));
    if (this.isPrimary) this.#deadlines.admit(lease);
    return undefined;
  }

  revoke(id: bigint): Key[] | undefined {
    const lease = this.#leases.get(id);
    if (lease === undefined) return undefined;
    this.#leases.delete(id);
    for (const key of lease.keys) this.#leaseByKey.delete(key);
    this.#deadlines.drop(lease);
    this.#backend.delete("lease", leaseRowKey(id));
    return [...lease.keys].sort();
  }

  attach(id: bigint, key: Key): void {
    if (id === 0n) {
      this.detach(key);
      return;
    }
    const lease = this.#leases.get(id);
    const before = this.#leaseByKey.get(key);
    if (before === lease) return;
    if (before !== undefined) before.keys.delete(key);
    if (lease === undefined) {
      this.#leaseByKey.delete(key);
      return;
    }
    lease.keys.add(key);
    this.#leaseByKey.set(key, lease);
  }

  detach(key: Key): void {
    if (this.#leaseByKey.size === 0) return;
    const lease = this.#leaseByKey.get(key);
    if (lease === undefined) return;
    lease.keys.delete(key);
    this.#leaseByKey.delete(key);
  }

  checkpoint(checkpoints: readonly LeaseCheckpoint[]): void {
    for (const { id, remainingTtlSeconds } of checkpoints) {
      const lease = this.#leases.get(id);
      if (lease === undefined) continue;
      const remaining = Math.max(0, Math.min(remainingTtlSeconds, lease.ttlSeconds));
      if (remaining > 0) lease.isCheckpointInFlight = false;
      if (remaining === lease.remainingTtlSeconds) continue;
      lease.remainingTtlSeconds = remaining;
      this.#backend.put("lease", leaseRowKey(id), encodeLeaseRow(lease));
    }
  }

  promote(nowMs: number, extendMs: number): void {
    assert(extendMs >= 0, "lessor: promotion must not shorten leases");
    this.#deadlines.stopAll(this.#leases.values());
    this.#deadlines.startAll(this.#leases.values(), nowMs, extendMs);
    this.isPrimary = true;
  }

  demote(): void {
    this.isPrimary = false;
    this.#deadlines.stopAll(this.#leases.values());
  }

  renew(id: bigint, nowMs: number): number {
    if (!this.isPrimary) return 0;
    const lease = this.#leases.get(id);
    if (lease === undefined) return 0;
    // Its revocation may be on its way: what is over stays over.
    if (lease.expiryMs <= nowMs) return 0;
    lease.renewIntervalMs = lease.renewedMs > 0 ? nowMs - lease.renewedMs : 0;
    lease.renewedMs = nowMs;
    this.#deadlines.start(lease, nowMs, nowMs + lease.ttlSeconds * 1_000);
    return lease.ttlSeconds;
  }

  needsCheckpointClear(id: bigint): boolean {
    const lease = this.#leases.get(id);
    return lease !== undefined && (lease.remainingTtlSeconds > 0 || lease.isCheckpointInFlight);
  }

  timeToLive(id: bigint, nowMs: number): LeaseTimeToLive | undefined {
    const lease = this.#leases.get(id);
    if (lease === undefined) return undefined;
    const grantedTtlSeconds = lease.ttlSeconds;
    if (lease.expiryMs === Number.POSITIVE_INFINITY) {
      return { ttlSeconds: grantedTtlSeconds, grantedTtlSeconds };
    }
    const ttlSeconds = Math.max(0, Math.floor((lease.expiryMs - nowMs) / 1_000));
    return { ttlSeconds, grantedTtlSeconds };
  }

  list(): bigint[] {
    const leases = [...this.#leases.values()];
    leases.sort((a, b) => (a.expiryMs === b.expiryMs ? idOrder(a, b) : a.expiryMs - b.expiryMs));
    return leases.map((lease) => lease.id);
  }

  expired(nowMs: number, limit: number): bigint[] {
    if (!this.isPrimary) return [];
    this.#deadlines.startFresh(nowMs);
    return this.#deadlines.expired(nowMs, limit);
  }

  dueCheckpoints(nowMs: number, limit: number): LeaseCheckpoint[] {
    if (!this.isPrimary) return [];
    this.#deadlines.startFresh(nowMs);
    return this.#deadlines.dueCheckpoints(nowMs, limit);
  }

  checkpointsDropped(checkpoints: readonly LeaseCheckpoint[]): void {
    for (const { id } of checkpoints) {
      const lease = this.#leases.get(id);
      if (lease !== undefined) lease.isCheckpointInFlight = false;
    }
  }
}
