import assert from "node:assert/strict";
import { test } from "node:test";
import type { Logger } from "../seam/index.ts";
import { ManualTime, SimulatedDisk } from "../testing/index.ts";
import { type CareKind, Journal, JOURNAL_ROWS_MAX } from "./journal.ts";

const PATH = "/data/care.jsonl";

async function setUp() {
  const disk = new SimulatedDisk();
  await disk.makeDirectory("/data");
  const lines: string[] = [];
  const note = (message: string) => void lines.push(message);
  const logger = { error: note, info: note, warn: note } as unknown as Logger;
  const clock = new ManualTime();
  const open = () => Journal.open({ disk, path: PATH, clock, logger });
  return { disk, lines, clock, open };
}

const event = (kind: CareKind, found = "x") => ({ kind, found, why: "because", done: "done" });

test("journal: what was noted → is logged, counted and there after a restart, oldest first", async () => {
  const { open, lines } = await setUp();
  const journal = await open();
  journal.note(event("damage", "a"));
  journal.note(event("quarantined", "b"));
  await journal.close();
  journal.note(event("healed", "c"));
  await journal.close();
  assert.equal(lines.length, 3);
  assert.equal(journal.counts.get("damage"), 1);
  const again = await open();
  assert.deepEqual(again.rows, journal.rows);
  assert.deepEqual(
    again.rows.map(({ found }) => found),
    ["a", "b", "c"],
  );
  assert.equal(again.counts.size, 0);
});

test("journal: very many rows → the newest are kept, and the file stays small", async () => {
  const { open, disk } = await setUp();
  const journal = await open();
  for (let number = 0; number < 5 * JOURNAL_ROWS_MAX; number += 1) {
    journal.note(event("damage", String(number)));
    if (number % 50 === 0) await journal.close();
  }
  await journal.close();
  const again = await open();
  assert.equal(again.rows.length, JOURNAL_ROWS_MAX);
  assert.equal(again.rows.at(-1)?.found, String(5 * JOURNAL_ROWS_MAX - 1));
  const lines = (await disk.readFile(PATH)).toString().split("\n").length;
  assert.ok(lines < 3 * JOURNAL_ROWS_MAX, `${lines} lines`);
});

test("journal: a file with other things in it, or a torn end → what can be read is kept", async () => {
  const { open, disk } = await setUp();
  const journal = await open();
  journal.note(event("damage", "a"));
  await journal.close();
  const file = await disk.open(PATH, "write");
  await file.write(Buffer.from('{"at":1}\nnonsense\n{"at":"2026'), await file.size());
  await file.close();
  const again = await open();
  assert.equal(again.rows.length, 1);
  again.note(event("healed", "b"));
  await again.close();
  assert.deepEqual(
    (await open()).rows.map(({ found }) => found),
    ["a", "b"],
  );
});

test("journal: counts of a kind within a time → by the wall clock, restarts included", async () => {
  const { open, clock } = await setUp();
  const journal = await open();
  journal.note(event("replaced"));
  clock.advance(10_000);
  journal.note(event("replaced"));
  journal.note(event("healed"));
  await journal.close();
  const again = await open();
  assert.equal(again.recent("replaced", 20_000), 2);
  assert.equal(again.recent("replaced", 5_000), 1);
});
