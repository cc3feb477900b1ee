/** Segment files: their names and their order (WL-01). */
import type { Disk } from "../seam/index.ts";
import { WalCorrupt } from "./errors.ts";

/** etcd's size of a segment; one may end a little beyond, with the batch that filled it. */
export const SEGMENT_BYTES = 64_000_000;

export interface Segment {
  readonly path: string;
  readonly sequence: number;
  /** The first index that was free when the segment was begun. */
  readonly firstIndex: number;
}

const NAME = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/;

export function segmentName(sequence: number, firstIndex: number): string {
  return `${hex16(sequence)}-${hex16(firstIndex)}.wal`;
}

export function joinPath(directory: string, name: string): string {
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}

/** True for a directory that holds at least one segment. */
export async function walExists(disk: Disk, directory: string): Promise<boolean> {
  if (!(await disk.exists(directory))) return false;
  return (await disk.list(directory)).some((name) => NAME.test(name));
}

/** All segments in order. Refuses a hole in the sequence; other files are none of its business. */
export async function listSegments(disk: Disk, directory: string): Promise<Segment[]> {
  const segments: Segment[] = [];
  for (const name of await disk.list(directory)) {
    const parts = NAME.exec(name);
    if (parts === null) continue;
    const segment = {
      path: joinPath(directory, name),
      sequence: Number.parseInt(parts[1] as string, 16),
      firstIndex: Number.parseInt(parts[2] as string, 16),
    };
    const wanted = (segments.at(-1)?.sequence ?? segment.sequence - 1) + 1;
    if (segment.sequence !== wanted) {
      throw new WalCorrupt({
        path: segment.path,
        offset: 0,
        found: `segment ${segment.sequence} after segment ${wanted - 1}`,
        wanted: `segment ${wanted}`,
      });
    }
    segments.push(segment);
  }
  return segments;
}

/**
 * Where reading must begin to see every entry after `index`: the last segment that was begun when
 * `index` or less was the newest but one. -1 when all begin later.
 */
export function segmentHolding(segments: readonly Segment[], index: number): number {
  return segments.findLastIndex((segment) => segment.firstIndex <= index);
}

function hex16(value: number): string {
  return value.toString(16).padStart(16, "0");
}
