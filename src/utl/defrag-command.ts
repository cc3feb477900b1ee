/** `defrag`: the store of a member that does not run, written anew without its holes (UT-01). */
import { UtlError, type UtlIo } from "./io.ts";
import { lineWriter } from "./log-lines.ts";
import { withStore } from "./offline.ts";

export interface DefragOptions {
  readonly dataDirectory: string;
  readonly timeoutMs: number;
}

export async function defragCommand(options: DefragOptions, io: UtlIo): Promise<void> {
  const { dataDirectory } = options;
  const log = lineWriter(io);
  try {
    await withStore({ ...options, isReadOnly: false }, io, async (backend, paths) => {
      const before = backend.sizeBytes().total;
      log("defragmenting", { path: paths.store, "current-db-size-bytes": before });
      await backend.defragment();
      const after = backend.sizeBytes().total;
      log("finished defragmenting", {
        path: paths.store,
        "current-db-size-bytes-diff": after - before,
        "current-db-size-bytes": after,
      });
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UtlError(`Failed to defragment etcd data[${dataDirectory}] (${reason})`);
  }
}
