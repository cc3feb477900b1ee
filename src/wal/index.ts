export { WalCorrupt, WalFailed, type WalFault } from "./errors.ts";
export { type CreateWalOptions, createWal, resumeWal } from "./open.ts";
export { type PieceHead, PieceReader, PieceWriter } from "./piece.ts";
export { type LogPoint, readSnapshots, readWal, WalReader, type WalTail } from "./reader.ts";
export { type GrowingLog, RangeReader } from "./range-reader.ts";
export type { WalMetadata, WalSnapshot } from "./record.ts";
export { listSegments, type Segment, SEGMENT_BYTES, walExists } from "./segment.ts";
export { TermRuns } from "./term-runs.ts";
export { Wal, WalMetrics, type WalOptions, type WalPosition } from "./wal.ts";
