import assert from "node:assert/strict";
import { test } from "node:test";
import type { SnapshotImage } from "../seam/index.ts";
import { ManualTime } from "../testing/index.ts";
import { pacedImage } from "./paced-image.ts";

const turns = () => new Promise((resolve) => setImmediate(resolve));

test("paced image: as many bytes a second as it may, from any offset; what it stands for is closed with it (BT-f4)", async () => {
  const time = new ManualTime();
  let isClosed = false;
  const whole: SnapshotImage = {
    format: "store",
    sizeBytes: 3_000,
    async *read(offset) {
      for (let at = offset; at < 3_000; at += 1_000) yield Buffer.alloc(1_000, at / 1_000);
    },
    close: () => {
      isClosed = true;
    },
  };
  const image = pacedImage(whole, 10_000, time);
  assert.deepEqual([image.format, image.sizeBytes], ["store", 3_000]);
  const chunks: number[] = [];
  const all = (async () => {
    for await (const chunk of image.read(1_000)) chunks.push(chunk[0] as number);
  })();
  await turns();
  assert.deepEqual(chunks, [1]);
  time.advance(99);
  await turns();
  assert.deepEqual(chunks, [1]);
  time.advance(1);
  await turns();
  assert.deepEqual(chunks, [1, 2]);
  time.advance(100);
  await all;
  image.close();
  assert.equal(isClosed, true);
});
