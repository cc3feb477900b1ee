import assert from "node:assert/strict";
import { test } from "node:test";
import { EffectLog, EFFECTS_MAX } from "./effect-log.ts";

test("effects: of a range of entries, oldest first; older than the ring → missing", () => {
  const log = new EffectLog();
  assert.deepEqual(log.of(0, 100), []);
  for (let index = 1; index <= EFFECTS_MAX + 10; index += 1) {
    log.add(index, index % 2 === 0 ? "key" : "lease", Buffer.from([index & 0xff]), index * 3);
  }
  const found = log.of(40, 43);
  assert.deepEqual(
    found.map(({ index, table, checksum }) => `${index} ${table} ${checksum}`),
    ["41 lease 123", "42 key 126", "43 lease 129"],
  );
  assert.equal(log.of(0, 12)[0]?.index, 11);
  assert.deepEqual(found[0]?.key, Buffer.from([41]));
  log.add(99_999, "key", Buffer.alloc(100, 7), 1);
  assert.deepEqual(
    log.of(99_998, 99_999)[0]?.key,
    Buffer.alloc(31, 7),
    "the beginning of a long one",
  );
});
