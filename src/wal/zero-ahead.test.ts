import assert from "node:assert/strict";
import { test } from "node:test";
import type { OpenFile } from "../seam/index.ts";
import { ZeroAhead } from "./zero-ahead.ts";

/** A file that finishes writes when told to. */
class SlowFile {
  readonly writes: { lo: number; hi: number; finish: (error?: Error) => void }[] = [];

  readonly file = {
    path: "/slow",
    writeDurable: (bytes: Uint8Array, offset: number): Promise<void> => {
      assert.ok(bytes.every((byte) => byte === 0));
      return new Promise((resolve, reject) => {
        this.writes.push({
          lo: offset,
          hi: offset + bytes.length,
          finish: (error) => (error === undefined ? resolve() : reject(error)),
        });
      });
    },
  } as unknown as OpenFile;
}

const RUN = 512 * 1024;

function make(slow: SlowFile, failures: unknown[] = []): ZeroAhead {
  const options = { at: 1000, limit: 3 * RUN, aheadBytes: RUN + 1 };
  return new ZeroAhead(slow.file, options, (error) => failures.push(error));
}

test("zeros: the tail comes near → run after run, until enough is ahead or the segment ends", async () => {
  const slow = new SlowFile();
  const zeros = make(slow);
  zeros.advance(1000);
  zeros.advance(1000);
  assert.equal(slow.writes.length, 1, "one run at a time");
  slow.writes[0]?.finish();
  await zeros.stop();
  assert.deepEqual(
    slow.writes.map(({ lo, hi }) => [lo, hi]),
    [[1000, 1000 + RUN]],
  );
  const other = new SlowFile();
  const second = make(other);
  assert.equal(second.claim(3 * RUN - 10), undefined);
  second.advance(3 * RUN - 10);
  assert.deepEqual(
    other.writes.map(({ lo, hi }) => [lo, hi]),
    [[3 * RUN - 10, 3 * RUN]],
  );
});

test("zeros: records claim what is being written → they wait for it; below it they do not", async () => {
  const slow = new SlowFile();
  const zeros = make(slow);
  zeros.advance(1000);
  assert.equal(zeros.claim(1000), undefined);
  const wait = zeros.claim(1008);
  assert.ok(wait !== undefined);
  slow.writes[0]?.finish();
  await wait;
  // The next run starts where the records end.
  const other = new SlowFile();
  const later = make(other);
  assert.equal(later.claim(RUN), undefined);
  later.advance(RUN);
  assert.equal(other.writes[0]?.lo, RUN);
});

test("zeros: a full disk ends them, any other failure is told (a lost write is told once)", async () => {
  const failures: unknown[] = [];
  const slow = new SlowFile();
  const zeros = make(slow, failures);
  zeros.advance(1000);
  slow.writes[0]?.finish(Object.assign(new Error("full"), { code: "ENOSPC" }));
  await zeros.stop();
  zeros.advance(2000);
  assert.equal(slow.writes.length, 1);
  assert.deepEqual(failures, []);
  const bad = new SlowFile();
  const others = make(bad, failures);
  others.advance(1000);
  bad.writes[0]?.finish(Object.assign(new Error("broken"), { code: "EIO" }));
  await others.stop();
  assert.equal(failures.length, 1);
});
