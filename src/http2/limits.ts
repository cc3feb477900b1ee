/**
 * The limits of the HTTP/2 layer, each with what happens when it is reached. A connection takes
 * `Http2Limits`, so that tests can make them small; the defaults stand here.
 */
export interface Http2Limits {
  /** Streams of the peer open at once (SETTINGS_MAX_CONCURRENT_STREAMS). Beyond: REFUSED_STREAM. */
  readonly concurrentStreamsMax: number;
  /** Receive window of a stream. Beyond: FLOW_CONTROL_ERROR on the stream. */
  readonly streamWindowBytes: number;
  /** Receive window of the connection. Beyond: FLOW_CONTROL_ERROR on the connection. */
  readonly connectionWindowBytes: number;
  /** Decoded header list, by RFC 9113 6.5.2's measure. Beyond: ENHANCE_YOUR_CALM on the stream. */
  readonly headerListBytesMax: number;
  /** One header block on the wire. Beyond: ENHANCE_YOUR_CALM on the connection. */
  readonly headerBlockBytesMax: number;
  /** CONTINUATION frames in one header block. Beyond: ENHANCE_YOUR_CALM on the connection. */
  readonly continuationFramesMax: number;
  /** Bytes written but not yet taken by the driver. Beyond: the connection is closed. */
  readonly outputBytesMax: number;
  /** Bytes that wait for window on all streams together. Beyond: the connection is closed. */
  readonly queuedBytesMax: number;
  /** Bytes waiting on all streams at which new streams of the peer get REFUSED_STREAM. */
  readonly queuedBytesRefuse: number;
  /**
   * Frames that carry no request and no data (PING, SETTINGS, empty DATA ...) in excess of useful
   * ones.
   */
  readonly overheadFramesMax: number;
  /** How many of those are forgiven each second. */
  readonly overheadFramesPerSecond: number;
  /** Streams opened and at once reset by the peer, or broken by it. Beyond: ENHANCE_YOUR_CALM. */
  readonly rapidResetsMax: number;
  /** How many of those are forgiven each second. */
  readonly rapidResetsPerSecond: number;
}

export const HTTP2_LIMITS_DEFAULT: Http2Limits = {
  concurrentStreamsMax: 100_000,
  streamWindowBytes: 1024 * 1024,
  connectionWindowBytes: 16 * 1024 * 1024,
  headerListBytesMax: 64 * 1024,
  headerBlockBytesMax: 96 * 1024,
  continuationFramesMax: 32,
  outputBytesMax: 64 * 1024 * 1024,
  queuedBytesMax: 256 * 1024 * 1024,
  queuedBytesRefuse: 64 * 1024 * 1024,
  overheadFramesMax: 10_000,
  overheadFramesPerSecond: 1_000,
  rapidResetsMax: 1_000,
  rapidResetsPerSecond: 100,
};

/**
 * A stream reset by the peer within this time, with nothing sent on it, counts as a rapid reset.
 */
export const RAPID_RESET_MS = 1_000;
/** A peer that has not sent its SETTINGS by then is dropped. */
export const HANDSHAKE_MS = 120_000;
/**
 * Largest frame payload taken, RFC 9113's least (SETTINGS_MAX_FRAME_SIZE). Beyond:
 * FRAME_SIZE_ERROR.
 */
export const FRAME_BYTES_MAX = 16_384;
/**
 * HPACK dynamic table of either side, RFC 7541's default. A larger wish of the peer is not used.
 */
export const HEADER_TABLE_BYTES = 4_096;
/** Header blocks up to this length are remembered whole by the decoder. */
export const CACHED_BLOCK_BYTES_MAX = 64;
/** Slots for them; a power of two. A newer block takes the place of an older one. */
export const CACHED_BLOCKS = 32;
/** Largest window and window increment (RFC 9113 6.9.1). Beyond: FLOW_CONTROL_ERROR. */
export const WINDOW_BYTES_MAX = 0x7fff_ffff;
/** `sendData` answers false from here on: the stream's owner should wait for `onDrain`. */
export const STREAM_QUEUE_HIGH_BYTES = 256 * 1024;
/** `onDrain` comes when a stream's queue has fallen to this. */
export const STREAM_QUEUE_LOW_BYTES = 64 * 1024;
/** Output not yet taken at which queued stream data waits for the next turn. */
export const OUTPUT_BULK_BYTES = 256 * 1024;
/** Output not yet taken at which new stream data is queued too. */
export const OUTPUT_DIRECT_BYTES = 4 * 1024 * 1024;
/** Output chunks grow from the first to the second with what a connection sends in a turn. */
export const OUTPUT_CHUNK_BYTES_MIN = 1024;
export const OUTPUT_CHUNK_BYTES_MAX = 64 * 1024;
/** DATA frames sent are at most this long, even when the peer would take longer ones. */
export const SENT_FRAME_BYTES_MAX = 32 * 1024;
/** Ids of streams that were reset here, remembered so that late frames on them are ignored. */
export const RESET_STREAMS_REMEMBERED = 256;
