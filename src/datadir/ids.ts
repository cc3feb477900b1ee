/**
 * Member and cluster ids, as etcd derives them, so that the same flags give the same ids
 * (surface 15.6).
 */
import type { Digests } from "../seam/index.ts";

/** First 8 bytes of SHA-1 over the sorted peer URLs and the cluster token (ID-01). */
export function deriveMemberId(
  peerUrls: readonly string[],
  token: string,
  digests: Digests,
): bigint {
  const digest = digests.sha1();
  digest.update(Buffer.from([...peerUrls].sort().join("") + token, "utf8"));
  return digest.digest().readBigUInt64BE(0);
}

/** First 8 bytes of SHA-1 over the ascending member ids, 8 bytes big-endian each (ID-02). */
export function deriveClusterId(memberIds: readonly bigint[], digests: Digests): bigint {
  const digest = digests.sha1();
  const ascending = [...memberIds].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  for (const id of ascending) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(id);
    digest.update(bytes);
  }
  return digest.digest().readBigUInt64BE(0);
}

/** Ids are shown as lowercase hex without leading zeros (ID-04). */
export function formatId(id: bigint): string {
  return id.toString(16);
}
