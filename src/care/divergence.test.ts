import assert from "node:assert/strict";
import { test } from "node:test";
import { SimulatedDisk } from "../testing/index.ts";
import { emptyPutRequest, EntryType, marshalRaftRequest } from "../wire/index.ts";
import { writeDivergence } from "./divergence.ts";

const HEADER = { memberPrefix: 1, sequence: 2, username: "", authRevision: 0 };

test("divergence: entries and effects of the range → a file that a developer can read; the newest are kept", async () => {
  const disk = new SimulatedDisk();
  await disk.makeDirectory("/member");
  const put = { ...emptyPutRequest(), key: "colour", value: Buffer.from("blue"), lease: 7n };
  const data = marshalRaftRequest({ header: HEADER, operation: { kind: "put", put } });
  const key = Buffer.alloc(17, "_");
  key.writeBigUInt64BE(12n, 0);
  key.writeBigUInt64BE(0n, 9);
  for (let after = 1; after <= 30; after += 1) {
    const path = await writeDivergence(disk, "/member", {
      ...{ member: "2a", writer: "1b", after, upTo: after + 2 },
      entries: [
        { type: EntryType.NORMAL, term: 3, index: after + 1, data },
        { type: EntryType.NORMAL, term: 3, index: after + 2, data: Buffer.from([0xff]) },
        { type: EntryType.CONF_CHANGE, term: 3, index: after + 3, data: Buffer.from([8, 1]) },
      ],
      effects: [{ index: after + 1, table: "key", key, checksum: -1 }],
    });
    const text = (await disk.readFile(path)).toString();
    for (const wanted of ["colour", "blue", '"7"', "12.0", "ffffffff", '"unreadable": "ff"']) {
      assert.ok(text.includes(wanted), `${wanted} in ${text}`);
    }
  }
  const names = await disk.list("/member");
  assert.equal(names.length, 10);
  assert.ok(names.includes("diverge-31-2a.json"));
});
