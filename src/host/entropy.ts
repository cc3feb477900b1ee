import type { Entropy } from "../seam/index.ts";

/** The kernel's generator, through OpenSSL. */
export const systemEntropy: Entropy = {
  // Loaded when it is wanted: a short command does without.
  bytes: (count) => process.getBuiltinModule("node:crypto").randomBytes(count),
};
