/** Limits of the gRPC layer, each with what happens when it is reached. */
import { GRPC_OVERHEAD_BYTES, REQUEST_BYTES_MAX } from "../base/index.ts";
import { HTTP2_LIMITS_DEFAULT, type Http2Limits } from "../http2/index.ts";

export interface GrpcLimits {
  /** Largest message received (FR-01). Beyond: RESOURCE_EXHAUSTED, before it is buffered. */
  readonly receiveMessageBytesMax: number;
  /** Largest message sent (FR-02). Beyond: RESOURCE_EXHAUSTED. */
  readonly sendMessageBytesMax: number;
  /** Parts of messages and messages not yet taken, per connection. Beyond: RESOURCE_EXHAUSTED. */
  readonly bufferedBytesMax: number;
  /** Body of a plain HTTP request. Beyond: status 413. */
  readonly httpBodyBytesMax: number;
  /** Bytes at the socket, not yet with the kernel, at which nothing more is read from it. */
  readonly socketBytesPause: number;
  readonly http2: Http2Limits;
}

export const GRPC_LIMITS_DEFAULT: GrpcLimits = {
  receiveMessageBytesMax: REQUEST_BYTES_MAX + GRPC_OVERHEAD_BYTES,
  sendMessageBytesMax: 0x7fff_ffff,
  bufferedBytesMax: 64 * 1024 * 1024,
  httpBodyBytesMax: 4 * 1024 * 1024,
  socketBytesPause: 1024 * 1024,
  http2: HTTP2_LIMITS_DEFAULT,
};

/** Compression flag and length before each message. */
export const MESSAGE_PREFIX_BYTES = 5;
/** A message under way is given memory by this at first, then as it grows. */
export const MESSAGE_START_BYTES = 64 * 1024;
/** A kept message whose chunk is this many times larger is copied, so as not to hold the chunk. */
export const KEPT_CHUNK_RATIO = 4;
/** Longest `grpc-message` sent; the rest is cut. */
export const STATUS_MESSAGE_BYTES_MAX = 8 * 1024;
/** How often deadlines, keepalive and flood counters are looked at. */
export const TICK_MS = 50;
/** A connection that was told to close gets this long to take the last bytes. */
export const CLOSE_GRACE_MS = 5_000;
/** Calls of a client that wait for the server's stream limit. Beyond: RESOURCE_EXHAUSTED. */
export const CLIENT_WAITING_CALLS_MAX = 100_000;
