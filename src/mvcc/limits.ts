/** Bytes of records that one `changesFrom` returns beyond a whole revision. */
export const CHANGES_BYTES_MAX = 4 * 1024 * 1024;
/** Rows that restore, hash and checkpoint take before they let the loop turn. */
export const SLICE_ROWS = 500;
/** Keys that one unit of a compaction step visits: visiting is cheaper than deleting. */
export const KEYS_PER_RECORD = 8;
