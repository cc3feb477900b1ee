/** Which files of a chain may go. */
import type { Chain } from "./chain.ts";
import { IMAGES_MAX } from "./limits.ts";

/**
 * Names, oldest first: images older than the retention, and pieces that no image left needs. The
 * newest image always stays, however old it is.
 */
export function expiredFiles(
  { images, pieces }: Chain,
  limits: { readonly nowMs: number; readonly retentionMs: number },
): string[] {
  const oldestMs = limits.nowMs - limits.retentionMs;
  const newest = images.at(-1);
  const kept = images.filter(
    (image, at) =>
      image === newest || (image.timeMs >= oldestMs && at >= images.length - IMAGES_MAX),
  );
  const firstIndex = kept[0]?.index ?? 0;
  const gone = images.filter((image) => !kept.includes(image));
  return [...gone, ...pieces.filter(({ last }) => last <= firstIndex)].map(({ name }) => name);
}
