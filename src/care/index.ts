export { type DivergenceRange, writeDivergence } from "./divergence.ts";
export type { EffectLog } from "./effect-log.ts";
export { isDamage } from "./damage.ts";
export { Consistency } from "./consistency.ts";
export { DigestingBackend } from "./digesting-backend.ts";
export { type CareEvent, type CareKind, type CareRow, Journal } from "./journal.ts";
export { Verifier } from "./verifier.ts";
export { Lives, type LivesView, type RollbackProtection } from "./lives.ts";
export { formatDigest, type StateChain } from "./state-chain.ts";
