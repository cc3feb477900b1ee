import assert from "node:assert/strict";
import { test } from "node:test";
import { type FlagSpec, switchFlag, textFlag } from "./command.ts";
import { FlagError, Flags, parseFlags } from "./flags.ts";

const SPECS: readonly FlagSpec[] = [
  switchFlag("prefix", ""),
  switchFlag("interactive", "", "i"),
  { name: "write-out", short: "w", kind: "string", initial: "simple", help: "" },
  { name: "rev", kind: "int", initial: "0", help: "" },
  { name: "timeout", kind: "duration", initial: "5s", help: "" },
  { name: "endpoints", kind: "list", initial: "127.0.0.1:2379", help: "" },
];

function read(...words: string[]) {
  const flags = new Flags(SPECS);
  return { flags, line: parseFlags(words, flags) };
}

function refused(...words: string[]): string {
  try {
    read(...words);
  } catch (error) {
    assert.ok(error instanceof FlagError);
    return error.message;
  }
  return "accepted";
}

test("flags: between the arguments, in each of their forms → read", () => {
  const { flags, line } = read("a", "--rev=0x10", "-iw", "json", "b", "--prefix", "c");
  assert.deepEqual(line, { args: ["a", "b", "c"], dashAt: undefined, isHelpWanted: false });
  assert.equal(flags.count("rev"), 16);
  assert.equal(flags.text("write-out"), "json");
  assert.ok(flags.on("interactive") && flags.on("prefix"));
  assert.equal(read("-w=table").flags.text("write-out"), "table");
  assert.equal(read("-wtable").flags.text("write-out"), "table");
  assert.equal(read("--prefix=false").flags.on("prefix"), false);
});

test("flags: behind -- → arguments, and where they begin is known", () => {
  const { line } = read("a", "--", "--prefix", "-x");
  assert.deepEqual(line, { args: ["a", "--prefix", "-x"], dashAt: 1, isHelpWanted: false });
  assert.deepEqual(read("-", "x").line.args, ["-", "x"]);
});

test("flags: a list given again → joined, the default gone", () => {
  assert.deepEqual(read().flags.list("endpoints"), ["127.0.0.1:2379"]);
  assert.deepEqual(read("--endpoints=a, b", "--endpoints", "c").flags.list("endpoints"), [
    "a",
    "b",
    "c",
  ]);
});

test("flags: what cannot be read → refused in pflag's words", () => {
  assert.equal(refused("--nothing"), "unknown flag: --nothing");
  assert.equal(refused("-ix"), "unknown shorthand flag: 'x' in -x");
  assert.equal(refused("--rev"), "flag needs an argument: --rev");
  assert.equal(refused("-w"), "flag needs an argument: 'w' in -w");
  assert.equal(refused("--=x"), "bad flag syntax: --=x");
  assert.equal(
    refused("--rev", 'a"b'),
    'invalid argument "a\\"b" for "--rev" flag: strconv.ParseInt: parsing "a\\"b": invalid syntax',
  );
  assert.equal(
    refused("--timeout=5"),
    'invalid argument "5" for "--timeout" flag: time: missing unit in duration "5"',
  );
});

test("flags: a command's own flag with the name of a global one → its own", () => {
  const flags = new Flags([textFlag("rev", "own", ""), ...SPECS]);
  parseFlags(["--rev=text"], flags);
  assert.equal(flags.text("rev"), "text");
});
