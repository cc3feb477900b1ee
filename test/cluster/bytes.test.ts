/**
 * Every byte of a member's log and of its small files, flipped in turn while the member is down:
 * the others go on, it answers nothing wrong, and it is well again without a person. The store's
 * file has its turn in test/robustness/bytes-store.test.ts.
 *
 * LONG_SUITE=1 takes every byte; BYTES_STRIDE takes one in so many, SEED says which bit of each.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Prng } from "../../src/base/index.ts";
import { feed } from "../harness/feed.ts";
import {
  type ByteOf,
  filesOf,
  kindOf,
  type Outcome,
  placeOf,
  type PlaceName,
  type When,
} from "./bytes-flips.ts";

const SEED = Number(process.env["SEED"] ?? 1);
const IS_LONG = process.env["LONG_SUITE"] === "1";
const STRIDE = Number(process.env["BYTES_STRIDE"] ?? 1);
const FLIPS_PER_PROCESS = 5_000;
const CHILD = join(import.meta.dirname, "bytes-process.ts");

interface RunOptions {
  readonly place: PlaceName;
  readonly isWanted?: RegExp;
  readonly when?: When;
}

/** Bytes of a file: those of the log differ more. */
function sampledOf(path: string): number {
  return (path.endsWith(".wal") ? 4 : 2) * (IS_LONG ? 10 : 1);
}

/** Those that have a turn. Of a running member's files some are enough: it reads them the same. */
function chosen(path: string, length: number, when: When, prng: Prng): ByteOf[] {
  const isAll = IS_LONG && when === "down";
  const count = isAll ? Math.ceil(length / STRIDE) : length === 0 ? 0 : sampledOf(path);
  return Array.from({ length: count }, (_, turn) => {
    const offset = isAll ? turn * STRIDE : prng.below(length);
    return { path, offset, bit: (offset * 5 + SEED) % 8 };
  });
}

type Counts = Record<Outcome, number>;

async function run(
  t: { diagnostic(text: string): void },
  { place, isWanted = /^/, when = "down" }: RunOptions,
) {
  const prng = new Prng(SEED);
  const bytes: ByteOf[] = [];
  for (const { path, length } of await filesOf(await placeOf(place))) {
    if (isWanted.test(kindOf(path))) bytes.push(...chosen(path, length, when, prng));
  }
  const counts = new Map<string, Counts>();
  const beganMs = performance.now();
  for (let lo = 0; lo < bytes.length; lo += FLIPS_PER_PROCESS) {
    const part = bytes.slice(lo, lo + FLIPS_PER_PROCESS);
    const lines = part.map(({ path, offset, bit }) => `${path}:${offset}:${bit}`);
    const outcomes = await feed({ program: CHILD, args: [place, when] }, lines);
    for (const [at, line] of lines.entries()) {
      const outcome = outcomes.get(line) ?? "never begun";
      assert.match(outcome, /^(unused|healed|replaced)$/, line);
      const kind = kindOf((part[at] as ByteOf).path);
      const ofKind = counts.get(kind) ?? { unused: 0, healed: 0, replaced: 0 };
      counts.set(kind, ofKind);
      ofKind[outcome as Outcome] += 1;
    }
  }
  for (const [kind, ofKind] of counts) t.diagnostic(`${kind}: ${JSON.stringify(ofKind)}`);
  const seconds = Math.round((performance.now() - beganMs) / 1_000);
  t.diagnostic(`${bytes.length} bytes, ${seconds} s`);
}

test(`bytes: any of a member's log and small files is flipped while it is down, seed ${SEED} → nothing wrong is answered, the others go on, it is well again by itself (BT-f3)`, async (t) => {
  await run(t, { place: "atRest" });
});

test(`bytes: some of a member's log and small files are flipped while it runs, which is killed then, seed ${SEED} → the same (BT-f3)`, async (t) => {
  // A segment that was prepared is removed when the log is opened.
  await run(t, { place: "atRest", when: "running", isWanted: /(?<!\.tmp)$/ });
});

test(`bytes: any of the note by which a member comes back, and of what it has by then, seed ${SEED} → it comes back (BT-f3 BT-d1)`, async (t) => {
  await run(t, { place: "onItsWay", isWanted: /^(rejoin|member\/(epoch|format))/ });
});
