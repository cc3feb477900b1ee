/** What a backup needs of the member, and what it tells. */
import type { AppliedPoint } from "../backend/index.ts";
import type { EtcdError } from "../errors/index.ts";
import type { HashOutcome } from "../mvcc/index.ts";
import type { Clock, Digests, Disk, Logger, SnapshotImage, Timers } from "../seam/index.ts";
import type { Entry } from "../wire/index.ts";
import type { ImageReader } from "./image-reader.ts";

/** A member, as backups see it; RaftMember is one. */
export interface BackupSource {
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly incarnation: string | undefined;
  /** The others say that its state is not theirs: nothing to keep. */
  readonly isQuarantined: boolean;
  /** One moment of the state. */
  readonly position: { readonly applied: AppliedPoint; readonly revision: number };
  readonly appliedLog: {
    term(index: number): number | undefined;
    read(
      lo: number,
      hi: number,
      bytesMax: number,
      termBefore: number,
    ): Promise<readonly Entry[] | "released">;
  };
  openImage(): Promise<{ readonly image: SnapshotImage; readonly applied: AppliedPoint }>;
  hashKv(revision: number, rest?: () => Promise<void>): Promise<HashOutcome | EtcdError>;
}

export interface BackupSettings {
  /** A directory; each member keeps one of its own in it. */
  readonly location: string;
  /** Between two images of the store. */
  readonly periodMs: number;
  /** Older images go, but for the newest. */
  readonly retentionMs: number;
  /** A piece of the log is closed after this long: what a loss of all members costs at most. */
  readonly logPeriodMs: number;
}

export interface BackupParts {
  readonly source: BackupSource;
  readonly settings: BackupSettings;
  readonly disk: Disk;
  readonly digests: Digests;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Reads a finished file back from the disk. */
  readonly openReader: (path: string) => Promise<ImageReader>;
}

/** Since the start; times are wall clock. */
export interface BackupMeasures {
  images: number;
  imageFailures: number;
  /** Images that were written and did not say what the member says. */
  imageMismatches: number;
  pieces: number;
  pieceFailures: number;
  /** Times that the log had let go of entries before they were archived. */
  gaps: number;
  bytesWritten: number;
  /** Of the newest image in the directory, checked when it was made; undefined = none. */
  lastImage: { readonly timeMs: number; readonly revision: number } | undefined;
  lastImageSeconds: number;
  lastImageBytes: number;
  /** Up to here the log is archived. */
  archivedIndex: number;
  archivedTimeMs: number;
}
