/**
 * All patches still fit the sources, and a few mutants are hunted; `npm run mutants` hunts all.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { MUTANTS, mutantNamed } from "./list.ts";
import { Copy, patched, ROOT } from "./mutant.ts";
import { hunt } from "./runner.ts";

const HUNTED = [
  "commit-old-term-by-counting",
  "14370-one-member-ack-before-fsync",
  "18667-compacted-read-in-transaction",
];
const SEEDS = 40;

test(`mutants: the patches of all ${MUTANTS.length} → fit the sources, each in one place`, () => {
  const names = new Set(MUTANTS.map(({ name }) => name));
  assert.equal(names.size, MUTANTS.length, "names are unique");
  for (const { name, patches } of MUTANTS) {
    for (const patch of patches) {
      const text = readFileSync(join(ROOT, patch.file), "utf8");
      assert.notEqual(patched(text, patch), text, name);
    }
  }
});

test("mutants: a patch that does not fit, or fits twice → refused, with the place", () => {
  const patch = { file: "a.ts", search: "one", replace: "two" };
  assert.throws(() => patched("nothing", patch), /a\.ts has 0 places with "one", not 1/);
  assert.throws(() => patched("one one", patch), /a\.ts has 2 places/);
});

let copy: Copy | undefined;
after(() => copy?.dispose());

for (const name of HUNTED) {
  test(`mutants: ${name} → caught`, async (t) => {
    copy ??= new Copy();
    const options = { firstSeed: 1, seeds: SEEDS, minutesMax: 5 };
    const { found } = await hunt(copy, mutantNamed(name), options);
    t.diagnostic(`${found.check} after ${found.tried}`);
    assert.ok(found.isCaught, `${name} lives after ${found.tried}`);
    assert.notEqual(found.check, "crashed", found.text);
  });
}
