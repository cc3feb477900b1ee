import { ByteWriter } from "../base/index.ts";

const shared = new ByteWriter(64 * 1024);

/**
 * One message as bytes of its own: `marshal(encodeKeyValue, kv)`. An encoder never calls this, so
 * one shared writer is enough.
 */
export function marshal<T>(encode: (writer: ByteWriter, message: T) => void, message: T): Buffer {
  shared.reset();
  encode(shared, message);
  return shared.take();
}
