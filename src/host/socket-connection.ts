import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Connection, ConnectionEvents, PeerInfo } from "../seam/index.ts";

/** What a connection that is being closed may take to hand over its last bytes. */
const LINGER_MS = 10_000;

const IPV4_IN_IPV6 = "::ffff:";

const NOT_OWNED: ConnectionEvents = { onData() {}, onDrain() {}, onClose() {} };

/** By its mark, so that programs without TLS need not load it. */
function isTlsSocket(socket: Socket): socket is TLSSocket {
  return (socket as TLSSocket).encrypted === true;
}

/** Who is at the other end of a connected socket (and, with TLS, after the handshake). */
export function peerOf(socket: Socket): PeerInfo {
  const isTls = isTlsSocket(socket);
  let address = socket.remoteAddress ?? "";
  if (address.startsWith(IPV4_IN_IPV6)) address = address.slice(IPV4_IN_IPV6.length);
  if (address.includes(":")) address = `[${address}]`;
  address = address === "" ? "unix" : `${address}:${socket.remotePort ?? 0}`;
  if (!isTls || !socket.authorized) return { address, isTls };
  const name = socket.getPeerCertificate().subject?.CN as string | string[] | undefined;
  const commonName = Array.isArray(name) ? name.at(-1) : name;
  if (commonName === undefined) return { address, isTls };
  return { address, isTls, certificateCommonName: commonName };
}

/**
 * A socket, plain or TLS, as seam/Connection. One `write` is one write to the kernel; what is read
 * arrives in buffers of its own that nobody else keeps.
 */
export class SocketConnection implements Connection {
  readonly peer: PeerInfo;
  events: ConnectionEvents = NOT_OWNED;
  readonly #socket: Socket;
  #error: Error | undefined;
  #isPausedByOwner = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.peer = peerOf(socket);
    socket.on("error", (error: Error) => {
      this.#error = error;
    });
  }

  /** Begins to read; `first` are bytes that were read already. Call once, with `events` set. */
  start(first?: Buffer): void {
    const socket = this.#socket;
    socket.on("close", () => {
      const events = this.events;
      this.events = NOT_OWNED;
      events.onClose(this.#error);
    });
    socket.on("drain", () => this.events.onDrain());
    socket.on("end", () => this.#linger());
    if (first !== undefined) this.events.onData(first);
    socket.on("data", (chunk: Buffer) => this.events.onData(chunk));
    if (!socket.destroyed && !this.#isPausedByOwner) socket.resume();
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    if (!socket.writable) return false;
    return socket.write(bytes);
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  pause(): void {
    this.#isPausedByOwner = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPausedByOwner = false;
    this.#socket.resume();
  }

  end(): void {
    this.#linger();
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** A peer that takes nothing more must not keep a closing connection alive. */
  #linger(): void {
    this.#socket.setTimeout(LINGER_MS, () => this.#socket.destroy());
  }
}
