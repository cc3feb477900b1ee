import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { createWal } from "../wal/index.ts";
import { ManualTime, SimulatedDisk } from "../testing/index.ts";
import { recoverLog, type RecoveryOptions } from "./recovery.ts";

const DIRECTORY = "/data/wal";

/** A log whose first file was released at index 87. */
async function releasedLog(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk();
  await disk.makeDirectory("/data");
  const wal = await createWal(
    disk,
    DIRECTORY,
    { nodeId: 1n, clusterId: 2n },
    {
      clock: new ManualTime(),
      segmentBytes: 4096,
    },
  );
  await wal.close();
  const [name] = await disk.list(DIRECTORY);
  const later = "0000000000000001-0000000000000057.wal";
  await disk.rename(`${DIRECTORY}/${name}`, `${DIRECTORY}/${later}`);
  return disk;
}

async function recovered(index: number): Promise<unknown> {
  const disk = await releasedLog();
  const backend = new MemoryBackend();
  backend.setApplied({ index, term: 1 });
  return recoverLog({ disk, backend, walDirectory: DIRECTORY } as unknown as RecoveryOptions);
}

test("recovery: the store is gone and the log was released → the store is named, not the log (DB-02)", async () => {
  await assert.rejects(recovered(0), {
    name: "DataDirectoryError",
    message:
      /^the store is missing or empty; the log in \/data\/wal is there, but begins at index 87/,
  });
});

test("recovery: the store is older than the log's oldest file → both indexes are named (DB-02)", async () => {
  await assert.rejects(recovered(20), {
    name: "DataDirectoryError",
    message: /^the store stands at index 20: .* begins at index 87 /,
  });
});
