/** Reads once more what the log holds, and believes none of it: rot is found before it matters. */
import type { Disk } from "../seam/index.ts";
import type { GrowingLog } from "./range-reader.ts";
import { SegmentReader } from "./segment-reader.ts";

export interface VerifyLogOptions {
  readonly disk: Disk;
  readonly log: GrowingLog;
  /** Read at once; `rest` is awaited between. */
  readonly windowBytes: number;
  readonly rest: (bytes: number) => Promise<void>;
}

/**
 * Segments that are removed meanwhile are passed over. Rejects with WalCorrupt, or with what the
 * disk does, and the bytes read so far are not told then.
 */
export async function verifyLog(options: VerifyLogOptions): Promise<number> {
  const { log } = options;
  let bytes = 0;
  for (const { path } of [...log.segments]) {
    const { segments, durableOffset } = log;
    if (!segments.some((segment) => segment.path === path)) continue;
    const isWritten = segments.at(-1)?.path === path;
    bytes += await verifySegment(options, path, isWritten ? durableOffset : undefined);
  }
  return bytes;
}

async function verifySegment(
  { disk, log, windowBytes, rest }: VerifyLogOptions,
  path: string,
  limit: number | undefined,
): Promise<number> {
  const isGone = () => !log.segments.some((segment) => segment.path === path);
  try {
    const file = await disk.open(path, "read");
    const reader = new SegmentReader(file, {
      isLast: false,
      crc: undefined,
      windowBytes,
      ...(limit === undefined ? {} : { limit }),
    });
    try {
      await reader.open();
      while (!reader.isAtEnd && !isGone()) {
        while (reader.next() !== 0);
        await reader.fill();
        await rest(windowBytes);
      }
      return reader.offset;
    } finally {
      await reader.close();
    }
  } catch (error) {
    if (isGone()) return 0;
    throw error;
  }
}
