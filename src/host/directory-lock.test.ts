import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { lockDirectory } from "./index.ts";

const HOLDER = `
import { lockDirectory } from ${JSON.stringify(new URL("./directory-lock.ts", import.meta.url).href)};
process.stdin.on("end", () => process.exit(0)).resume();
for await (const directory of (await import("node:readline")).createInterface(process.stdin)) {
  lockDirectory(directory).then(
    () => console.log("held"),
    (error) => console.log(error.message),
  );
}`;

interface Starter {
  readonly process: ChildProcess;
  /** Asks for the lock; resolves to "held" or the refusal. */
  start(directory: string): Promise<string>;
}

function starter(t: TestContext): Starter {
  const child = spawn(process.execPath, ["--input-type=module", "-e", HOLDER], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => void child.kill("SIGKILL"));
  return {
    process: child,
    start: async (directory) => {
      child.stdin?.write(`${directory}\n`);
      const [chunk] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
      return chunk.toString().trim();
    },
  };
}

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-lock-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test("directory lock: held → a second process is refused and told the pid; released → free", async (t) => {
  const directory = temporary(t);
  const lock = await lockDirectory(directory);
  assert.equal(
    await starter(t).start(directory),
    `data directory ${directory} is in use by process ${process.pid}: ` +
      "stop it first, or choose another --data-dir",
  );
  await lock.release();
  assert.deepEqual(readdirSync(join(directory, "lock")), []);
  assert.equal(await starter(t).start(directory), "held");
});

test("directory lock: within one process it excludes too", async (t) => {
  const directory = temporary(t);
  const lock = await lockDirectory(directory);
  await assert.rejects(lockDirectory(directory), { name: "HostError" });
  await lock.release();
  await (await lockDirectory(directory)).release();
});

test("directory lock: kill -9 of the holder → free at once, its file removed", async (t) => {
  const directory = temporary(t);
  for (let round = 0; round < 3; round += 1) {
    const holder = starter(t);
    assert.equal(await holder.start(directory), "held");
    holder.process.kill("SIGKILL");
    await once(holder.process, "exit");
  }
  const lock = await lockDirectory(directory);
  assert.equal(readdirSync(join(directory, "lock")).length, 1);
  await lock.release();
});

test("directory lock: a stopped holder still holds", async (t) => {
  const directory = temporary(t);
  const holder = starter(t);
  assert.equal(await holder.start(directory), "held");
  holder.process.kill("SIGSTOP");
  await assert.rejects(lockDirectory(directory), /in use by a process that does not answer/);
  holder.process.kill("SIGCONT");
  await assert.rejects(lockDirectory(directory), new RegExp(`process ${holder.process.pid}`));
});

test("directory lock: simultaneous starters → exactly one holds, in every round", async (t) => {
  const starters = [starter(t), starter(t), starter(t)];
  const rounds = Math.max(20, Math.min(Number(process.env["FUZZ_RUNS"] ?? 40), 2000));
  for (let round = 0; round < rounds; round += 1) {
    const directory = temporary(t);
    // What a killed process left must not disturb.
    mkdirSync(join(directory, "lock"), { recursive: true });
    const answers = await Promise.all(starters.map((one) => one.start(directory)));
    assert.equal(answers.filter((answer) => answer === "held").length, 1, answers.join("\n"));
  }
});

test("directory lock: a long path is no obstacle; an unwritable one is told", async (t) => {
  const directory = join(temporary(t), "x".repeat(120), "y".repeat(120));
  mkdirSync(directory, { recursive: true });
  const lock = await lockDirectory(directory);
  await assert.rejects(lockDirectory(directory), { name: "HostError" });
  await lock.release();
  await assert.rejects(
    lockDirectory("/proc/none"),
    /data directory \/proc\/none cannot be locked: ENOENT/,
  );
});
