/** Bytes of records that one `changesFrom` returns beyond a whole revision. */
export const CHANGES_BYTES_MAX = 4 * 1024 * 1024;
/** Rows that restore, hash and checkpoint take before they let the loop turn. */
export const SLICE_ROWS = 500;
/** Keys visited, or revisions sorted, for one record in a compaction step: they cost less. */
export const STEPS_PER_RECORD = 4;
/** Keys of the index that are visited before the loop turns. */
export const SLICE_KEYS = 5_000;
/**
 * Records since the last checkpoint that make a new one due, or as many as there are keys if more:
 * so a put pays for writing one key of the index at most.
 */
export const CHECKPOINT_RECORDS = 100_000;
/** Of the keys, what makes a last one due at an orderly stop: the next start is worth more. */
export const CHECKPOINT_LAST_SHARE = 0.25;
