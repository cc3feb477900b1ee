/** Makes the data directory, or says why it cannot be. */
import { failureOf, HostError, hostDisk } from "../host/index.ts";

export async function makeDataDirectory(path: string): Promise<void> {
  try {
    await hostDisk.makeDirectory(path, 0o700);
  } catch (error) {
    const code = failureOf(error);
    const advice = ADVICE[code];
    const reason = advice === undefined ? code : `${code}; ${advice}`;
    throw new HostError(`data directory ${path} cannot be made: ${reason}`, error);
  }
}

/** By the code of the system's refusal. */
const ADVICE: Readonly<Record<string, string>> = {
  EACCES: "give this user the right to write in the directory above, or choose another --data-dir",
  EPERM: "give this user the right to write in the directory above, or choose another --data-dir",
  EROFS: "the file system is mounted read-only: mount it for writing, or choose another --data-dir",
  ENOENT: "the directory above is missing or takes no directories: choose another --data-dir",
  ENOTDIR: "a file stands where a directory above should: choose another --data-dir",
  EEXIST: "a file has that name: move it away, or choose another --data-dir",
  ENOSPC: "make room on the disk, or choose another --data-dir",
};
