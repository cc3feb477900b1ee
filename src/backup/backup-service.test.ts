import assert from "node:assert/strict";
import { test } from "node:test";
import { hashRows } from "../mvcc/index.ts";
import { BboltFile } from "../snapshot/index.ts";
import { readMeta } from "./image-reader.ts";
import { DIRECTORY, Fixture, SETTINGS } from "./fixture.test.ts";

/** More in the long suite. */
const IS_LONG = process.env["LONG_SUITE"] === "1";
const SEEDS = Number(process.env["BACKUP_SEEDS"] ?? (IS_LONG ? "20" : "1"));

async function hashOf(fixture: Fixture, path: string) {
  const file = await fixture.disk.open(path, "read");
  const db = await BboltFile.open(file);
  const { compactRevision } = await readMeta(db);
  return hashRows({ open: () => db.rows("key"), revision: 0, compactRevision });
}

test("backups: started → an image at once, checked, and then the log in pieces (EQ-c5)", async () => {
  const fixture = await Fixture.open();
  await fixture.member.write(40);
  await fixture.pass(2_000);
  const { images } = await fixture.chain();
  assert.equal(images.length, 1);
  assert.match(images[0]?.name ?? "", /^2026-11-21T15:00:0\d\.\d{3}Z_etcd_r\d+_i41\.db$/);
  await fixture.member.write(25);
  await fixture.pass(12_000);
  const { pieces } = await fixture.chain();
  assert.deepEqual(
    pieces.map(({ first, last, revision }) => [first, last, revision]),
    [[42, 66, fixture.member.position.revision]],
  );
  assert.equal(fixture.service.measures.images, 1);
  assert.equal(fixture.service.measures.pieces, 1);
  assert.equal(fixture.service.measures.archivedIndex, 66);
  assert.ok((await fixture.disk.list(DIRECTORY)).every((name) => !name.endsWith(".part")));
});

test("backups: every revision of a chain → the HashKV that the cluster had at it (BT-g5)", async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const fixture = await Fixture.open({ periodMs: 60_000 }, seed);
    for (let round = 0; round < 12; round += 1) {
      await fixture.member.write(9);
      await fixture.pass(11_000);
    }
    const { images, pieces } = await fixture.chain();
    assert.ok(images.length >= 2 && pieces.length >= 6, `${images.length}, ${pieces.length}`);
    const oldest = images[0]?.revision ?? 0;
    const newest = pieces.at(-1)?.revision ?? 0;
    for (let revision = oldest; revision <= newest; revision += 1) {
      const { path, revision: restored } = await fixture.restore({ revision });
      assert.equal(restored, revision);
      const found = await hashOf(fixture, path);
      const wanted = fixture.member.hashes.get(revision);
      assert.ok(typeof found !== "string");
      assert.equal(found.hashRevision, revision);
      // Of entries that left the revision as it is, a compaction may have come later.
      if (found.compactRevision === wanted?.compactRevision) assert.equal(found.hash, wanted.hash);
    }
    const { path } = await fixture.restore({});
    assert.deepEqual(await hashOf(fixture, path), await fixture.member.hashKv(0));
  }
});

test("backups: a time → the state as of the last file that is not later", async () => {
  const fixture = await Fixture.open();
  await fixture.pass(1_000);
  const revisions: [number, number][] = [];
  for (let round = 0; round < 4; round += 1) {
    await fixture.member.write(10);
    await fixture.pass(12_000);
    revisions.push([fixture.time.wallMs(), fixture.member.position.revision]);
  }
  for (const [timeMs, revision] of revisions) {
    assert.equal((await fixture.restore({ timeMs })).revision, revision);
  }
});

test("backups: the member is started again → the chain goes on without a hole, no image before its time", async () => {
  const fixture = await Fixture.open();
  await fixture.member.write(20);
  await fixture.pass(12_000);
  await fixture.member.write(20);
  await fixture.pass(2_000);
  const closing = fixture.service.close();
  await fixture.settle();
  await closing;
  assert.equal(fixture.service.measures.archivedIndex, 41);
  await fixture.member.write(20);
  fixture.start();
  await fixture.pass(12_000);
  assert.equal((await fixture.chain()).images.length, 1);
  assert.equal((await fixture.restore({})).revision, fixture.member.position.revision);
  await fixture.pass(900_000);
  assert.equal((await fixture.chain()).images.length, 2);
});

test("backups: the log has let go of entries → a new image closes the gap (BT-g5)", async () => {
  const fixture = await Fixture.open();
  await fixture.member.write(20);
  await fixture.pass(12_000);
  const before = fixture.member.position.revision;
  await fixture.member.write(30);
  fixture.member.firstIndex = 45;
  await fixture.member.write(5);
  const lost = fixture.member.position.revision - 3;
  await fixture.pass(1_000);
  assert.equal(fixture.service.measures.gaps, 1);
  await fixture.member.write(10);
  await fixture.pass(80_000);
  assert.equal((await fixture.chain()).images.length, 2);
  assert.equal((await fixture.restore({})).revision, fixture.member.position.revision);
  assert.equal((await fixture.restore({ revision: before })).revision, before);
  await assert.rejects(fixture.restore({ revision: lost }), /reach revision|are in no file of/);
});

test("backups: killed after an image and before a piece → the log goes on from the image (BT-g5)", async () => {
  const fixture = await Fixture.open();
  await fixture.member.write(20);
  await fixture.pass(2_000);
  await fixture.member.write(20);
  fixture.killService();
  await fixture.member.write(20);
  fixture.start();
  await fixture.pass(12_000);
  const { images, pieces } = await fixture.chain();
  assert.deepEqual([images.length, pieces[0]?.first], [1, (images[0]?.index ?? 0) + 1]);
  assert.equal((await fixture.restore({})).revision, fixture.member.position.revision);
});

test("backups: killed before the image that was to close a gap → an image soon after the start (BT-g5)", async () => {
  const fixture = await Fixture.open();
  await fixture.member.write(20);
  await fixture.pass(12_000);
  const { openImage } = fixture.member;
  fixture.member.openImage = () => Promise.reject(new Error("no image is had"));
  await fixture.member.write(30);
  fixture.member.firstIndex = 45;
  await fixture.member.write(5);
  await fixture.pass(1_000);
  await fixture.member.write(5);
  await fixture.pass(12_000);
  assert.equal((await fixture.chain()).images.length, 1);
  await assert.rejects(fixture.restore({}), /are in no file of/);
  fixture.killService();
  fixture.member.openImage = openImage;
  fixture.start();
  await fixture.pass(2_000);
  assert.equal((await fixture.chain()).images.length, 2);
  await fixture.member.write(5);
  await fixture.pass(12_000);
  assert.equal((await fixture.restore({})).revision, fixture.member.position.revision);
});

test("backups: killed while an image is written → what is there of it goes with the next start", async () => {
  const fixture = await Fixture.open();
  await fixture.member.write(20);
  await fixture.pass(2_000);
  fixture.killService();
  for (const name of ["image.part", "log.part"]) {
    await (await fixture.disk.open(`${DIRECTORY}/${name}`, "create")).close();
  }
  fixture.start();
  await fixture.pass(2_000);
  assert.ok((await fixture.disk.list(DIRECTORY)).every((name) => !name.endsWith(".part")));
  assert.equal((await fixture.chain()).images.length, 1);
});

test("backups: older than the retention → removed, with the log that only they need; never the newest (EQ-c5)", async () => {
  const fixture = await Fixture.open({ periodMs: 60_000, retentionMs: 150_000 });
  for (let round = 0; round < 10; round += 1) {
    await fixture.member.write(5);
    await fixture.pass(50_000);
  }
  const { images, pieces } = await fixture.chain();
  assert.ok(images.length >= 2 && images.length <= 4, `${images.length} images`);
  assert.ok(pieces.every(({ last }) => last > (images[0]?.index ?? 0)));
  fixture.member.hashKv = () => Promise.reject(new Error("no new image is had"));
  await fixture.pass(400_000);
  assert.equal((await fixture.chain()).images.length, 1);
});

test("backups: the location is full → nothing half has a name, told, and made up for when there is room", async () => {
  const fixture = await Fixture.open();
  await fixture.member.write(20);
  await fixture.pass(12_000);
  const names = await fixture.disk.list(DIRECTORY);
  fixture.disk.capacityBytes = 0;
  await fixture.member.write(20);
  await fixture.pass(930_000);
  assert.deepEqual(await fixture.disk.list(DIRECTORY), names);
  assert.ok(fixture.service.measures.imageFailures > 1);
  assert.ok(fixture.service.measures.pieceFailures > 1);
  assert.ok(
    fixture.lines.some(({ level, message }) => level === "error" && /archive/.test(message)),
  );
  fixture.disk.capacityBytes = Number.MAX_SAFE_INTEGER;
  await fixture.pass(60_000);
  assert.equal((await fixture.restore({})).revision, fixture.member.position.revision);
  const { revision } = fixture.member.position;
  const target = { revision: revision - 4 };
  assert.equal((await fixture.restore(target)).revision, revision - 4);
});

test("backups: the store says something else than the image → the image gets no name, and is told", async () => {
  const fixture = await Fixture.open();
  await fixture.member.write(20);
  const { hashKv } = fixture.member;
  fixture.member.hashKv = () => Promise.resolve({ hash: 1, compactRevision: -1, hashRevision: 1 });
  await fixture.pass(2_000);
  assert.deepEqual((await fixture.chain()).images, []);
  assert.equal(fixture.service.measures.imageMismatches, 1);
  assert.ok(fixture.lines.some(({ fields }) => /HashKV/.test(String(fields["error"]))));
  fixture.member.hashKv = hashKv;
  await fixture.pass(20_000);
  assert.equal((await fixture.chain()).images.length, 1);
});

test("backups: the member is quarantined → nothing of it is kept, and the chain goes on afterwards (BT-g5)", async () => {
  const fixture = await Fixture.open();
  await fixture.member.write(20);
  await fixture.pass(12_000);
  const names = await fixture.disk.list(DIRECTORY);
  fixture.member.isQuarantined = true;
  await fixture.member.write(20);
  await fixture.pass(930_000);
  assert.deepEqual(await fixture.disk.list(DIRECTORY), names);
  assert.ok(fixture.lines.some(({ fields }) => /quarantined/.test(String(fields["error"]))));
  fixture.member.isQuarantined = false;
  await fixture.pass(60_000);
  assert.equal((await fixture.restore({})).revision, fixture.member.position.revision);
});

test("backups: no incarnation yet → waited for; none at all → the cluster's id stands in", async () => {
  const fixture = await Fixture.open();
  fixture.member.incarnation = undefined;
  await fixture.pass(5_000);
  assert.equal(await fixture.disk.exists(SETTINGS.location), false);
  await fixture.pass(30_000);
  assert.deepEqual(await fixture.disk.list(SETTINGS.location), ["cdf8-8e9e"]);
});
