/** Frames of the two kinds of stream, written into a buffer that is reused (PE-31 to PE-33). */
import type { ByteWriter } from "../base/index.ts";
import {
  emptyRaftMessage,
  encodeEntry,
  encodeRaftMessage,
  type Entry,
  type Message,
  MessageType,
  sizeEntry,
} from "../wire/index.ts";

export type StreamKind = "msgapp" | "message";

export const FRAME_LINK_HEARTBEAT = 0;
export const FRAME_APPEND = 1;
export const FRAME_MESSAGE = 2;

/** Bytes of a message or an entry beside its payload: an estimate that is hardly ever exceeded. */
const OVERHEAD_BYTES = 64;

export interface FrameEncoder {
  encode(writer: ByteWriter, message: Message): void;
  encodeLinkHeartbeat(writer: ByteWriter): void;
}

export function frameEncoder(kind: StreamKind): FrameEncoder {
  return kind === "msgapp" ? new AppendEncoder() : MESSAGE_ENCODER;
}

const LINK_HEARTBEAT: Message = { ...emptyRaftMessage(), type: MessageType.HEARTBEAT };

const MESSAGE_ENCODER: FrameEncoder = {
  encode: encodeSized,
  encodeLinkHeartbeat: (writer) => encodeSized(writer, LINK_HEARTBEAT),
};

/** The msgappv2 form: an append that goes on from the last one is only its entries (PE-32). */
class AppendEncoder implements FrameEncoder {
  #term = 0;
  #index = 0;

  encode(writer: ByteWriter, message: Message): void {
    if (this.#goesOn(message)) {
      this.#encodeAppend(writer, message);
      return;
    }
    writer.byte(FRAME_MESSAGE);
    encodeSized(writer, message);
    this.#term = message.term;
    this.#index = message.entries.at(-1)?.index ?? message.index;
  }

  encodeLinkHeartbeat(writer: ByteWriter): void {
    writer.byte(FRAME_LINK_HEARTBEAT);
  }

  #goesOn(message: Message): boolean {
    return (
      message.index === this.#index &&
      message.logTerm === this.#term &&
      message.term === this.#term &&
      message.type === MessageType.APP &&
      // The short form has no place for it.
      message.context.length === 0
    );
  }

  #encodeAppend(writer: ByteWriter, message: Message): void {
    const { entries } = message;
    writer.ensure(roomFor(entries));
    writer.byte(FRAME_APPEND);
    length64(writer, entries.length);
    for (let at = 0; at < entries.length; at += 1) {
      const entry = entries[at] as Entry;
      length64(writer, sizeEntry(entry));
      encodeEntry(writer, entry);
    }
    length64(writer, message.commit);
    this.#index += entries.length;
  }
}

function encodeSized(writer: ByteWriter, message: Message): void {
  writer.ensure(roomFor(message.entries));
  const start = writer.length;
  length64(writer, 0);
  encodeRaftMessage(writer, message);
  const size = writer.length - start - 8;
  writer.buffer.writeUInt32BE(size, start + 4);
}

function roomFor(entries: readonly Entry[]): number {
  let room = 2 * OVERHEAD_BYTES;
  for (let at = 0; at < entries.length; at += 1) {
    room += OVERHEAD_BYTES + (entries[at] as Entry).data.length;
  }
  return room;
}

const TWO_32 = 0x1_0000_0000;

function length64(writer: ByteWriter, value: number): void {
  writer.fixed32Be(Math.floor(value / TWO_32));
  writer.fixed32Be(value >>> 0);
}
