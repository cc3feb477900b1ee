/**
 * Messages out of the bytes of a stream: each has a compression flag, a length and its bytes, and
 * lies across DATA frames and socket chunks in any way.
 *
 * A message that lies whole in a chunk is a view of it. One that does not is assembled in memory
 * that grows with what has really come, so that announcing a large message costs the announcer its
 * bytes.
 */
import { Code } from "../errors/index.ts";
import { KEPT_CHUNK_RATIO, MESSAGE_PREFIX_BYTES, MESSAGE_START_BYTES } from "./limits.ts";

/**
 * Memory for parts of messages and for messages not yet taken, shared by a connection's streams.
 */
export class BufferBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False when that would be too much; then nothing was taken. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

export interface MessageFault {
  readonly code: Code;
  readonly message: string;
}

export class MessageReader {
  /** Set when the stream cannot go on; `read` gives nothing any more. */
  fault: MessageFault | undefined = undefined;
  readonly #messageBytesMax: number;
  readonly #budget: BufferBudget;
  readonly #encoding: string;
  #chunk: Buffer | undefined = undefined;
  #lo = 0;
  #hi = 0;
  #prefix = 0;
  #prefixLength = 0;
  /** Length of the message under way; -1 between messages. */
  #length = -1;
  #assembly: Buffer | undefined = undefined;
  #assembled = 0;

  /** `encoding` is what the peer's grpc-encoding header said, for the text of a refusal. */
  constructor(messageBytesMax: number, budget: BufferBudget, encoding: string) {
    this.#messageBytesMax = messageBytesMax;
    this.#budget = budget;
    this.#encoding = encoding;
  }

  /** Hands in `chunk[lo, hi)`. Then `read` until it gives nothing, before the next `feed`. */
  feed(chunk: Buffer, lo: number, hi: number): void {
    this.#chunk = chunk;
    this.#lo = lo;
    this.#hi = hi;
  }

  /** The next whole message; undefined when there is none yet or `fault` is set. */
  read(): Buffer | undefined {
    if (this.fault !== undefined || this.#chunk === undefined) return undefined;
    if (this.#length < 0 && !this.#readPrefix(this.#chunk)) return undefined;
    const available = this.#hi - this.#lo;
    if (this.#assembly === undefined && available >= this.#length) {
      const lo = this.#lo;
      this.#lo += this.#length;
      this.#length = -1;
      return this.#chunk.subarray(lo, this.#lo);
    }
    return this.#assemble(this.#chunk, available);
  }

  /** Whether the bytes so far end inside a message. */
  get isInside(): boolean {
    return this.#length >= 0 || this.#prefixLength > 0;
  }

  /** Lets go of what is held. */
  close(): void {
    if (this.#assembly !== undefined) this.#budget.give(this.#assembly.length);
    this.#assembly = undefined;
    this.#chunk = undefined;
  }

  #readPrefix(chunk: Buffer): boolean {
    while (this.#prefixLength < MESSAGE_PREFIX_BYTES) {
      if (this.#lo >= this.#hi) {
        this.#chunk = undefined;
        return false;
      }
      const byte = chunk[this.#lo] as number;
      this.#lo += 1;
      if (this.#prefixLength === 0) this.#checkFlag(byte);
      else this.#prefix = this.#prefix * 256 + byte;
      this.#prefixLength += 1;
    }
    const length = this.#prefix;
    this.#prefix = 0;
    this.#prefixLength = 0;
    if (this.fault !== undefined) return false;
    if (length > this.#messageBytesMax) {
      const max = this.#messageBytesMax;
      const text = `grpc: received message larger than max (${length} vs. ${max})`;
      this.fault = { code: Code.RESOURCE_EXHAUSTED, message: text };
      return false;
    }
    this.#length = length;
    return true;
  }

  #checkFlag(flag: number): void {
    if (flag === 0) return;
    if (flag !== 1) {
      const text = `grpc: received unexpected payload format ${flag}`;
      this.fault = { code: Code.INTERNAL, message: text };
    } else if (this.#encoding === "" || this.#encoding === "identity") {
      const text = "grpc: compressed flag set with identity or empty encoding";
      this.fault = { code: Code.INTERNAL, message: text };
    } else {
      this.fault = noDecompressor(this.#encoding);
    }
  }

  #assemble(chunk: Buffer, available: number): Buffer | undefined {
    const part = Math.min(available, this.#length - this.#assembled);
    const target = this.#room(this.#assembled + part);
    if (target === undefined) return undefined;
    chunk.copy(target, this.#assembled, this.#lo, this.#lo + part);
    this.#assembled += part;
    this.#lo += part;
    if (this.#assembled < this.#length) {
      this.#chunk = undefined;
      return undefined;
    }
    this.#budget.give(target.length);
    this.#assembly = undefined;
    this.#assembled = 0;
    const length = this.#length;
    this.#length = -1;
    return target.length === length ? target : target.subarray(0, length);
  }

  #room(bytes: number): Buffer | undefined {
    const current = this.#assembly;
    if (current !== undefined && current.length >= bytes) return current;
    const doubled = current === undefined ? MESSAGE_START_BYTES : current.length * 2;
    const wanted = Math.min(this.#length, Math.max(bytes, doubled));
    if (!this.#budget.take(wanted - (current?.length ?? 0))) {
      const text = "grpc: too many incomplete messages on this connection";
      this.fault = { code: Code.RESOURCE_EXHAUSTED, message: text };
      return undefined;
    }
    const larger = Buffer.allocUnsafeSlow(wanted);
    if (current !== undefined) current.copy(larger, 0, 0, this.#assembled);
    this.#assembly = larger;
    return larger;
  }
}

export function noDecompressor(encoding: string): MessageFault {
  return {
    code: Code.UNIMPLEMENTED,
    message: `grpc: Decompressor is not installed for grpc-encoding ${JSON.stringify(encoding)}`,
  };
}

/** A message to keep for long: a copy when it is a small part of a large chunk. */
export function compact(message: Buffer): Buffer {
  const isSmallPart = message.buffer.byteLength > message.length * KEPT_CHUNK_RATIO;
  return isSmallPart ? Buffer.from(message) : message;
}
