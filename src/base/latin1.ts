/**
 * Keys are binary on the wire and one-byte (latin1) strings inside.
 *
 * V8 stores such a string as one byte a character and compares two of them as unsigned bytes, so
 * string order is etcd's key order, and a Map or an array of keys needs no wrapper objects.
 */
export type Key = string;

declare global {
  /**
   * Node has these on every Buffer; @types/node leaves them out. No bounds checks: callers make
   * them.
   */
  interface Buffer {
    latin1Slice(lo?: number, hi?: number): string;
    latin1Write(text: string, offset?: number, length?: number): number;
    utf8Slice(lo?: number, hi?: number): string;
    utf8Write(text: string, offset?: number, length?: number): number;
  }
}

export function latin1FromBytes(bytes: Uint8Array): Key {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).latin1Slice();
}

export function bytesFromLatin1(key: Key): Buffer {
  return Buffer.from(key, "latin1");
}

/** UTF-8 text (a flag, a name) as a key. */
export function latin1FromText(text: string): Key {
  return Buffer.from(text, "utf8").latin1Slice();
}
