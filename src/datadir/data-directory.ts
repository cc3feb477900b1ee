/**
 * Where a member keeps what, and whether this version may touch it.
 *
 *   <data>/member/format   "holdfast 1", sealed (sealed-file.ts): the version of this layout
 *   <data>/member/wal/     the log, in etcd's segment format
 *   <data>/member/store/   the store
 *   <data>/member/store.damaged-1/  one that could not be used (set-aside.ts), the newest two
 *   <data>/member/care.jsonl        what care has found and done (care/journal.ts)
 *   <data>/member/peers.json        the members as this one knew them last (peers-file.ts)
 *   <data>/member/store.incoming/   a store being made from a snapshot (install-store.ts)
 *   <data>/member/store.old/        the store that such a one has replaced, until it is removed
 *   <data>/member/snap/    snapshots that arrive from other members (snapshot-inbox.ts)
 *   <data>/disaster.ready/ a recovery that was begun and must be finished first (disaster/)
 */
import type { Disk } from "../seam/index.ts";
import { sealed, unsealed, writeSealed } from "./sealed-file.ts";
import { parentOf, readWhole } from "./whole-file.ts";

export { parentOf };

const FORMAT = 1;
const FORMAT_PREFIX = "holdfast ";
const FORMAT_TEXT = /^holdfast [1-9]\d*$/;

export interface DataDirectory {
  readonly root: string;
  readonly wal: string;
  readonly store: string;
  readonly incoming: string;
  readonly replaced: string;
  readonly snapshots: string;
  readonly peers: string;
  readonly journal: string;
}

/** An operator's problem with the data directory; the message says what to do. */
export class DataDirectoryError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "DataDirectoryError";
  }
}

/** What a recovery from a disaster has made, until it stands in its place. */
export const RECOVERY_READY = "disaster.ready";

/** Creates what is missing and checks the format. `walDirectory` overrides the log's place. */
export async function openDataDirectory(
  disk: Disk,
  root: string,
  walDirectory?: string,
): Promise<DataDirectory> {
  const paths = pathsOf(root, walDirectory);
  if (await disk.exists(`${root}/${RECOVERY_READY}`)) {
    throw new DataDirectoryError(
      `the recovery of data directory ${root} was begun and not finished; finish it first: ` +
        `holdfast disaster recover ${root} --yes`,
    );
  }
  const member = `${root}/member`;
  await refuseEtcds(disk, root);
  for (const directory of [root, member, paths.store]) {
    await disk.makeDirectory(directory, 0o700);
    // Until its name is durable, everything in a directory can vanish with it.
    await disk.syncDirectory(parentOf(directory));
  }
  await checkFormat(disk, `${member}/format`, { root, mends: true });
  return paths;
}

/** As openDataDirectory, and makes nothing: throws when there is no member's data. */
export async function findDataDirectory(
  disk: Disk,
  root: string,
  walDirectory?: string,
): Promise<DataDirectory> {
  const paths = pathsOf(root, walDirectory);
  await refuseEtcds(disk, root);
  const format = `${root}/member/format`;
  if (!(await disk.exists(format))) {
    throw new DataDirectoryError(
      `no member's data in ${root}: ${format} is missing; the directory is the one that --data-dir ` +
        "names",
    );
  }
  await checkFormat(disk, format, { root, mends: false });
  return paths;
}

async function refuseEtcds(disk: Disk, root: string): Promise<void> {
  const member = `${root}/member`;
  const isEtcds =
    (await disk.exists(`${member}/snap/db`)) && !(await disk.exists(`${member}/store`));
  if (!isEtcds) return;
  throw new DataDirectoryError(
    `data directory ${root} holds an etcd store (${member}/snap/db), and Holdfast keeps its own ` +
      "format; run etcd on it, start Holdfast on a new directory, and copy the keys with etcdctl " +
      "make-mirror",
  );
}

/** Where things are in a data directory; nothing is looked at. */
export function pathsOf(root: string, walDirectory?: string): DataDirectory {
  const member = `${root}/member`;
  return {
    root,
    wal: walDirectory ?? `${member}/wal`,
    store: `${member}/store`,
    incoming: `${member}/store.incoming`,
    replaced: `${member}/store.old`,
    snapshots: `${member}/snap`,
    peers: `${member}/peers.json`,
    journal: `${member}/care.jsonl`,
  };
}

/** `mends`: what is missing or has begun to rot is written anew. */
async function checkFormat(
  disk: Disk,
  path: string,
  { root, mends }: { readonly root: string; readonly mends: boolean },
): Promise<void> {
  const wanted = `${FORMAT_PREFIX}${FORMAT}`;
  const bytes = await readWhole(disk, path);
  const found = bytes === undefined ? wanted : formatIn(bytes);
  if (found === undefined) {
    const text = JSON.stringify(bytes?.toString("utf8").slice(0, 40));
    throw new DataDirectoryError(
      `${path} says ${text}, wanted "${wanted}"; the file is not ` +
        "Holdfast's or is damaged: put back a copy of the data directory, or start with an empty one",
    );
  }
  const number = Number(found.slice(FORMAT_PREFIX.length));
  if (number > FORMAT) {
    throw new DataDirectoryError(
      `data directory ${root} has format ${number}, this version reads up to ${FORMAT}; start the ` +
        "newer version that wrote it, or put back a copy from before that one was started",
    );
  }
  if (mends && bytes?.equals(sealed(wanted)) !== true) await writeSealed(disk, path, wanted);
}

/** Undefined when it names none. The first members wrote it without a seal, in one line. */
function formatIn(bytes: Buffer): string | undefined {
  const text = unsealed(bytes) ?? bytes.toString("utf8").replace(/\n$/, "");
  return FORMAT_TEXT.test(text) ? text : undefined;
}
