export type { CheckpointPlace } from "./checkpoint.ts";
export { LostRecord } from "./records.ts";
export { openStore, type OpenStoreOptions } from "./restore.ts";
export type * from "./types.ts";
