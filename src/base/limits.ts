/**
 * The limits of the whole program, in one place, each with what happens when it is reached.
 * A room's own limits that nobody else needs stay in the room.
 */

/** Largest request, before it is proposed (surface FR-03). Beyond: `request is too large`. */
export const REQUEST_BYTES_MAX = 1_572_864;
/** What gRPC messages may exceed REQUEST_BYTES_MAX by (FR-01). Beyond: ResourceExhausted. */
export const GRPC_OVERHEAD_BYTES = 512 * 1024;
/** Operations in one level of a transaction (FR-09). Beyond: `too many operations`. */
export const TXN_OPS_MAX = 128;
/** Log entries committed but not yet applied (FR-10). Beyond: `too many requests`. */
export const APPLY_GAP_MAX = 5_000;
/** Seconds a lease may live (LE-01). Beyond: `too large lease TTL`. */
export const LEASE_TTL_SECONDS_MAX = 9_000_000_000;
/** Bytes that the store may hold unless told otherwise (QU-01). Beyond: NOSPACE. */
export const QUOTA_BYTES_DEFAULT = 2 * 1024 * 1024 * 1024;
