/** Metrics of scheduled backups, and none without them. */
import type { BackupMeasures } from "../backup/index.ts";
import { counter, gauge, type MetricSource } from "../gateway/index.ts";

export function backupMetrics(measures: BackupMeasures | undefined): MetricSource[] {
  if (measures === undefined) return [];
  const one = (name: string, help: string, read: () => number): MetricSource =>
    counter(`holdfast_backup_${name}_total`, help, read);
  const now = (name: string, help: string, read: () => number): MetricSource =>
    gauge(`holdfast_backup_${name}`, help, read);
  return [
    one("images", "Backups of the store that were made and checked.", () => measures.images),
    one("image_failures", "Backups of the store that failed.", () => measures.imageFailures),
    one(
      "image_mismatches",
      "Backups of the store that did not say what the store says.",
      () => measures.imageMismatches,
    ),
    one("log_pieces", "Pieces of the log that were archived.", () => measures.pieces),
    one("log_failures", "Times that the log could not be archived.", () => measures.pieceFailures),
    one("log_gaps", "Times that the log went on without the archive.", () => measures.gaps),
    one("written_bytes", "Bytes of finished files.", () => measures.bytesWritten),
    now(
      "last_image_timestamp_seconds",
      "Of which moment the newest checked backup of the store is; 0 = there is none.",
      () => (measures.lastImage?.timeMs ?? 0) / 1000,
    ),
    now(
      "last_image_revision",
      "Revision of the newest checked backup of the store.",
      () => measures.lastImage?.revision ?? 0,
    ),
    now("last_image_duration_seconds", "How long it took.", () => measures.lastImageSeconds),
    now("last_image_bytes", "How large it is.", () => measures.lastImageBytes),
    now(
      "log_timestamp_seconds",
      "Up to which moment the log is archived; 0 = it is not.",
      () => measures.archivedTimeMs / 1000,
    ),
    now("log_index", "Up to which entry the log is archived.", () => measures.archivedIndex),
  ];
}
