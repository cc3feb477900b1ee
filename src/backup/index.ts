export { BackupService } from "./backup-service.ts";
export type { RestorePlan, RestoreTarget } from "./chain.ts";
export { BackupRefused } from "./errors.ts";
export { readMeta } from "./image-reader.ts";
export { hasBackups } from "./locate.ts";
export { restoreBackups, type RestoreBackupsOptions } from "./restore-backups.ts";
export { ThreadImageReader } from "./thread-reader.ts";
export type { BackupMeasures, BackupSettings } from "./types.ts";
