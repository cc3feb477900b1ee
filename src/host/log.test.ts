import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { LineWriter } from "./line-writer.ts";
import { openLog } from "./log.ts";

async function logged(
  level: "debug" | "info" | "warn",
  format: "json" | "console",
): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-log-"));
  const path = join(directory, "out.log");
  const log = openLog({ level, format, outputs: [path, path] });
  log.debug("detail");
  log.info("ready to serve client requests", { address: "127.0.0.1:2379", size: 3 });
  log.child("wal").error("broken", { error: new Error("no space") });
  await log.flush();
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  rmSync(directory, { recursive: true });
  return lines;
}

test("log: a line is JSON with level, ts, caller, msg and then the fields, in that order", async () => {
  const lines = await logged("info", "json");
  assert.equal(lines.length, 2);
  assert.match(
    lines[0] as string,
    /^\{"level":"info","ts":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z","caller":"server","msg":"ready to serve client requests","address":"127.0.0.1:2379","size":3\}$/,
  );
  const second = JSON.parse(lines[1] as string) as Record<string, unknown>;
  assert.equal(second["caller"], "wal");
  assert.equal(second["error"], "no space");
  assert.equal((lines[1] as string).split('"caller"').length, 2, "caller stands once");
});

test("log: the level leaves out what is below it", async () => {
  assert.equal((await logged("debug", "json")).length, 3);
  assert.equal((await logged("warn", "json")).length, 1);
});

test("log: console format → tab separated for people", async () => {
  assert.match(
    (await logged("info", "console"))[0] as string,
    /Z\tinfo\tserver\tready to serve.*\t\{"address"/,
  );
});

test("line writer: a reader that does not read → lines beyond the backlog are dropped, in order", async () => {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-log-"));
  const path = join(directory, "out.log");
  const writer = LineWriter.open(path, 25);
  for (let line = 0; line < 5; line += 1) writer.write(`line ${line}...\n`);
  assert.equal(writer.droppedLines, 3);
  await writer.flush(1000);
  writer.write("after\n");
  await writer.flush(1000);
  assert.equal(readFileSync(path, "utf8"), "line 0...\nline 1...\nafter\n");
  rmSync(directory, { recursive: true });
});
