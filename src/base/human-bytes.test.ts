import assert from "node:assert/strict";
import { test } from "node:test";
import { humanBytes } from "./human-bytes.ts";

test("human bytes: sizes in powers of 1000, one decimal below ten", () => {
  const cases: [number, string][] = [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [20_480, "20 kB"],
    [21_500, "22 kB"],
    [9_949_999, "9.9 MB"],
    [328_073_216, "328 MB"],
    [1_500_000_000, "1.5 GB"],
  ];
  for (const [count, text] of cases) assert.equal(humanBytes(count), text);
});
