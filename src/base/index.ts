export { ByteReader } from "./byte-reader.ts";
export { ByteWriter, sizeOfBig, sizeOfBytes, sizeOfInt, sizeOfUint } from "./byte-writer.ts";
export { MalformedError } from "./malformed.ts";
export { assert, AssertionError, unreachable } from "./assert.ts";
export { crc32c } from "./crc32c.ts";
export { bytesFromLatin1, latin1FromBytes, latin1FromText, type Key } from "./latin1.ts";
export * from "./limits.ts";
export { Counter, exponentialBounds, Histogram } from "./metrics.ts";
export { Prng } from "./prng.ts";
