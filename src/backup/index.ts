export { BackupService } from "./backup-service.ts";
export {
  type Chain,
  planRestore,
  readChain,
  type RestorePlan,
  type RestoreTarget,
} from "./chain.ts";
export { BackupRefused } from "./errors.ts";
export { locatePlan } from "./locate.ts";
export { type ImageMeta, readMeta } from "./image-file.ts";
export { type Materialized, materialize, type MaterializeOptions } from "./materialize.ts";
export type { BackupMeasures, BackupParts, BackupSettings, BackupSource } from "./types.ts";
