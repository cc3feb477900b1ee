/**
 * Frames of the two kinds of stream, taken from chunks as they come (PE-31 to PE-33).
 *
 * A field that lies in one chunk is read where it is; only what spans chunks is gathered. What a
 * length promises is not believed: memory is taken as the bytes arrive, and lengths have limits.
 *
 * Owns:   the chunks; messages and their entries are views into them.
 * Errors: `push` throws MalformedError; the stream is to be closed then.
 */
import { MalformedError } from "../base/index.ts";
import {
  decodeEntry,
  decodeRaftMessage,
  emptyRaftMessage,
  type Entry,
  type Message,
  MessageType,
} from "../wire/index.ts";
import {
  FRAME_APPEND,
  FRAME_LINK_HEARTBEAT,
  FRAME_MESSAGE,
  type StreamKind,
} from "./frame-encoder.ts";
import { FRAME_BYTES_MAX, FRAME_ENTRIES_MAX, TRUSTED_BYTES } from "./limits.ts";

/** What the next bytes are. */
const Step = {
  KIND: 0,
  COUNT: 1,
  ENTRY_SIZE: 2,
  ENTRY: 3,
  COMMIT: 4,
  SIZE: 5,
  MESSAGE: 6,
} as const;
type Step = (typeof Step)[keyof typeof Step];

const NOTHING: Buffer = Buffer.alloc(0);
const TWO_32 = 0x1_0000_0000;

export interface FrameDecoderOptions {
  readonly kind: StreamKind;
  /** At the two ends of the stream: append frames do not say. */
  readonly from: bigint;
  readonly to: bigint;
  /** Not told about link heartbeats. */
  readonly onMessage: (message: Message) => void;
}

export class FrameDecoder {
  readonly #options: FrameDecoderOptions;
  readonly #first: Step;
  #step: Step;
  /** Bytes that the step takes. */
  #need: number;
  /** The beginning of them, when a chunk ended in their middle. */
  #held: Buffer = NOTHING;
  #heldBytes = 0;
  #term = 0;
  #index = 0;
  #entries: Entry[] = [];
  #entriesLeft = 0;
  #frameBytes = 0;

  constructor(options: FrameDecoderOptions) {
    this.#options = options;
    this.#first = options.kind === "msgapp" ? Step.KIND : Step.SIZE;
    this.#step = this.#first;
    this.#need = options.kind === "msgapp" ? 1 : 8;
  }

  push(chunk: Buffer): void {
    let at = 0;
    if (this.#heldBytes > 0) {
      at = this.#hold(chunk, 0);
      if (this.#heldBytes < this.#need) return;
      const whole = this.#held;
      this.#held = NOTHING;
      this.#heldBytes = 0;
      this.#take(whole, 0);
    }
    while (chunk.length - at >= this.#need) {
      const start = at;
      at += this.#need;
      this.#take(chunk, start);
    }
    if (at < chunk.length) this.#hold(chunk, at);
  }

  /** Copies what the step still needs; answers where in the chunk that ends. */
  #hold(chunk: Buffer, at: number): number {
    const count = Math.min(this.#need - this.#heldBytes, chunk.length - at);
    const wanted = this.#heldBytes + count;
    if (wanted > this.#held.length) {
      const capacity = Math.min(this.#need, Math.max(TRUSTED_BYTES, 2 * wanted));
      const larger = Buffer.allocUnsafeSlow(capacity);
      this.#held.copy(larger, 0, 0, this.#heldBytes);
      this.#held = larger;
    }
    chunk.copy(this.#held, this.#heldBytes, at, at + count);
    this.#heldBytes = wanted;
    return at + count;
  }

  #next(step: Step, need: number): void {
    this.#step = step;
    this.#need = need;
  }

  #take(bytes: Buffer, at: number): void {
    switch (this.#step) {
      case Step.KIND:
        return this.#kind(bytes[at] as number);
      case Step.COUNT: {
        const count = readLength(bytes, at, FRAME_ENTRIES_MAX);
        this.#entries = [];
        this.#entriesLeft = count;
        this.#frameBytes = 0;
        return this.#nextEntry();
      }
      case Step.ENTRY_SIZE: {
        const size = readLength(bytes, at, FRAME_BYTES_MAX);
        this.#frameBytes += size;
        if (this.#frameBytes > FRAME_BYTES_MAX) throw new MalformedError("frame too long", at);
        return this.#next(Step.ENTRY, size);
      }
      case Step.ENTRY:
        this.#entries.push(decodeEntry(bytes, at, at + this.#need));
        this.#entriesLeft -= 1;
        return this.#nextEntry();
      case Step.COMMIT:
        return this.#append(readNumber(bytes, at));
      case Step.SIZE:
        return this.#next(Step.MESSAGE, readLength(bytes, at, FRAME_BYTES_MAX));
      case Step.MESSAGE:
        return this.#message(decodeRaftMessage(bytes, at, at + this.#need));
    }
  }

  #kind(kind: number): void {
    if (kind === FRAME_APPEND) this.#next(Step.COUNT, 8);
    else if (kind === FRAME_MESSAGE) this.#next(Step.SIZE, 8);
    else if (kind !== FRAME_LINK_HEARTBEAT) throw new MalformedError("unknown kind of frame", 0);
  }

  #nextEntry(): void {
    if (this.#entriesLeft > 0) this.#next(Step.ENTRY_SIZE, 8);
    else this.#next(Step.COMMIT, 8);
  }

  #append(commit: number): void {
    const message = emptyRaftMessage();
    message.type = MessageType.APP;
    message.from = this.#options.from;
    message.to = this.#options.to;
    message.term = this.#term;
    message.logTerm = this.#term;
    message.index = this.#index;
    message.entries = this.#entries;
    message.commit = commit;
    this.#index += message.entries.length;
    this.#entries = [];
    this.#next(Step.KIND, 1);
    this.#options.onMessage(message);
  }

  #message(message: Message): void {
    this.#next(this.#first, this.#first === Step.KIND ? 1 : 8);
    if (this.#first === Step.KIND) {
      this.#term = message.term;
      this.#index = message.entries.at(-1)?.index ?? message.index;
    } else if (isLinkHeartbeat(message)) return;
    this.#options.onMessage(message);
  }
}

function isLinkHeartbeat(message: Message): boolean {
  return message.type === MessageType.HEARTBEAT && message.from === 0n && message.to === 0n;
}

function readNumber(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * TWO_32 + bytes.readUInt32BE(at + 4);
}

function readLength(bytes: Buffer, at: number, max: number): number {
  const length = readNumber(bytes, at);
  if (length > max) throw new MalformedError("length beyond its limit", at);
  return length;
}
