export { isDamage } from "./damage.ts";
export { Consistency } from "./consistency.ts";
export { DigestingBackend } from "./digesting-backend.ts";
export { formatDigest, type StateChain } from "./state-chain.ts";
