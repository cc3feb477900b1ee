import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { COMMANDS } from "../registry.ts";
import { bashCompletion, zshCompletion } from "./bourne.ts";
import { fishCompletion } from "./fish.ts";
import { powershellCompletion } from "./powershell.ts";
import { completionTable } from "./table.ts";

const table = await completionTable(COMMANDS);

/** What bash offers for the last word of each line. */
function offered(lines: readonly (readonly string[])[]): string[] {
  const asks = lines.map(
    (words) => `
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")})
COMP_CWORD=${words.length - 1}
_etcdctl
echo "\${COMPREPLY[*]}"`,
  );
  const bash = spawnSync("bash", ["--norc"], { input: bashCompletion(table) + asks.join("\n") });
  assert.equal(bash.stderr.toString(), "");
  return bash.stdout.toString().split("\n").slice(0, -1);
}

test("CT-30 completion bash: commands, their parts, flags and values → offered", () => {
  const found = offered([
    ["etcdctl", "le"],
    ["etcdctl", "lease", "k"],
    ["etcdctl", "-w", "j"],
    ["etcdctl", "get", "--order", "=", "D"],
    ["etcdctl", "get", "--sort-by", "M"],
    ["etcdctl", "--endpoints", "lease", "get", "--keys"],
    ["holdfast", "ctl", "mem"],
    ["holdfast", "c"],
    ["etcdctl", "watch", "a", "--", "--pre"],
    ["etcdctl", "get", "a", "--pref"],
  ]);
  assert.deepEqual(found, [
    "lease",
    "keep-alive",
    "json",
    "DESCEND",
    "MODIFY",
    "--keys-only",
    "member",
    "ctl",
    "",
    "--prefix",
  ]);
});

test("CT-30 completion zsh, fish, powershell: every command and flag → named", () => {
  const texts = [zshCompletion(table), fishCompletion(table), powershellCompletion(table)];
  for (const { entry, flags } of table.commands) {
    for (const text of texts) {
      for (const word of [...entry.name.split(" "), ...flags.map(({ name }) => name)]) {
        assert.ok(text.includes(word), `${entry.name}: ${word}`);
      }
    }
  }
});
