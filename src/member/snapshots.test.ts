import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend, type StoreFile } from "../backend/index.ts";
import { systemTimers as timers } from "../host/index.ts";
import type { SnapshotImage } from "../seam/index.ts";
import { emptyConfState, emptyRaftMessage } from "../wire/index.ts";
import { Snapshots, type SnapshotsOptions } from "./snapshots.ts";

const APPLIED = { index: 5, term: 2 };

class FileBackend extends MemoryBackend {
  openFile(): Promise<StoreFile> {
    return Promise.resolve({
      applied: APPLIED,
      sizeBytes: 8192,
      get: () => undefined,
      read: (into) => Promise.resolve(into.length),
      close: () => {},
    });
  }
}

/** Only what sending asks of a member. */
function sending(backend: MemoryBackend, takesStores: boolean, isAttested = true) {
  const told = Promise.withResolvers<boolean>();
  const images: ((image: SnapshotImage) => void)[] = [];
  const member = {
    local: {
      backend,
      store: { checkpoint: () => Promise.resolve(true) },
      chain: { at: () => undefined },
    },
    care: {
      state: { attested: async () => assert.ok(isAttested, "the others have another state") },
    },
    logHold: { hold: () => {}, unhold: () => {} },
    confStateAt: () => emptyConfState(),
    driver: { snapshotSent: (_to: bigint, isFailure: boolean) => told.resolve(isFailure) },
    network: {
      takesStores: () => takesStores,
      sendSnapshot: (_message: unknown, image: SnapshotImage) => images.shift()?.(image),
    },
  };
  const logger = { error: () => undefined };
  const options = {
    member,
    timers,
    logger,
    paths: { store: "/none" },
  } as unknown as SnapshotsOptions;
  const snapshots = new Snapshots(options);
  const next = async (): Promise<string> => {
    const sent = new Promise<SnapshotImage>((resolve) => images.push(resolve));
    snapshots.send({ ...emptyRaftMessage(), to: 7n });
    const image = await sent;
    image.close();
    return image.format ?? "bbolt";
  };
  return { snapshots, next, isFailure: told.promise };
}

test("snapshots: the others have another state than this member's → it gives that to nobody (BT-f2)", async () => {
  const { snapshots, isFailure } = sending(new FileBackend(), true, false);
  snapshots.send({ ...emptyRaftMessage(), to: 7n });
  assert.equal(await isFailure, true);
});

test("snapshots: a member that takes stores → the store's own file; after a failure bbolt, once (PE-04)", async () => {
  const { snapshots, next } = sending(new FileBackend(), true);
  const formats: string[] = [];
  for (const isFailure of [false, true, true, true, false]) {
    formats.push(await next());
    snapshots.sent(7n, isFailure);
  }
  assert.deepEqual(formats, ["store", "store", "bbolt", "store", "bbolt"]);
});

test("snapshots: a member that takes none, or a store that is no file → bbolt (PE-04)", async () => {
  assert.equal(await sending(new FileBackend(), false).next(), "bbolt");
  assert.equal(await sending(new MemoryBackend(), true).next(), "bbolt");
});
