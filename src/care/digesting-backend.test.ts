import assert from "node:assert/strict";
import { test } from "node:test";
import { type Backend, MemoryBackend, MemoryMedium } from "../backend/index.ts";
import { sameDigest } from "./state-chain.ts";
import { DigestingBackend } from "./digesting-backend.ts";

const bytes = (text: string): Buffer => Buffer.from(text);

function twins(): [DigestingBackend, DigestingBackend] {
  return [new DigestingBackend(new MemoryBackend()), new DigestingBackend(new MemoryBackend())];
}

function isAlike(change: (backend: Backend) => void, other: (backend: Backend) => void): boolean {
  const [one, two] = twins();
  change(one);
  other(two);
  for (const backend of [one, two]) backend.setApplied({ index: 1, term: 1 });
  return sameDigest(one.chain.current, two.chain.current);
}

test("digest: any difference in what an entry writes, and where → another digest (BT-f1)", () => {
  const put = (backend: Backend): void => backend.put("lease", bytes("k"), bytes("v"));
  assert.ok(isAlike(put, put));
  assert.ok(!isAlike(put, (backend) => backend.put("lease", bytes("k"), bytes("w"))));
  assert.ok(!isAlike(put, (backend) => backend.put("lease", bytes("l"), bytes("v"))));
  assert.ok(!isAlike(put, (backend) => backend.put("alarm", bytes("k"), bytes("v"))));
  assert.ok(!isAlike(put, (backend) => backend.put("lease", bytes("kv"), bytes(""))));
  assert.ok(!isAlike(put, (backend) => backend.delete("lease", bytes("k"))));
  assert.ok(!isAlike(put, () => undefined));
});

test("digest: what each member does at its own pace → no difference", () => {
  const nothing = (): void => undefined;
  assert.ok(isAlike(nothing, (backend) => backend.put("local", bytes("k"), bytes("v"))));
  assert.ok(isAlike(nothing, (backend) => backend.delete("key", Buffer.alloc(17))));
  const finished = bytes("finishedCompactRev");
  assert.ok(isAlike(nothing, (backend) => backend.put("meta", finished, Buffer.alloc(17))));
  const scheduled = bytes("scheduledCompactRev");
  assert.ok(!isAlike(nothing, (backend) => backend.put("meta", scheduled, Buffer.alloc(17))));
});

test("digest: is in the same batch as the effects, and is gone on from after a restart", async () => {
  const medium = new MemoryMedium();
  const before = new DigestingBackend(new MemoryBackend({ medium }));
  before.put("key", Buffer.alloc(17, 1), bytes("v"));
  before.setApplied({ index: 7, term: 2 });
  await before.commit();
  // Applied after the commit, and lost with the process.
  before.put("key", Buffer.alloc(17, 2), bytes("w"));
  before.setApplied({ index: 8, term: 2 });
  const after = new DigestingBackend(new MemoryBackend({ medium }));
  assert.equal(after.chain.isKnown, true);
  assert.ok(sameDigest(after.chain.current, before.chain.at(7) as never));
  after.put("key", Buffer.alloc(17, 2), bytes("w"));
  after.setApplied({ index: 8, term: 2 });
  assert.ok(sameDigest(after.chain.current, before.chain.current));
});

test("digest: a store that has none, as from an etcd member → unknown, and not kept as if it were known", async () => {
  const medium = new MemoryMedium();
  const etcds = new MemoryBackend({ medium });
  etcds.put("key", Buffer.alloc(17, 1), bytes("v"));
  etcds.setApplied({ index: 7, term: 2 });
  await etcds.commit();
  const backend = new DigestingBackend(new MemoryBackend({ medium }));
  assert.equal(backend.chain.isKnown, false);
  backend.setApplied({ index: 8, term: 2 });
  await backend.commit();
  assert.equal(new DigestingBackend(new MemoryBackend({ medium })).chain.isKnown, false);
});
