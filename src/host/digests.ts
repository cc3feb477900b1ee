/** seam/Digests by node:crypto. */
import { createHash, type Hash } from "node:crypto";
import type { Digest, Digests } from "../seam/index.ts";

function digestOf(hash: Hash): Digest {
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => hash.digest(),
  };
}

export const systemDigests: Digests = {
  sha1: () => digestOf(createHash("sha1")),
  sha256: () => digestOf(createHash("sha256")),
};
