/** Limits of the client library, each with what happens when it is reached. */

/** Time a unary call may take when nobody said. Beyond: DEADLINE_EXCEEDED. */
export const TIMEOUT_MS_DEFAULT = 10_000;
/** Time from the first packet to the server's HTTP/2 settings. Beyond: the endpoint has failed. */
export const CONNECT_TIMEOUT_MS_DEFAULT = 5_000;
/** Rest between attempts to connect, doubled from the first to the second by each failure. */
export const RECONNECT_MS_MIN = 50;
export const RECONNECT_MS_MAX = 2_000;
/** A connection that was lost sooner counts as an attempt that failed. */
export const STABLE_MS = 1_000;
/** Share by which rests vary, so that many clients do not come all at once. */
export const JITTER = 0.2;
/** An endpoint that answered UNAVAILABLE is asked only when there is no other, for this long. */
export const SUSPECT_MS = 3_000;
/** An endpoint that owes answers and gave none for this long is asked when there is no other. */
export const SILENT_MS = 1_000;
/** Attempts of one call. Beyond: its last failure stands. */
export const ATTEMPTS_MAX = 100;
/** Rest between rounds of attempts over all endpoints, doubled from the first to the second. */
export const RETRY_MS_MIN = 25;
export const RETRY_MS_MAX = 1_000;
/** Calls that wait for a connection. Beyond: RESOURCE_EXHAUSTED. */
export const WAITING_CALLS_MAX = 100_000;
/** Endpoints asked by name beside the client's own. Beyond: the longest unused is closed. */
export const EXTRA_ENDPOINTS_MAX = 64;
/** Messages kept for a reader of a stream. Beyond: the server is given no more window. */
export const STREAM_MESSAGES_MAX = 16;
/** Largest request, unless the client says otherwise (etcd's clients'). */
export const SEND_BYTES_MAX_DEFAULT = 2 * 1024 * 1024;
export const RECEIVE_BYTES_MAX_DEFAULT = 0x7fff_ffff;
/**
 * Silence after which a server that owes an answer is asked whether it is there. Together less than
 * TIMEOUT_MS_DEFAULT, so that a read can still be asked of another; servers refuse to be asked more
 * often than each 5 s.
 */
export const KEEPALIVE_TIME_MS_DEFAULT = 6_000;
export const KEEPALIVE_TIMEOUT_MS_DEFAULT = 3_000;
/** What servers are told as `client-api-version` (FR-22). */
export const CLIENT_API_VERSION = "3.7";
/**
 * What a watch keeps for its reader. Beyond: the watch is ended at the server and begun again where
 * it stopped once the reader has taken all.
 */
export const WATCH_QUEUE_BYTES_MAX = 4 * 1024 * 1024;
export const WATCH_QUEUE_BATCHES_MAX = 256;
/** Fragments of one answer kept until it is whole. Beyond: whole revisions are handed out. */
export const WATCH_FRAGMENTS_BYTES_MAX = 8 * 1024 * 1024;
/** How often it is looked at which leases are to be renewed. */
export const LEASE_TICK_MS = 250;
/** Time to live of a session's lease when nobody said (etcd's). */
export const SESSION_TTL_SECONDS_DEFAULT = 60;
