/**
 * Which life of a cluster its data belongs to. The ids of members and clusters follow from URLs and
 * a token, so a cluster that was wiped and made anew has the same ones (E1); this is random, and is
 * drawn anew whenever a cluster goes on from an older state than its clients may have seen.
 *
 * A row of table `meta`, so it travels with snapshots; etcd passes it over.
 */
import type { Backend } from "../backend/index.ts";

export const INCARNATION_BYTES = 16;
export const META_INCARNATION = Buffer.from("holdfast_incarnation", "latin1");

/** In hex; undefined for a cluster that never began anew. */
export function readIncarnation(backend: Pick<Backend, "get">): string | undefined {
  return backend.get("meta", META_INCARNATION)?.toString("hex");
}

/** `bytes` are random, INCARNATION_BYTES of them. Durable with the caller's next commit. */
export function writeIncarnation(backend: Pick<Backend, "put">, bytes: Buffer): void {
  backend.put("meta", META_INCARNATION, bytes);
}
