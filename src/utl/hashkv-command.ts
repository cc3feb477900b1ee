/**
 * `hashkv`: the hash that members compare (UT-05), of a snapshot, of etcd's `member/snap/db`, or of
 * the data directory of a member that does not run.
 */
import { statSync } from "node:fs";
import { readMeta } from "../backup/index.ts";
import { hostDisk } from "../host/index.ts";
import { type HashOutcome, hashRows, openStore } from "../mvcc/index.ts";
import { BboltFile } from "../snapshot/index.ts";
import { Exit, UtlError, type UtlIo } from "./io.ts";
import { withStore } from "./offline.ts";
import { type Field, printerOf } from "./print.ts";

export interface HashKvOptions {
  /** 0 = the newest. */
  readonly revision: number;
  readonly format: string;
  readonly timeoutMs: number;
}

export async function hashKvCommand(
  files: readonly string[],
  options: HashKvOptions,
  io: UtlIo,
): Promise<void> {
  const [path, ...others] = files;
  if (path === undefined || others.length > 0) {
    throw new UtlError(`accepts 1 arg(s), received ${files.length}`, Exit.ERROR);
  }
  const print = printerOf(options.format);
  const outcome = statSync(path).isDirectory()
    ? await ofDirectory(path, options, io)
    : await ofFile(path, options.revision);
  if (outcome === "compacted") throw new UtlError("mvcc: required revision has been compacted");
  if (outcome === "future") throw new UtlError("mvcc: required revision is a future revision");
  io.stdout(print(fieldsOf(outcome)));
}

type Outcome = HashOutcome | "compacted" | "future";

async function ofFile(path: string, revision: number): Promise<Outcome> {
  const file = await hostDisk.open(path, "read");
  try {
    const db = await BboltFile.open(file, { reusesBuffers: true });
    const { compactRevision } = await readMeta(db);
    return await hashRows({ open: () => db.rows("key"), revision, compactRevision });
  } finally {
    await file.close();
  }
}

/**
 * What the store holds: a running member may have applied more, which is in its log, and gets it
 * back from there.
 */
function ofDirectory(
  dataDirectory: string,
  { revision, timeoutMs }: HashKvOptions,
  io: UtlIo,
): Promise<Outcome> {
  return withStore({ dataDirectory, timeoutMs, isReadOnly: true }, io, async (backend) => {
    const yieldToLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const store = await openStore(backend, { yieldToLoop });
    return await store.hashKv(revision);
  });
}

function fieldsOf({ hash, hashRevision, compactRevision }: HashOutcome): Field[] {
  return [
    { key: "hash", label: "Hash", column: "HASH", value: hash },
    {
      key: "hashRevision",
      label: "Hash revision",
      column: "HASH REVISION",
      value: hashRevision,
    },
    {
      key: "compactRevision",
      label: "Compact revision",
      column: "COMPACT REVISION",
      value: compactRevision,
    },
  ];
}
