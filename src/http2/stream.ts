/**
 * One stream of a connection. Its fields are the connection's to change; the layer above reads them
 * and keeps its own state in `context`.
 */
import type { HeaderList, PreparedHeaders } from "./hpack-encoder.ts";

export class Stream<C> {
  readonly id: number;
  /** The layer above's object for this stream. */
  context: C | undefined = undefined;
  /** END_STREAM was sent (or stands in the queue's end: see `endPending`). */
  localEnded = false;
  /** END_STREAM was received. */
  remoteEnded = false;
  /** Ended on both sides or reset; the connection has forgotten it. */
  isClosed = false;
  /** A final header block of the peer has come (a request, or a response that is not 1xx). */
  headersReceived = false;
  headersSent = false;
  /** The peer is given no window while this holds. */
  isPaused = false;
  /** Window to send, without the peer's SETTINGS_INITIAL_WINDOW_SIZE. */
  sendWindowDelta = 0;
  /** What the peer may still send. */
  receiveWindow: number;
  /** Announced and not yet received; -1 when no content-length was given. */
  contentLengthLeft = -1;
  /** When it was opened, on the connection's clock. */
  readonly openedMs: number;

  /** Data that waits for window, oldest first, from `queueHead` on; made when first needed. */
  queue: Buffer[] | undefined = undefined;
  queueHead = 0;
  /** Bytes of `queue[queueHead]` that were sent. */
  queueOffset = 0;
  queuedBytes = 0;
  /** After the queue: trailers, or with `endPending` alone an END_STREAM on the last DATA. */
  trailers: PreparedHeaders | HeaderList | undefined = undefined;
  endPending = false;
  /** Stands in the connection's list of streams that could send. */
  isWaiting = false;
  /** `sendData` said false; `onDrain` is owed. */
  wantsDrain = false;

  constructor(id: number, receiveWindow: number, openedMs: number) {
    this.id = id;
    this.receiveWindow = receiveWindow;
    this.openedMs = openedMs;
  }
}
