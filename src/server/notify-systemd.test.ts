import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { ManualTime } from "../testing/index.ts";
import { keepWatchdogQuiet, notifySystemd } from "./notify-systemd.ts";

/** An environment in which systemd's helper writes down what it is told. */
function withHelper(t: TestContext): { env: NodeJS.ProcessEnv; told: () => string } {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-notify-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const log = join(directory, "told");
  writeFileSync(log, "");
  const script = join(directory, "systemd-notify");
  writeFileSync(script, `#!/bin/sh\necho "$*" >> ${log}\n`);
  chmodSync(script, 0o755);
  const env = { PATH: `${directory}:/bin:/usr/bin`, NOTIFY_SOCKET: "/run/none" };
  return { env, told: () => readFileSync(log, "utf8") };
}

function tell(env: NodeJS.ProcessEnv, state: string): Promise<boolean> {
  return new Promise((resolve) => {
    const isAsked: boolean = notifySystemd(env, state, () => resolve(isAsked));
    if (!isAsked) resolve(isAsked);
  });
}

test("systemd: not asked, or without its helper → nothing happens", async () => {
  assert.equal(await tell({ PATH: "/" }, "READY=1"), false);
  assert.equal(await tell({ PATH: "/", NOTIFY_SOCKET: "" }, "READY=1"), false);
  assert.equal(await tell({ PATH: "/nowhere", NOTIFY_SOCKET: "/run/none" }, "READY=1"), true);
});

test("systemd: asked → its helper is told", async (t) => {
  const { env, told } = withHelper(t);
  assert.equal(await tell(env, "READY=1"), true);
  assert.equal(told(), "READY=1\n");
});

test("systemd: a watchdog for another process, or none → no sign of life is promised", (t) => {
  const { env } = withHelper(t);
  const timers = new ManualTime();
  assert.equal(keepWatchdogQuiet(env, 7, timers), undefined);
  const other = { ...env, WATCHDOG_USEC: "30000000", WATCHDOG_PID: "8" };
  assert.equal(keepWatchdogQuiet(other, 7, timers), undefined);
  assert.equal(keepWatchdogQuiet({ ...env, WATCHDOG_USEC: "soon" }, 7, timers), undefined);
});

test("systemd: WATCHDOG_USEC is 30 s → a sign of life each 10 s, and one helper at a time", async (t) => {
  const { env, told } = withHelper(t);
  const time = new ManualTime();
  const asking = { ...env, WATCHDOG_USEC: "30000000", WATCHDOG_PID: "7" };
  const timer = keepWatchdogQuiet(asking, 7, time);
  assert.ok(timer !== undefined);
  time.advance(9_999);
  assert.equal(told(), "");
  time.advance(30_001);
  // Its end is told later than its word: the helper is asked again until it has come.
  while (!told().startsWith("WATCHDOG=1\n")) await turn();
  assert.equal(told(), "WATCHDOG=1\n");
  while (told() === "WATCHDOG=1\n") {
    time.advance(10_000);
    await turn();
  }
  assert.match(told(), /^(WATCHDOG=1\n)+$/);
  timer.cancel();
});

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
