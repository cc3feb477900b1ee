/** Raising the revision of a store beyond all that clients may have seen (UT-04). */
import type { Backend } from "../backend/index.ts";

/**
 * A record without a pair holds the revision; compaction up to it is due when the store opens, so
 * that whoever reads or watches from before is told that it is compacted.
 */
export function bumpRevision(backend: Backend, revision: number): void {
  const key = Buffer.alloc(17, "_");
  key.writeBigUInt64BE(BigInt(revision), 0);
  key.writeBigUInt64BE(0n, 9);
  backend.put("key", key, Buffer.alloc(0));
  backend.put("meta", Buffer.from("scheduledCompactRev", "latin1"), key);
}
