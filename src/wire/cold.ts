/**
 * Messages off the hot path, by the generated codecs: `encodeMessage(StatusResponseSchema, {...})`.
 * 64-bit fields are bigint here, bytes are Uint8Array, and absent fields of `init` are zero.
 */
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { MalformedError } from "../base/index.ts";

/** Owned by the caller. */
export function encodeMessage<Schema extends DescMessage>(
  schema: Schema,
  init: MessageInitShape<Schema>,
): Buffer {
  const bytes = toBinary(schema, create(schema, init));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Fields of type bytes are views into `bytes`. Throws MalformedError and nothing else. */
export function decodeMessage<Schema extends DescMessage>(
  schema: Schema,
  bytes: Buffer,
): MessageShape<Schema> {
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch {
    // The runtime has several error types for bad input; none of them says where it stopped.
    throw new MalformedError("not a message of its type", 0);
  }
}
