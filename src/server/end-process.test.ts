import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";

const MODULE = new URL("./end-process.ts", import.meta.url).href;

async function ended(script: string): Promise<[number | null, NodeJS.Signals | null]> {
  const source = `import { endProcess } from ${JSON.stringify(MODULE)};\n${script}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source]);
  return (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
}

test("end of the process: nothing hangs → the given code (FR-13)", async () => {
  assert.deepEqual(await ended("endProcess(7)"), [7, null]);
});

test("end of the process: an exit hook never returns → killed all the same (FR-13)", async () => {
  const hook = 'process.on("exit", () => { for (;;); });\n';
  assert.deepEqual(await ended(`${hook}endProcess(7)`), [null, "SIGKILL"]);
});
