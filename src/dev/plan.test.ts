import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { DevOptions } from "./options.ts";
import { makePlan, PlanError } from "./plan.ts";

const NOTHING: DevOptions = {
  members: undefined,
  dataDirectory: undefined,
  basePort: undefined,
  killLeaderEveryMs: 0,
  memberFlags: [],
};

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-plan-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test("dev plan: nothing said → three members on ports from 2379, in a new directory", (t) => {
  const plan = makePlan({ ...NOTHING, memberFlags: ["--log-level", "debug"] });
  t.after(() => rmSync(plan.directory, { recursive: true }));
  assert.equal(plan.isTemporary, true);
  assert.ok(existsSync(plan.directory));
  assert.equal(plan.endpoints, "127.0.0.1:2379,127.0.0.1:2381,127.0.0.1:2383");
  assert.deepEqual(
    plan.members.map(({ name, peerPort }) => [name, peerPort]),
    [
      ["m1", 2380],
      ["m2", 2382],
      ["m3", 2384],
    ],
  );
  const flags = plan.members[1]?.flags ?? [];
  const cluster = "m1=http://127.0.0.1:2380,m2=http://127.0.0.1:2382,m3=http://127.0.0.1:2384";
  assert.equal(flags[flags.indexOf("--initial-cluster") + 1], cluster);
  assert.deepEqual(flags.slice(-2), ["--log-level", "debug"], "last, so that they count");
});

test("dev plan: a kept directory remembers its members and ports, and is not bent", (t) => {
  const dataDirectory = join(temporary(t), "cluster");
  const first = makePlan({ ...NOTHING, dataDirectory, members: 5, basePort: 21_000 });
  assert.equal(first.isTemporary, false);
  assert.deepEqual(makePlan({ ...NOTHING, dataDirectory }), first);
  assert.throws(
    () => makePlan({ ...NOTHING, dataDirectory, members: 3 }),
    (error: Error) => error instanceof PlanError && /a cluster of 5 members/.test(error.message),
  );
  assert.throws(() => makePlan({ ...NOTHING, dataDirectory, basePort: 1 }), /ports from 21000/);
  writeFileSync(join(dataDirectory, "dev.json"), "{");
  assert.throws(() => makePlan({ ...NOTHING, dataDirectory }), /dev\.json is damaged/);
});

test("dev plan: a directory that cannot be → told", (t) => {
  const file = join(temporary(t), "file");
  writeFileSync(file, "");
  assert.throws(
    () => makePlan({ ...NOTHING, dataDirectory: join(file, "x") }),
    (error: Error) => error instanceof PlanError && /cannot be used/.test(error.message),
  );
});
