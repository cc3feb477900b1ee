import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBenchArgs, selectCases, UsageError } from "./args.ts";
import { CASES } from "./cases.ts";

const names = (list: string): string[] => selectCases(list).map((spec) => spec.name);

test("args: none → every case but the extra ones, both servers, closed loop", () => {
  const args = parseBenchArgs([]);
  assert.deepEqual(args.targets, ["etcd", "holdfast"]);
  assert.equal(args.rate, 0);
  assert.equal(args.hasNullRun, true);
  assert.equal(args.writesResults, false);
  assert.deepEqual(
    args.cases,
    CASES.filter((spec) => spec.isExtra !== true && spec.members === undefined),
  );
});

test("args: all flags → all values", () => {
  const args = parseBenchArgs(
    "--cases put-1 --seconds 1.5 --warmup 0 --rounds 3 --target etcd --rate 500 --no-null --write"
      .split(" ")
      .concat(
        "--from",
        "a.json,b.json",
        "--json",
        "out.json",
        "--profile",
        "/tmp/p",
        "--directory",
        "/tmp",
      ),
  );
  assert.deepEqual(
    args.cases.map((spec) => spec.name),
    ["put-1"],
  );
  assert.equal(args.seconds, 1.5);
  assert.equal(args.warmupSeconds, 0);
  assert.equal(args.rounds, 3);
  assert.deepEqual(args.targets, ["etcd"]);
  assert.equal(args.rate, 500);
  assert.equal(args.hasNullRun, false);
  assert.equal(args.writesResults, true);
  assert.equal(args.jsonPath, "out.json");
  assert.deepEqual(args.fromPaths, ["a.json", "b.json"]);
  assert.equal(args.profileDirectory, "/tmp/p");
  assert.equal(args.directory, "/tmp");
});

test("args: case names → exact first, else as a beginning, in the order of the list", () => {
  assert.deepEqual(names("put-1"), ["put-1"]);
  assert.deepEqual(names("watch-100, put-1000,put-1"), ["put-1", "put-1000", "watch-100"]);
  assert.deepEqual(names("put-"), ["put-1", "put-100", "put-1000"]);
  assert.deepEqual(names("put-1,put-1"), ["put-1"]);
});

test("args: --members 3 → the cases with three members; a named one runs anyway", () => {
  const all = parseBenchArgs(["--members", "3"]).cases;
  assert.ok(all.length > 5);
  assert.ok(all.every((spec) => spec.members === 3 && spec.isExtra !== true));
  assert.deepEqual(names("c3-put-1"), ["c3-put-1"]);
});

test("args: mistakes → one line that names the flag and what is wanted", () => {
  const refusals: [string[], RegExp][] = [
    [["--cases", "nothing"], /--cases: there is no case "nothing"; there are put-1, /],
    [["--cases", ""], /there is no case ""/],
    [["--rounds", "0"], /--rounds "0" is not a number from 1 to 100/],
    [["--rounds", "1.5"], /--rounds "1.5" is not a whole number/],
    [["--seconds", "x"], /--seconds "x" is not a number/],
    [["--seconds", ""], /--seconds "" is not a number/],
    [["--members", "2"], /--members "2" is neither 1 nor 3/],
    [["--target", "zookeeper"], /--target "zookeeper" is none of holdfast, etcd, both/],
    [["--rate", "-1"], /--rate/],
    [["--unknown"], /--unknown/],
    [["stray"], /stray/],
  ];
  for (const [args, message] of refusals) {
    assert.throws(
      () => parseBenchArgs(args),
      (error) => error instanceof UsageError && message.test(error.message),
      args.join(" "),
    );
  }
});
