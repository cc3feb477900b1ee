import assert from "node:assert/strict";
import { test } from "node:test";
import { helpText, versionText } from "./help.ts";
import { textFor } from "./texts.ts";

test("texts: help and version → what is printed, the version of the wanted minor", () => {
  assert.equal(textFor(["--help"]), helpText());
  assert.equal(textFor(["--version"]), versionText(7));
  assert.equal(textFor(["--version", "--compat", "3.4"]), versionText(4));
});

test("texts: a member wanted, or a command line that cannot be read → left to the server", () => {
  assert.equal(textFor([]), undefined);
  assert.equal(textFor(["--name", "a"]), undefined);
  assert.equal(textFor(["--no-such-flag"]), undefined);
});
