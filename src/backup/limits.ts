/** Limits of backups; what the operator sets is in settings. */

/** How fast files are written and read back: a backup leaves the disk to the member. */
export const BYTES_PER_SECOND_MAX = 32 * 1024 * 1024;
/** After so much work on what it is asked about its own store, other work between, it rests. */
export const WORK_MS = 2;
export const REST_MS = 10;
/** How often the log is looked at. A busy log must not have let go of entries in between. */
export const COLLECT_MS = 1_000;
/** Read from the log at once. */
export const COLLECT_BYTES = 512 * 1024;
/** A piece of the log is closed when it is this large, or old enough. */
export const PIECE_BYTES_MAX = 64 * 1024 * 1024;
/** A failed image is tried again after this long, this many times; then at the next period. */
export const RETRY_MS = 15_000;
export const RETRIES_MAX = 4;
/** How long a cluster may take to decide its incarnation before backups begin without. */
export const INCARNATION_WAIT_MS = 30_000;
/** A gap in the log asks for an image at once, but not more often than this. */
export const GAP_IMAGE_MS = 60_000;
/** Files kept at most. More images: the oldest go. More pieces: none is added until an image is. */
export const IMAGES_MAX = 1_000;
export const PIECES_MAX = 100_000;
/** What a stop waits for the open piece to be closed. */
export const CLOSE_MS = 1_000;
