/** The Snapshot call's stream (MA-07): the file in chunks, then its SHA-256. */
import { planBboltFile, writeBboltFile } from "./bbolt-writer.ts";
import type { BucketSource, StreamHash } from "./types.ts";

export const CHUNK_BYTES = 32 * 1024;

export interface SnapshotChunk {
  /** Bytes of the file that follow this chunk; the checksum does not count. */
  readonly remainingBytes: number;
  readonly blob: Buffer;
}

/**
 * Chunks of the file, then one more that holds the 32 bytes of the checksum. Every chunk belongs to
 * the caller. `hash` is new and takes each byte of the file once.
 */
export async function* streamSnapshot(
  buckets: readonly BucketSource[],
  hash: StreamHash,
): AsyncGenerator<SnapshotChunk, void, void> {
  const plan = await planBboltFile(buckets);
  let remainingBytes = plan.sizeBytes;
  for await (const blob of writeBboltFile(buckets, plan, CHUNK_BYTES)) {
    hash.update(blob);
    remainingBytes -= blob.length;
    yield { remainingBytes, blob };
  }
  const digest = hash.digest();
  yield { remainingBytes: 0, blob: Buffer.from(digest) };
}
