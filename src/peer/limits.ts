/** The limits of the room, each with what happens when it is reached. */

/** Messages queued for one stream (PE-36). Beyond: dropped, and reported unreachable. */
export const STREAM_QUEUE_MESSAGES_MAX = 4096;
/** Bytes queued for one stream. Beyond: as above. */
export const STREAM_QUEUE_BYTES_MAX = 64 * 1024 * 1024;
/** A turn's frames go out together; a batch that passes this goes at once. */
export const FLUSH_BYTES = 64 * 1024;
/** Sent from a queue before everything else of the event loop has its turn. */
export const TURN_BYTES = 1024 * 1024;
/** POSTs of messages to one member under way (PE-36). */
export const PIPELINE_WORKERS = 4;
/** Messages that wait for one of them. Beyond: dropped, and reported unreachable. */
export const PIPELINE_QUEUE_MAX = 64;
export const PIPELINE_BYTES_MAX = STREAM_QUEUE_BYTES_MAX;

/** One message, or all entries of one append frame (PE-31). Beyond: the stream is closed. */
export const FRAME_BYTES_MAX = 512 * 1024 * 1024;
/** Entries of one append frame: an append of 1 MiB cannot hold as many. Beyond: as above. */
export const FRAME_ENTRIES_MAX = 1024 * 1024;
/** What is set aside on the word of a length; more is taken as it arrives. */
export const TRUSTED_BYTES = 1024 * 1024;
/** The message before a snapshot's file (PE-04). Beyond: 400. */
export const SNAPSHOT_MESSAGE_BYTES_MAX = 64 * 1024 * 1024;
/** Body of a lease question (PE-09) and of other small ones. Beyond: 400. */
export const QUESTION_BYTES_MAX = 64 * 1024;
export const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

/** Silence on a stream that ends it (PE-34); link heartbeats come three times as often. */
export const READ_TIMEOUT_MS = 5_000;
export const WRITE_TIMEOUT_MS = 5_000;
/** Connecting may take this much longer than an election timeout (PE-35). */
export const DIAL_TIMEOUT_MS = 1_000;
/** At least this long from one attempt of a stream to the next (PE-35). */
export const REDIAL_MS = 100;
/** A connection that its host had taken before the process ended is reset: asked once more. */
export const REDIAL_AFTER_RESET_MS = 10;
/** A member that was told it is removed asks again this seldom. */
export const REDIAL_REMOVED_MS = 1_000;
export const PROBE_PERIOD_MS = 4_000;
/** Clocks further apart than this are worth a warning (PE-05). */
export const CLOCK_DIFFERENCE_SECONDS_MAX = 1;

/** Attempts for one snapshot, each going on where the last one broke off. */
export const SNAPSHOT_ATTEMPTS_MAX = 5;
export const SNAPSHOT_RETRY_MS = 250;
/** Silence in the file, in either direction, that breaks an attempt off. */
export const SNAPSHOT_SILENCE_MS = 30_000;
/** From the last byte to the word that it is kept: the receiver syncs it and takes it over. */
export const SNAPSHOT_KEEP_MS = 5 * 60_000;

/** Members that are not in the configuration here, but have shown where they can be reached. */
export const REMOTES_MAX = 64;
/** What is queued when the transport closes gets this long to leave. */
export const CLOSE_MS = 200;
/** Added to two election timeouts, what a question may take (as etcd's requests). */
export const QUESTION_MS = 5_000;
/** A hash reads the whole store. */
export const HASH_MS = 60_000;
