export { type BboltPlan, planBboltFile, writeBboltFile } from "./bbolt-writer.ts";
export { DbHash, hashBuckets } from "./db-hash.ts";
export { CHUNK_BYTES, type SnapshotChunk, streamSnapshot } from "./stream.ts";
export type { BucketRow, BucketSource, RowCursor, StreamHash } from "./types.ts";
