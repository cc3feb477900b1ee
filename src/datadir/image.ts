/** The whole store as a snapshot for a follower or a backup (PE-04, MA-07). */
import { type AppliedPoint, type Backend, imageOfView } from "../backend/index.ts";
import type { SnapshotImage, Timers } from "../seam/index.ts";

export interface ImageOptions {
  readonly backend: Backend;
  readonly timers: Timers;
}

/**
 * An image of everything applied when it was called, as a bbolt file. The image is to be closed by
 * whoever was given it; until then the store keeps what the image holds.
 *
 * Off the loop where the store can; else in slices with a turn of the loop between them. Rejects
 * when a row is not as it was written (CorruptRecord, DamagedTable); so does reading the image.
 */
export async function openImage(
  options: ImageOptions,
): Promise<{ image: SnapshotImage; applied: AppliedPoint }> {
  const { backend, timers } = options;
  await backend.commit();
  if (backend.openImage !== undefined) {
    const image = await backend.openImage();
    return { image, applied: image.applied };
  }
  const turn = () => new Promise<void>((resolve) => timers.soon(resolve));
  const image = await imageOfView(backend.openReadView(), turn);
  return { image, applied: image.applied };
}
