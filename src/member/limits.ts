/** Limits of the member's queues and slices; see base/limits.ts for those that clients see. */

/** Proposals waiting for a batch. Beyond: `too many requests`. */
export const PROPOSALS_MAX = 20_000;
/** One batch to the log. The rest waits for the next one. */
export const BATCH_ENTRIES_MAX = 4_096;
export const BATCH_BYTES_MAX = 8 * 1024 * 1024;
/** Entries applied before the event loop runs again: about 2 ms. */
export const APPLY_SLICE_ENTRIES = 256;
/** Expired leases are looked for this often (LE-08: etcd 500 ms). */
export const LEASE_SCAN_INTERVAL_MS = 200;
/** Revokes proposed by one scan; they share a batch. The rest waits for the next scan. */
export const LEASES_EXPIRED_MAX = 1_000;
/** Remaining times in one LeaseCheckpoint entry. */
export const LEASE_CHECKPOINTS_MAX = 1_000;
/** Records that one step of a compaction looks at, and the rest between steps (CP-04). */
export const COMPACT_STEP_RECORDS = 1_000;
export const COMPACT_STEP_INTERVAL_MS = 10;
/** Work units of one step of the watch hub before the event loop runs again. */
export const WATCH_STEP_WORK = 2_000;
/** Coarse time for timeouts and progress notifications. */
export const TICK_INTERVAL_MS = 50;
/** How often the key index is asked whether its file is old enough to be written anew. */
export const CHECKPOINT_CHECK_MS = 5_000;
/** Effects that wait for the store. Beyond: no batch is begun until the store has caught up. */
export const OVERLAY_BYTES_MAX = 128 * 1024 * 1024;
/** Bytes of proposals that followers passed on and that wait for a batch. Beyond: dropped. */
export const FORWARDED_BYTES_MAX = 64 * 1024 * 1024;
/** A round of reads without an answer is begun anew after this long, as in etcd. */
export const READ_RETRY_MS = 500;
/** Reads waiting for a round. Beyond: `too many requests`. */
export const READS_WAITING_MAX = 50_000;
/** Bytes of committed entries handed to the machine and not yet applied. */
export const APPLYING_BYTES_MAX = 8 * 1024 * 1024;
/** Bytes of a leader's log that are not committed yet. Beyond: proposals wait. */
export const UNCOMMITTED_BYTES_MAX = 256 * 1024 * 1024;
/** Changes of the membership, and transfers of the leadership, under way. Beyond: refused. */
export const CHANGES_WAITING_MAX = 1_000;
export const TRANSFERS_WAITING_MAX = 1_000;
/** Questions to the leader that are not answered. Beyond: `too many requests`. */
export const QUESTIONS_MAX = 50_000;
/** A question that no leader answered is asked again after this long (LE-04). */
export const QUESTION_RETRY_MS = 50;
/** What was proposed before a stop gets this long to be answered. */
export const CLOSE_WAIT_MS = 2_000;
/** A store that a snapshot has replaced is kept open this long for the reads under way. */
export const OLD_STORE_KEPT_MS = 10_000;
/** A moved commit index waits this long for entries to go along with. */
export const SHARE_COMMIT_MS = 2;
/** What the driver's work brings about is looked at this often before the event loop runs on. */
export const TURN_ROUNDS_MAX = 4;
/** Larger entries are not copied for the sake of a stamp (care/). */
export const STAMPED_BYTES_MAX = 64 * 1024;
/** A member that waits for a store says so again after this long. */
export const QUARANTINE_REPEAT_MS = 10_000;
/** What a member whose state is being healed is sent of another's store, in a second. */
export const RESYNC_BYTES_PER_SECOND = 24 * 1024 * 1024;
/** A store that was received waits this long for the log to reach it. */
export const RESYNC_WAIT_MS = 10_000;
/** A store is sent when others attest its state, or nobody has spoken against it for this long. */
export const ATTEST_WAIT_MS = 2_000;
/** A start waits this long for voters that do not answer, before it votes (`detect`). */
export const CONTACT_HEARTBEATS = 3;
/** What the others promised is on the disk at most this long after it was seen. */
export const FLOORS_SAVE_MS = 1_000;
/** A quarantined member asks the others to be replaced, and a learner to be promoted. */
export const REPLACE_RETRY_MS = 500;
/** A member that cannot be replaced says why again after this long. */
export const BLOCKED_REPEAT_MS = 10_000;
