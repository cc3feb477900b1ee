export { PAGE_BYTES, PAGE_HEADER_BYTES } from "./bbolt-format.ts";
export { BboltFile } from "./bbolt-reader.ts";
export { BboltPages, type BboltSurvey, type PageType } from "./bbolt-survey.ts";
export {
  type BboltPlan,
  BboltPlanner,
  BboltWriter,
  planBboltFile,
  writeBboltFile,
} from "./bbolt-writer.ts";
export { DbHash, hashBuckets } from "./db-hash.ts";
export { SnapshotCorrupt } from "./errors.ts";
export type { RawPage } from "./page-source.ts";
export { CHUNK_BYTES, type SnapshotChunk, streamSnapshot } from "./stream.ts";
export type { BucketRow, BucketSource, RowCursor, StreamHash } from "./types.ts";
export {
  CHECKSUM_BYTES,
  type SnapshotFile,
  type SnapshotStatus,
  snapshotStatus,
  verifySnapshotFile,
} from "./verify.ts";
