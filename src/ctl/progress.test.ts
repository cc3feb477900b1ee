import assert from "node:assert/strict";
import { test } from "node:test";
import type { CtlIo } from "./io.ts";
import { Progress } from "./progress.ts";

function screen(isTerminal: boolean): { io: CtlIo; text: () => string } {
  let text = "";
  const io = {
    stdout: (data: string | Uint8Array) => void (text += data.toString()),
    isTerminal,
    columns: 60,
  } as CtlIo;
  return { io, text: () => text };
}

const options = { what: "fetching", total: 0, unit: "bytes" } as const;

test("progress: on a terminal → one line, redrawn ten times a second at most, then wiped", () => {
  const { io, text } = screen(true);
  let nowMs = 0;
  const progress = new Progress(io, { ...options, now: () => nowMs });
  progress.show(0, 4_000_000);
  nowMs = 50;
  progress.show(1_000_000, 4_000_000);
  assert.equal(text(), "\rfetching  [........................]   0 %  0 B of 4.0 MB\x1b[K");
  nowMs = 2_000;
  progress.show(1_000_000, 4_000_000);
  const [, , last = ""] = text().split("\r");
  assert.equal(last, "fetching  [######..................]  25 %  1.0 MB of 4.0 M\x1b[K");
  progress.end();
  progress.end();
  assert.ok(text().endsWith("M\x1b[K\r\x1b[K"));
});

test("progress: how much there is is not known → the time that has passed", () => {
  const { io, text } = screen(true);
  let nowMs = 0;
  const progress = new Progress(io, { ...options, now: () => nowMs });
  nowMs = 1_500;
  progress.show(7);
  assert.equal(text(), "\rfetching  1.5 s\x1b[K");
});

test("progress: no terminal → nothing is written", () => {
  const { io, text } = screen(false);
  const progress = new Progress(io, { ...options, now: () => 0 });
  progress.show(1, 2);
  progress.end();
  assert.equal(text(), "");
});
