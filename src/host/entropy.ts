import { randomBytes } from "node:crypto";
import type { Entropy } from "../seam/index.ts";

/** The kernel's generator, through OpenSSL. */
export const systemEntropy: Entropy = {
  bytes: (count) => randomBytes(count),
};
