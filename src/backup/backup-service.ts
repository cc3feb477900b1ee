/**
 * Scheduled backups of one member: an image of the store every period, the log in between, old
 * files removed. Every member that is given a location does this by itself, in a directory of its
 * own, so that one disk or one member less costs no backup.
 *
 * All of it is reading, from the side: nothing in the member waits for a backup, and no failure
 * here is the member's. What fails is told in the log and in the measures, and tried again.
 */
import { formatId, parentOf } from "../datadir/index.ts";
import type { Timer } from "../seam/index.ts";
import { readChain } from "./chain.ts";
import { BackupStopped, MemberQuarantined } from "./errors.ts";
import { checkImage, ImageMismatch, writeImage } from "./image-file.ts";
import {
  CLOSE_MS,
  COLLECT_MS,
  GAP_IMAGE_MS,
  INCARNATION_WAIT_MS,
  REST_MS,
  RETRIES_MAX,
  RETRY_MS,
  WORK_MS,
} from "./limits.ts";
import { LogArchiver } from "./log-archiver.ts";
import { nameImage, PART_SUFFIX } from "./names.ts";
import { Pace } from "./pace.ts";
import { expiredFiles } from "./retention.ts";
import type { BackupMeasures, BackupParts } from "./types.ts";

export class BackupService {
  readonly measures: BackupMeasures = {
    images: 0,
    imageFailures: 0,
    imageMismatches: 0,
    pieces: 0,
    pieceFailures: 0,
    gaps: 0,
    bytesWritten: 0,
    lastImage: undefined,
    lastImageSeconds: 0,
    lastImageBytes: 0,
    archivedIndex: 0,
    archivedTimeMs: 0,
  };
  readonly #parts: BackupParts;
  /** Images and the log, each at its own rate: the log must not wait for an image. */
  readonly #imagePace: Pace;
  readonly #logPace: Pace;
  readonly #collector: Timer;
  readonly #startedMs: number;
  #archiver: LogArchiver | undefined;
  #imageTimer: Timer | undefined;
  #retries = 0;
  #imageDueMs = 0;
  #imageStartedMs = Number.NEGATIVE_INFINITY;
  #isGapOpen = false;
  #restedMs = 0;
  /** The log is left alone until then, after a failure. */
  #collectFromMs = 0;
  #isCollectFailing = false;
  #collecting: Promise<void> | undefined;
  #imaging: Promise<void> | undefined;
  #isClosed = false;

  constructor(parts: BackupParts) {
    this.#parts = parts;
    this.#imagePace = new Pace(parts);
    this.#logPace = new Pace(parts);
    this.#startedMs = parts.clock.monotonicMs();
    this.#collector = parts.timers.every(COLLECT_MS, () => this.#tick());
    this.#tick();
  }

  /** Settles when nothing is under way; for tests. */
  async idle(): Promise<void> {
    while (this.#collecting !== undefined || this.#imaging !== undefined) {
      await this.#collecting;
      await this.#imaging;
    }
  }

  /** Closes the open piece if that is done soon; gives up the rest. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#collector.cancel();
    this.#imageTimer?.cancel();
    this.#imagePace.stop();
    const timer = Promise.withResolvers<void>();
    const deadline = this.#parts.timers.after(CLOSE_MS, timer.resolve);
    await Promise.race([this.#lastWords(), timer.promise]);
    deadline.cancel();
    this.#logPace.stop();
  }

  /** A location that hangs must not hold up the end of the process. */
  async #lastWords(): Promise<void> {
    await this.#collecting;
    if (this.#archiver !== undefined && !this.#isCollectFailing) {
      await this.#archiver.collect().catch(() => undefined);
      await this.#archiver.finish().catch(() => undefined);
    }
    await this.#archiver?.close();
    await this.#imaging;
  }

  #tick(): void {
    if (this.#isClosed || this.#collecting !== undefined) return;
    if (this.#parts.clock.monotonicMs() < this.#collectFromMs) return;
    this.#collecting = this.#collect().finally(() => {
      this.#collecting = undefined;
    });
  }

  /** Never rejects. */
  async #collect(): Promise<void> {
    try {
      if (this.#parts.source.isQuarantined) throw new MemberQuarantined();
      this.#archiver ??= await this.#begin();
      await this.#archiver?.collect();
      if (this.#isCollectFailing) this.#parts.logger.info("the log is archived again");
      this.#isCollectFailing = false;
    } catch (error) {
      this.#collectFailed(error);
    }
  }

  #collectFailed(error: unknown): void {
    if (error instanceof BackupStopped) return;
    const { clock, logger, settings } = this.#parts;
    this.measures.pieceFailures += 1;
    this.#collectFromMs = clock.monotonicMs() + RETRY_MS;
    if (this.#isCollectFailing) return;
    this.#isCollectFailing = true;
    logger.error("cannot archive the log; it is tried again every 15 s", {
      location: settings.location,
      error: messageOf(error),
    });
  }

  /** Undefined: later. */
  async #begin(): Promise<LogArchiver | undefined> {
    const { source, clock, disk, settings, logger } = this.#parts;
    const isWaiting = clock.monotonicMs() - this.#startedMs < INCARNATION_WAIT_MS;
    if (source.incarnation === undefined && isWaiting) return undefined;
    const life = source.incarnation ?? formatId(source.clusterId);
    const directory = `${settings.location}/${life}-${formatId(source.id)}`;
    await disk.makeDirectory(directory, 0o700);
    for (const made of [settings.location, directory]) await disk.syncDirectory(parentOf(made));
    await this.#removeLeftovers(directory);
    const chain = await readChain(disk, directory);
    const archiver = new LogArchiver({
      ...this.#parts,
      directory,
      pace: this.#logPace,
      pieceMs: settings.logPeriodMs,
      measures: this.measures,
      onGap: () => this.#gapFound(directory),
    });
    const newest = chain.images.at(-1);
    if (newest !== undefined) this.measures.lastImage = newest;
    const dueMs = newest === undefined ? 0 : newest.timeMs + settings.periodMs - clock.wallMs();
    this.#planImage(directory, Math.min(Math.max(0, dueMs), settings.periodMs));
    logger.info("backups are made", {
      directory,
      "period-ms": settings.periodMs,
      "log-period-ms": settings.logPeriodMs,
      "retention-ms": settings.retentionMs,
      "newest-backup": newest?.name ?? "none",
    });
    await archiver.resume(chain);
    return archiver;
  }

  /** Of a life that was killed: the next image may be far off, and what it left takes its room. */
  async #removeLeftovers(directory: string): Promise<void> {
    const { disk, logger } = this.#parts;
    for (const name of await disk.list(directory)) {
      if (!name.endsWith(PART_SUFFIX)) continue;
      await disk.remove(`${directory}/${name}`);
      logger.info("removed a backup that was not finished", { path: `${directory}/${name}` });
    }
  }

  /* Images */

  #planImage(directory: string, delayMs: number): void {
    if (this.#isClosed) return;
    this.#imageTimer?.cancel();
    this.#imageDueMs = this.#parts.clock.monotonicMs() + delayMs;
    this.#imageTimer = this.#parts.timers.after(delayMs, () => {
      this.#isGapOpen = false;
      this.#imaging = this.#image(directory).finally(() => {
        this.#imaging = undefined;
      });
    });
  }

  /** Only an image that begins from now on closes it. */
  #gapFound(directory: string): void {
    if (this.#isGapOpen) return;
    this.#isGapOpen = true;
    // The one under way plans the next when it is done.
    if (this.#imaging !== undefined) return;
    const nowMs = this.#parts.clock.monotonicMs();
    const soonMs = Math.max(0, this.#imageStartedMs + GAP_IMAGE_MS - nowMs);
    this.#planImage(directory, Math.min(soonMs, this.#imageDueMs - nowMs));
  }

  /** Never rejects; plans the next one. */
  async #image(directory: string): Promise<void> {
    const { settings, logger } = this.#parts;
    let nextMs = settings.periodMs;
    try {
      // What has expired may be the room that the new one needs.
      await this.#prune(directory);
      await this.#takeImage(directory);
      this.#retries = 0;
      if (this.#isGapOpen) nextMs = Math.min(nextMs, GAP_IMAGE_MS);
      await this.#prune(directory);
    } catch (error) {
      if (error instanceof BackupStopped) return;
      this.measures.imageFailures += 1;
      if (error instanceof ImageMismatch) this.measures.imageMismatches += 1;
      this.#retries = this.#retries >= RETRIES_MAX ? 0 : this.#retries + 1;
      if (this.#retries > 0) nextMs = Math.min(nextMs, RETRY_MS);
      logger.error("cannot back up the store", {
        directory,
        error: messageOf(error),
        "next-attempt-ms": nextMs,
      });
    } finally {
      this.#planImage(directory, nextMs);
    }
  }

  async #takeImage(directory: string): Promise<void> {
    const { source, disk, digests, clock, logger } = this.#parts;
    const pace = this.#imagePace;
    const path = `${directory}/image${PART_SUFFIX}`;
    const startMs = clock.monotonicMs();
    this.#imageStartedMs = startMs;
    const timeMs = clock.wallMs();
    try {
      if (source.isQuarantined) throw new MemberQuarantined();
      const { image, applied } = await source.openImage();
      let bytes: number;
      try {
        bytes = await writeImage(image, { disk, digests, pace, path });
      } finally {
        image.close();
      }
      const reader = await this.#parts.openReader(path);
      let revision: number;
      try {
        const rest = (): Promise<void> => this.#rest();
        revision = await checkImage({ path, reader, source, applied, rest });
      } finally {
        await reader.close();
      }
      // It may have come out while the image was on its way.
      if (source.isQuarantined) throw new MemberQuarantined();
      const named = nameImage({ timeMs, revision, index: applied.index });
      await disk.rename(path, `${directory}/${named.name}`);
      await disk.syncDirectory(directory);
      this.measures.images += 1;
      this.measures.bytesWritten += bytes;
      this.measures.lastImage = named;
      this.measures.lastImageBytes = bytes;
      this.measures.lastImageSeconds = (clock.monotonicMs() - startMs) / 1000;
      logger.info("backed up the store, and checked the backup", {
        path: `${directory}/${named.name}`,
        revision,
        "size-bytes": bytes,
        "took-ms": Math.round(clock.monotonicMs() - startMs),
      });
    } catch (error) {
      await disk.remove(path).catch(() => undefined);
      throw error;
    }
  }

  /**
   * Puts are never to feel that the store is asked about itself: after so much of that, it rests;
   * in between, other work has its turn.
   */
  #rest(): Promise<void> {
    if (this.#isClosed) return Promise.reject(new BackupStopped());
    const { clock, timers } = this.#parts;
    const { promise, resolve } = Promise.withResolvers<void>();
    if (clock.monotonicMs() - this.#restedMs < WORK_MS) {
      timers.soon(resolve);
      return promise;
    }
    timers.after(REST_MS, () => {
      this.#restedMs = clock.monotonicMs();
      resolve();
    });
    return promise;
  }

  async #prune(directory: string): Promise<void> {
    const { disk, clock, settings, logger } = this.#parts;
    const chain = await readChain(disk, directory);
    const names = expiredFiles(chain, {
      nowMs: clock.wallMs(),
      retentionMs: settings.retentionMs,
    });
    for (const name of names) await disk.remove(`${directory}/${name}`);
    if (names.length === 0) return;
    await disk.syncDirectory(directory);
    const left = await readChain(disk, directory);
    if (this.#archiver !== undefined) this.#archiver.pieceCount = left.pieces.length;
    logger.info("removed old backups", { directory, count: names.length, oldest: names[0] });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
