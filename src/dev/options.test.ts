import assert from "node:assert/strict";
import { test } from "node:test";
import { type DevOptions, readDevOptions, Told } from "./options.ts";

function read(...parts: string[]): DevOptions {
  return readDevOptions(parts, () => undefined);
}

/** Exit code and text of a command line that runs nothing. */
function told(...parts: string[]): [number, string] {
  let text = "";
  try {
    readDevOptions(parts, (more) => {
      text += more;
    });
  } catch (error) {
    assert.ok(error instanceof Told, String(error));
    return [error.exitCode, text];
  }
  return [-1, text];
}

test("dev options: none → undefined, so that a kept directory can say; all of them", () => {
  assert.deepEqual(read(), {
    members: undefined,
    dataDirectory: undefined,
    basePort: undefined,
    killLeaderEveryMs: 0,
    memberFlags: [],
  });
  const parts = ["--members", "5", "--data-dir=d", "--base-port", "20000"];
  assert.deepEqual(read(...parts, "--kill-leader-every", "2.5", "--", "--log-level", "debug"), {
    members: 5,
    dataDirectory: "d",
    basePort: 20_000,
    killLeaderEveryMs: 2500,
    memberFlags: ["--log-level", "debug"],
  });
});

test("dev options: --help → 0 and examples; a mistake → 2 and what is wanted", () => {
  const [code, help] = told("--help");
  assert.equal(code, 0);
  assert.match(help, /holdfast dev --members 5 --data-dir/);
  const mistakes = [["--members", "10"], ["--members", "x"], ["--bogus"], ["--base-port", "65530"]];
  for (const parts of [...mistakes, ["--kill-leader-every", "0"]]) {
    const [mistaken, text] = told(...parts);
    assert.equal(mistaken, 2, parts.join(" "));
    assert.match(text, /^error: /);
  }
});
