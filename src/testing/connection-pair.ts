/**
 * Two ends of a byte stream in memory. What is written at one end waits until `deliver`, so that a
 * test says when bytes travel, in which pieces, and how much an end that does not read may hold up.
 */
import type { Connection, ConnectionEvents, PeerInfo } from "../seam/index.ts";

export class PairedConnection implements Connection {
  readonly peer: PeerInfo = { address: "127.0.0.1:1", isTls: false };
  events: ConnectionEvents = { onData() {}, onDrain() {}, onClose() {} };
  other: PairedConnection | undefined = undefined;
  /** Bytes waiting from which on `write` answers false. */
  highBytes = 64 * 1024;
  isPaused = false;
  isEnding = false;
  isClosed = false;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #needsDrain = false;

  get bufferedBytes(): number {
    return this.#waitingBytes;
  }

  write(bytes: Uint8Array): boolean {
    if (this.isClosed || this.isEnding) return false;
    this.#waiting.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes < this.highBytes) return true;
    this.#needsDrain = true;
    return false;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  end(): void {
    this.isEnding = true;
  }

  destroy(): void {
    this.#close();
    this.other?.destroyByPeer();
  }

  destroyByPeer(): void {
    this.#close();
  }

  #close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.events.onClose();
  }

  /** Takes all that waits here without handing it to anyone. */
  takeWritten(): Buffer {
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    return bytes;
  }

  /**
   * Hands what waits here to the other end, whole or in pieces; says whether there was anything.
   */
  deliver(pieceBytes = Number.POSITIVE_INFINITY): boolean {
    const { other } = this;
    if (other === undefined || other.isPaused || this.isClosed) return false;
    const bytes = this.takeWritten();
    for (let at = 0; at < bytes.length && !other.isClosed; at += pieceBytes) {
      // A copy, because an owner of a chunk may keep it.
      other.events.onData(Buffer.from(bytes.subarray(at, Math.min(bytes.length, at + pieceBytes))));
    }
    if (this.#needsDrain && !this.isClosed) {
      this.#needsDrain = false;
      this.events.onDrain();
    }
    if (this.isEnding && !this.isClosed) this.destroy();
    return bytes.length > 0;
  }
}

export function connectionPair(): [PairedConnection, PairedConnection] {
  const one = new PairedConnection();
  const two = new PairedConnection();
  one.other = two;
  two.other = one;
  return [one, two];
}
