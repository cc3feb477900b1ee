import assert from "node:assert/strict";
import { test } from "node:test";
import { SimulatedDisk } from "../testing/index.ts";
import { openDataDirectory } from "./data-directory.ts";
import { readPeers, writePeers } from "./peers-file.ts";

const MEMBERS = [
  { id: 2n ** 63n + 5n, name: "a", peerUrls: ["http://a:1"], clientUrls: [], isLearner: false },
  { id: 7n, name: "", peerUrls: ["http://b:1", "http://c:1"], clientUrls: ["x"], isLearner: true },
];

test("peers file: written, and written again → read back after a power cut", async () => {
  const disk = new SimulatedDisk();
  const paths = await openDataDirectory(disk, "/data");
  assert.equal(await readPeers(disk, paths), undefined);
  const known = { clusterId: 2n ** 64n - 1n, id: 7n, members: MEMBERS };
  await writePeers(disk, paths, { ...known, members: MEMBERS.slice(1) });
  await writePeers(disk, paths, known);
  assert.deepEqual(await readPeers(disk, paths), known);
});

test("peers file: anything else in it → nothing is known", async () => {
  const disk = new SimulatedDisk();
  const paths = await openDataDirectory(disk, "/data");
  for (const text of ["", "{}", "[1, null, {}]", '[{"id":"zz"}]', "\u0000\u0001"]) {
    const file = await disk.open(
      paths.peers,
      (await disk.exists(paths.peers)) ? "write" : "create",
    );
    await file.truncate(0);
    await file.write(Buffer.from(text), 0);
    await file.close();
    assert.equal(await readPeers(disk, paths), undefined, text);
  }
});
