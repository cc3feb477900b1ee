import assert from "node:assert/strict";
import { test } from "node:test";
import { processIo, startChild } from "./process-io.ts";

test("CT programs: how one ends → in Go's words, with its exit code", async () => {
  const end = (...words: string[]) => startChild(words, {}, "pipe").ended;
  assert.deepEqual(await end("true"), { exitCode: 0, error: undefined });
  assert.deepEqual(await end("sh", "-c", "exit 3"), { exitCode: 3, error: "exit status 3" });
  const killed = { exitCode: 255, error: "signal: killed" };
  assert.deepEqual(await end("sh", "-c", "kill -KILL $$"), killed);
  const missing = 'exec: "no-such-program": executable file not found in $PATH';
  assert.deepEqual(await end("no-such-program"), { exitCode: 1, error: missing });
  const nowhere = "fork/exec /no/such: no such file or directory";
  assert.deepEqual(await end("/no/such"), { exitCode: 1, error: nowhere });
  assert.equal((await end("/etc/passwd")).error, "fork/exec /etc/passwd: permission denied");
});

test("CT programs: the environment given beside ours → seen", async () => {
  const seen: Buffer[] = [];
  const child = startChild(["sh", "-c", "echo $A $HOME"], { A: "b" }, "pipe", (data) => {
    seen.push(data);
  });
  await child.ended;
  assert.equal(Buffer.concat(seen).toString(), `b ${process.env["HOME"]}\n`);
});

test("CT signals: handled until it is called off", () => {
  const io = processIo();
  const before = process.listenerCount("SIGTERM");
  const stop = io.onInterrupt(() => undefined);
  assert.equal(process.listenerCount("SIGTERM"), before + 1);
  stop();
  assert.equal(process.listenerCount("SIGTERM"), before);
});
