/** `snapshot status`: what is in a snapshot file (UT-02). */
import { humanBytes } from "../base/index.ts";
import { hostDisk } from "../host/index.ts";
import { BboltFile, type SnapshotStatus, snapshotStatus } from "../snapshot/index.ts";
import { Exit, UtlError, type UtlIo } from "./io.ts";
import { table } from "./table.ts";

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
    io.stdout(print(await snapshotStatus(file)));
  } finally {
    await file.close();
  }
}

function printerOf(format: string): (status: SnapshotStatus) => string {
  switch (format) {
    case "simple":
      return (status) => `${cellsOf(status).join(", ")}\n`;
    case "json":
      return ({ hash, revision, totalKey, totalSize, version }) =>
        `${JSON.stringify({ hash, revision, totalKey, totalSize, version })}\n`;
    case "fields":
      return ({ hash, revision, totalKey, totalSize, version }) =>
        `"Hash" : ${hash}\n"Revision" : ${revision}\n"Keys" : ${totalKey}\n` +
        `"Size" : ${totalSize}\n"Version" : "${version}"\n`;
    case "table":
      return (status) =>
        table(["HASH", "REVISION", "TOTAL KEYS", "TOTAL SIZE", "VERSION"], [cellsOf(status)]);
    case "protobuf":
      throw new UtlError("protobuf not supported as output format", Exit.BAD_FEATURE);
    default:
      throw new UtlError("unsupported output format", Exit.BAD_FEATURE);
  }
}

function cellsOf({ hash, revision, totalKey, totalSize, version }: SnapshotStatus): string[] {
  return [hash.toString(16), `${revision}`, `${totalKey}`, humanBytes(totalSize), version];
}
