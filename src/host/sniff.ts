import type { Socket } from "node:net";

/** First bytes of every HTTP/2 connection (RFC 9113 section 3.4); no HTTP/1 method is "PRI". */
const PREFACE_START = Buffer.from("PRI ");
/** Content type of a TLS record that holds a ClientHello (RFC 8446 section 5.1). */
const TLS_HANDSHAKE = 0x16;

export type Protocol = "tls" | "h2" | "http1";

/** undefined = more bytes are needed. */
function protocolOf(bytes: Buffer, mayBeTls: boolean): Protocol | undefined {
  if (mayBeTls && bytes[0] === TLS_HANDSHAKE) return "tls";
  const length = Math.min(bytes.length, PREFACE_START.length);
  if (bytes.compare(PREFACE_START, 0, length, 0, length) !== 0) return "http1";
  return bytes.length >= PREFACE_START.length ? "h2" : undefined;
}

/**
 * Reads the first bytes of a connection and tells which protocol they begin. The socket is paused
 * when `found` is called, and `bytes` are no longer in it. Within `deadlineMs` or the socket is
 * destroyed; a socket that closes before is never reported.
 */
export function sniff(
  socket: Socket,
  options: { readonly mayBeTls: boolean; readonly deadlineMs: number },
  found: (protocol: Protocol, bytes: Buffer) => void,
): void {
  let bytes: Buffer | undefined;
  const deadline = setTimeout(() => socket.destroy(), options.deadlineMs);
  deadline.unref();
  const stop = (): void => {
    clearTimeout(deadline);
    socket.off("data", onData);
    socket.off("close", stop);
    socket.off("error", ignore);
  };
  const onData = (chunk: Buffer): void => {
    bytes = bytes === undefined ? chunk : Buffer.concat([bytes, chunk]);
    const protocol = protocolOf(bytes, options.mayBeTls);
    if (protocol === undefined) return;
    socket.pause();
    stop();
    found(protocol, bytes);
  };
  socket.on("error", ignore);
  socket.on("close", stop);
  socket.on("data", onData);
  socket.resume();
}

/** The close event that follows is enough. */
function ignore(): void {}
