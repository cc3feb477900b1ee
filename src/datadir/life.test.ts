import assert from "node:assert/strict";
import { test } from "node:test";
import { sealed } from "./sealed-file.ts";
import { SimulatedDisk } from "../testing/index.ts";
import { nextLife, readFloors, writeFloors, writeLife } from "./life.ts";

const FLOOR = {
  id: 5n,
  ...{ epoch: 3, nonce: 9, base: 0 },
  ...{ term: 4, votedTerm: 4, ackTerm: 4, match: 17, stable: 16 },
};

async function newDisk(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk();
  await disk.makeDirectory("/m");
  await disk.syncDirectory("/");
  return disk;
}

test("life: each start → one more, with its own nonce; why it is quarantined stays", async () => {
  const disk = await newDisk();
  const { life: first } = await nextLife(disk, "/m/epoch", { nonce: 7, wallMs: 0 });
  assert.deepEqual(first, { epoch: 1, nonce: 7, base: 0 });
  await writeLife(disk, "/m/epoch", { ...first, lost: "it did" });
  const second = await nextLife(disk, "/m/epoch", { nonce: 8, wallMs: 0 });
  const life = { epoch: 2, nonce: 8, base: 0, lost: "it did" };
  assert.deepEqual(second, { life, isDamaged: false });
});

test("life: a file that is damaged → a life later than all that were counted", async () => {
  const disk = await newDisk();
  for (const text of ["", "{", '{"epoch":-1,"nonce":1,"base":0}', '{"epoch":"x"}', "null"]) {
    for (const bytes of [Buffer.from(text), sealed(text)]) {
      disk.place("/m/epoch", bytes);
      const next = await nextLife(disk, "/m/epoch", { nonce: 7, wallMs: 1_795_000_000_000 });
      const life = { epoch: 1_795_000_000, nonce: 7, base: 0 };
      assert.deepEqual(next, { life, isDamaged: true });
    }
  }
});

test("floors: written and read → the same; not there → none; damaged → it is known that they are", async () => {
  const disk = await newDisk();
  assert.deepEqual(await readFloors(disk, "/m/floors"), []);
  await writeFloors(disk, "/m/floors", [FLOOR]);
  assert.deepEqual(await readFloors(disk, "/m/floors"), [FLOOR]);
  for (let offset = 0; offset < (await disk.readFile("/m/floors")).length; offset += 1) {
    disk.flip("/m/floors", offset, 3);
    assert.equal(await readFloors(disk, "/m/floors"), undefined, `byte ${offset}`);
    disk.flip("/m/floors", offset, 3);
  }
});
