export { checkpointIntervalMs, REVOKE_RETRY_MS } from "./deadlines.ts";
export { openLessor } from "./lessor.ts";
export type * from "./types.ts";
