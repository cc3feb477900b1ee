import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { SimulatedDisk } from "../testing/index.ts";
import { type Rejoin, removeRejoin, resumeRejoin, writeRejoin } from "./rejoin.ts";

function rejoin(label: string): Rejoin {
  const row = { name: "", peerUrls: ["http://a:2380"], clientUrls: [], isLearner: true };
  const members = [{ id: 2n ** 64n - 2n, ...row }];
  const ids = { clusterId: 9n, oldId: 2n ** 63n, id: members[0]?.id ?? 0n };
  return { stage: "moving", label, ...ids, members };
}

async function newDisk(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk();
  for (const path of ["/d", "/d/member", "/w"]) await disk.makeDirectory(path);
  for (const path of ["/", "/d"]) await disk.syncDirectory(path);
  disk.place("/d/member/epoch", Buffer.from("old"));
  disk.place("/w/0.wal", Buffer.from("old log"));
  return disk;
}

test("rejoin: nothing to do → nothing is moved", async () => {
  const disk = await newDisk();
  assert.equal(await resumeRejoin(disk, "/d", undefined), undefined);
  assert.deepEqual(await disk.list("/d"), ["member"]);
});

test("rejoin: a crash at any moment of it → the old data is aside once, the note says who it is", async () => {
  for (let crashAt = 0; crashAt < 30; crashAt += 1) {
    const disk = await newDisk();
    await writeRejoin(disk, "/d", rejoin("20261121T162200Z-time-travel"));
    const prng = new Prng(crashAt);
    disk.interruptNext(crashAt, () => disk.crash(prng));
    await resumeRejoin(disk.session(), "/d", "/w").catch(() => undefined);
    disk.cancelInterruption();
    const found = await resumeRejoin(disk, "/d", "/w");
    assert.deepEqual(found, { ...rejoin("20261121T162200Z-time-travel"), stage: "joining" });
    const aside = "member.quarantine-20261121T162200Z-time-travel";
    assert.deepEqual(await disk.list("/d"), [aside, "rejoin.json"], `crash at ${crashAt}`);
    assert.equal((await disk.readFile(`/d/${aside}/epoch`)).toString(), "old");
    assert.deepEqual(await disk.list("/w"), ["0.wal.quarantine-20261121T162200Z-time-travel"]);
    // What is made from here on stays.
    await disk.makeDirectory("/d/member");
    await resumeRejoin(disk, "/d", "/w");
    assert.ok(await disk.exists("/d/member"));
    await removeRejoin(disk, "/d");
    assert.equal(await resumeRejoin(disk, "/d", "/w"), undefined);
  }
});

test("rejoin: again and again → the newest three of the old data are kept", async () => {
  const disk = await newDisk();
  for (let day = 1; day <= 5; day += 1) {
    await disk.makeDirectory("/d/member");
    await writeRejoin(disk, "/d", rejoin(`2026112${day}T162200Z-time-travel`));
    await resumeRejoin(disk, "/d", undefined);
  }
  const kept = (await disk.list("/d")).filter((name) => name.startsWith("member"));
  const labels = [3, 4, 5].map((day) => `member.quarantine-2026112${day}T162200Z-time-travel`);
  assert.deepEqual(kept, labels);
});

test("rejoin: a note that cannot be read → refused, and said what to do", async () => {
  const disk = await newDisk();
  disk.place("/d/rejoin.json", Buffer.from("{"));
  await assert.rejects(resumeRejoin(disk, "/d", undefined), /rejoin.json cannot be read .*remove/);
});
