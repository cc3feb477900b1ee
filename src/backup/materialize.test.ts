import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { DIRECTORY, FakeMember, Fixture, SETTINGS } from "./fixture.test.ts";
import { type PieceHead, PieceReader, PieceWriter } from "../wal/index.ts";
import type { Entry } from "../wire/index.ts";
import type { PieceName } from "./names.ts";

async function backedUp(member?: FakeMember): Promise<Fixture> {
  const fixture =
    member === undefined ? await Fixture.open() : new Fixture(member, { ...SETTINGS });
  for (let round = 0; round < 4; round += 1) {
    await fixture.member.write(10);
    await fixture.pass(12_000);
  }
  return fixture;
}

async function pathsOf(fixture: Fixture): Promise<string[]> {
  const { images, pieces } = await fixture.chain();
  return [...images, ...pieces].map(({ name }) => `${DIRECTORY}/${name}`);
}

async function overwrite(fixture: Fixture, path: string, bytes: Buffer): Promise<void> {
  await fixture.disk.remove(path).catch(() => undefined);
  const file = await fixture.disk.open(path, "create");
  await file.write(bytes, 0);
  await file.close();
}

function named(path: string): (error: Error) => boolean {
  return (error) => {
    assert.ok(error.message.includes(path), `${error.message}\nshould name ${path}`);
    return true;
  };
}

test("materialize: any file of the chain cut or flipped → refused, that file named (BT-g5)", async () => {
  const fixture = await backedUp();
  const prng = new Prng(5);
  const paths = await pathsOf(fixture);
  assert.ok(paths.length >= 4);
  for (const path of paths) {
    const bytes = await fixture.disk.readFile(path);
    for (let run = 0; run < 6; run += 1) {
      const flipped = Buffer.from(bytes);
      const at = prng.below(bytes.length);
      flipped[at] = (flipped[at] as number) ^ (1 << prng.below(8));
      await overwrite(fixture, path, flipped);
      await assert.rejects(fixture.restore({}), named(path));
      await overwrite(fixture, path, bytes.subarray(0, prng.below(bytes.length)));
      await assert.rejects(fixture.restore({}), named(path));
    }
    await overwrite(fixture, path, bytes);
  }
  assert.equal((await fixture.restore({})).revision, fixture.member.position.revision);
});

test("materialize: a file under another's name → refused, that file named (BT-g5)", async () => {
  const fixture = await backedUp();
  const { pieces } = await fixture.chain();
  const path = ({ name }: PieceName): string => `${DIRECTORY}/${name}`;
  const [, second, third] = pieces as [PieceName, PieceName, PieceName];
  const bytes = await fixture.disk.readFile(path(third));
  await overwrite(fixture, path(second), bytes);
  await assert.rejects(fixture.restore({}), named(path(second)));
});

test("materialize: a piece of another cluster, another life or another log → refused, that file named (BT-g5)", async () => {
  const changes: ((member: FakeMember) => void)[] = [
    (member) => {
      member.incarnation = "ffffffffffffffff";
    },
    (member) => {
      member.term = 3;
    },
  ];
  for (const change of changes) {
    const fixture = await backedUp();
    const other = await FakeMember.open();
    await other.write(10);
    change(other);
    const others = await backedUp(other);
    const from = others.settings.location;
    const directory = `${from}/${(await others.disk.list(from))[0]}`;
    const { pieces } = await fixture.chain();
    const piece = pieces[1] as PieceName;
    const strange = (await others.disk.list(directory)).filter((name) => name.endsWith(".wal"));
    const bytes = await others.disk.readFile(`${directory}/${strange[1]}`);
    const path = `${DIRECTORY}/${piece.name}`;
    await overwrite(fixture, path, bytes);
    await assert.rejects(fixture.restore({}), named(path));
  }
});

/** The last piece, written anew with another head or without its last entry; its path. */
async function rewriteLast(
  fixture: Fixture,
  change: (head: PieceHead) => PieceHead,
  dropped = 0,
): Promise<string> {
  const { pieces } = await fixture.chain();
  const path = `${DIRECTORY}/${pieces.at(-1)?.name}`;
  const file = await fixture.disk.open(path, "read");
  const reader = await PieceReader.open(file);
  const entries: Entry[] = [];
  for await (const batch of reader.batches()) entries.push(...batch);
  const writer = new PieceWriter(change(reader.head));
  writer.add(entries.slice(0, entries.length - dropped));
  writer.end();
  await overwrite(fixture, path, writer.take());
  return path;
}

test("materialize: whole files that do not go together → refused, that file named (BT-g5)", async () => {
  const otherTerm = await backedUp();
  const older = await rewriteLast(otherTerm, (head) => ({
    ...head,
    after: { ...head.after, term: 1 },
  }));
  await assert.rejects(otherTerm.restore({}), named(older));
  await assert.rejects(otherTerm.restore({}), /they are not of one log/);
  const otherLife = await backedUp();
  const strange = await rewriteLast(otherLife, (head) => ({
    ...head,
    note: head.note.replace("00112233445566aa", "ffffffffffffffff"),
  }));
  await assert.rejects(otherLife.restore({}), named(strange));
  await assert.rejects(otherLife.restore({}), /incarnation/);
  const shorter = await Fixture.open();
  await shorter.member.write(5);
  await shorter.pass(2_000);
  await shorter.member.write(5);
  await shorter.member.apply({ kind: "leaseCheckpoint", checkpoints: [] });
  await shorter.pass(12_000);
  const cut = await rewriteLast(shorter, (head) => head, 1);
  await assert.rejects(shorter.restore({}), named(cut));
  await assert.rejects(shorter.restore({}), /ends at entry \d+, its name says \d+/);
});

test("materialize: the digests in the log → compared on the way, one that differs names the file (BT-g5)", async () => {
  const fixture = await backedUp();
  const { digestsCompared, entries } = await fixture.restore({});
  assert.ok(digestsCompared >= Math.floor(entries / 3) - 1, `${digestsCompared} of ${entries}`);
  fixture.member.isLying = true;
  await fixture.member.write(6);
  await fixture.pass(12_000);
  const { pieces } = await fixture.chain();
  await assert.rejects(fixture.restore({}), named(`${DIRECTORY}/${pieces.at(-1)?.name}`));
});

test("materialize: the power goes at any step of a backup → every named file is whole (BT-g5)", async () => {
  const prng = new Prng(9);
  for (let run = 0; run < 25; run += 1) {
    const fixture = await Fixture.open({ periodMs: 20_000 });
    await fixture.member.write(15);
    await fixture.pass(2_000 + 1_000 * prng.below(12));
    await fixture.member.write(15);
    fixture.disk.interruptNext(prng.below(25), () => fixture.disk.crash(prng));
    await fixture.pass(30_000);
    fixture.disk.crash(prng);
    const isThere = await fixture.disk.exists(DIRECTORY);
    const images = isThere ? (await fixture.chain()).images : [];
    for (const { revision } of images) {
      assert.equal((await fixture.restore({ revision })).revision, revision);
    }
    const newest = images.length > 0 ? (await fixture.restore({})).revision : 0;
    assert.ok(newest >= (images.at(-1)?.revision ?? 0));
    fixture.start();
    await fixture.pass(40_000);
    assert.equal((await fixture.restore({})).revision, fixture.member.position.revision);
  }
});
