/** `snapshot status`: what is in a snapshot file (UT-02). */
import { humanBytes } from "../base/index.ts";
import { hostDisk } from "../host/index.ts";
import { BboltFile, type SnapshotStatus, snapshotStatus } from "../snapshot/index.ts";
import { Exit, UtlError, type UtlIo } from "./io.ts";
import { type Field, printerOf } from "./print.ts";

export async function statusCommand(
  files: readonly string[],
  format: string,
  io: UtlIo,
): Promise<void> {
  const [path, ...others] = files;
  if (path === undefined || others.length > 0) {
    throw new UtlError("snapshot status requires exactly one argument", Exit.BAD_ARGS);
  }
  const print = printerOf(format);
  if (!(await hostDisk.exists(path))) {
    throw new UtlError(`stat ${path}: no such file or directory`);
  }
  const file = await hostDisk.open(path, "read");
  try {
    // Opened first, so that a file that is none is named as such.
    await BboltFile.open(file);
    io.stdout(print(fieldsOf(await snapshotStatus(file))));
  } finally {
    await file.close();
  }
}

function fieldsOf({ hash, revision, totalKey, totalSize, version }: SnapshotStatus): Field[] {
  return [
    { key: "hash", label: "Hash", column: "HASH", value: hash, shown: hash.toString(16) },
    { key: "revision", label: "Revision", column: "REVISION", value: revision },
    { key: "totalKey", label: "Keys", column: "TOTAL KEYS", value: totalKey },
    {
      key: "totalSize",
      label: "Size",
      column: "TOTAL SIZE",
      value: totalSize,
      shown: humanBytes(totalSize),
    },
    { key: "version", label: "Version", column: "VERSION", value: version },
  ];
}
