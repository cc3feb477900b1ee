export { BackupService } from "./backup-service.ts";
export type { RestorePlan, RestoreTarget } from "./chain.ts";
export { BackupRefused } from "./errors.ts";
export { readMeta } from "./image-file.ts";
export { hasBackups } from "./locate.ts";
export { restoreBackups, type RestoreBackupsOptions } from "./restore-backups.ts";
export type { BackupMeasures, BackupSettings } from "./types.ts";
