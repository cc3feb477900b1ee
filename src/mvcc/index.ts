export {
  CHECKPOINT_KEY,
  checkpointName,
  checkpointNumber,
  type CheckpointPlace,
} from "./checkpoint.ts";
export { LostRecord } from "./records.ts";
export { hashRows, type RowsToHash } from "./hash-rows.ts";
export { openStore, type OpenStoreOptions, RecordsMissing } from "./restore.ts";
export type * from "./types.ts";
