/**
 * An image that is read no faster than so many bytes a second. A member whose state is being healed
 * is missed less than the clients of the others would notice a leader, a disk and a network that
 * are busy with its store (seed BT-f4).
 */
import type { SnapshotImage, Timers } from "../seam/index.ts";

/** Takes over `image`. */
export function pacedImage(
  image: SnapshotImage,
  bytesPerSecond: number,
  timers: Timers,
): SnapshotImage {
  return {
    ...(image.format === undefined ? {} : { format: image.format }),
    sizeBytes: image.sizeBytes,
    read: (offset) => read(image, offset, bytesPerSecond, timers),
    close: () => image.close(),
  };
}

async function* read(
  image: SnapshotImage,
  offset: number,
  bytesPerSecond: number,
  timers: Timers,
): AsyncGenerator<Buffer> {
  for await (const chunk of image.read(offset)) {
    const restMs = (1_000 * chunk.length) / bytesPerSecond;
    yield chunk;
    await new Promise<void>((resolve) => void timers.after(restMs, resolve));
  }
}
