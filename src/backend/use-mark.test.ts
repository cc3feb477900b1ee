import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { checkAfter, markUse, unmarkUse } from "./use-mark.ts";

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-mark-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test("use mark: ends without a close are counted in a row; a close begins anew", (t) => {
  const directory = temporary(t);
  assert.deepEqual([markUse(directory), markUse(directory), markUse(directory)], [0, 1, 2]);
  unmarkUse(directory);
  assert.equal(existsSync(join(directory, "in-use")), false);
  assert.equal(markUse(directory), 0);
});

test("use mark: any byte of it rots → it is a mark all the same, and the next one is sound (BT-f3)", (t) => {
  const directory = temporary(t);
  const path = join(directory, "in-use");
  for (let at = 0; at < 2; at += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      unmarkUse(directory);
      markUse(directory);
      const bytes = readFileSync(path);
      bytes[at] = (bytes[at] as number) ^ (1 << bit);
      writeFileSync(path, bytes);
      assert.ok(markUse(directory) >= 1);
      assert.match(readFileSync(path, "utf8"), /^[1-9][0-9]*\n$/);
    }
  }
});

test("use mark: small files are checked whole always, large ones after such ends, none is left out for ever", (t) => {
  const path = join(temporary(t), "file");
  assert.equal(checkAfter(0, path), "whole");
  const checks = (bytes: number): string[] => {
    writeFileSync(path, "");
    truncateSync(path, bytes);
    return [0, 1, 2, 9].map((ends) => checkAfter(ends, path));
  };
  assert.deepEqual(checks(64 << 20), ["whole", "whole", "whole", "whole"]);
  assert.deepEqual(checks((64 << 20) + 1), ["structure", "whole", "whole", "whole"]);
  assert.deepEqual(checks(2 ** 31), ["structure", "structure", "whole", "whole"]);
});
