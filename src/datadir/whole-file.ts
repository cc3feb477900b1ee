/** Small files that are written as a whole: after a crash there is the old one or the new one. */
import type { Disk } from "../seam/index.ts";

/** Settles when it is durable. */
export async function writeWhole(disk: Disk, path: string, bytes: Buffer): Promise<void> {
  const temporary = `${path}.tmp`;
  if (await disk.exists(temporary)) await disk.remove(temporary);
  const file = await disk.open(temporary, "create");
  try {
    await file.writeDurable(bytes, 0);
  } finally {
    await file.close();
  }
  await disk.rename(temporary, path);
  await disk.syncDirectory(parentOf(path));
}

/** Undefined when there is none. */
export async function readWhole(disk: Disk, path: string): Promise<Buffer | undefined> {
  return (await disk.exists(path)) ? disk.readFile(path) : undefined;
}

export function parentOf(path: string): string {
  const at = path.replace(/\/+$/, "").lastIndexOf("/");
  if (at < 0) return ".";
  return at === 0 ? "/" : path.slice(0, at);
}
