/**
 * What leases cost when there are many: grant, renewal, the leader's scans, and a promotion.
 *
 * Run: node bench/micro/lease.ts
 */
import { MemoryBackend } from "../../src/backend/index.ts";
import { openLessor } from "../../src/lease/index.ts";

const COUNT = 100_000;

/** Rows cost what the backend takes; here they are dropped. */
class NoBackend extends MemoryBackend {
  override put(): void {}
  override delete(): void {}
}

function timed(name: string, operations: number, run: () => void): void {
  const from = performance.now();
  run();
  const spentMs = performance.now() - from;
  const each = ((spentMs * 1_000) / operations).toFixed(3);
  console.log(`${name}: ${each} us each, ${spentMs.toFixed(1)} ms in all`);
}

function scans(lessor: ReturnType<typeof openLessor>, fromMs: number, toMs: number): number {
  let longestMs = 0;
  for (let nowMs = fromMs; nowMs < toMs; nowMs += 500) {
    const from = performance.now();
    lessor.expired(nowMs, 500);
    lessor.checkpoint(lessor.dueCheckpoints(nowMs, 1_000));
    longestMs = Math.max(longestMs, performance.now() - from);
  }
  return longestMs;
}

for (let round = 0; round < 2; round += 1) {
  const lessor = openLessor(new NoBackend());
  lessor.promote(0, 0);
  const ids = Array.from({ length: COUNT }, (_, at) => BigInt(at) * 7_919n + 1n);
  timed("grant", COUNT, () => {
    for (const id of ids) lessor.grant(id, 60);
  });
  timed("first scan", COUNT, () => void lessor.expired(0, 500));
  for (let renewal = 1; renewal <= 3; renewal += 1) {
    timed("renew", COUNT, () => {
      for (const id of ids) lessor.renew(id, renewal * 20_000);
    });
    const longestMs = scans(lessor, renewal * 20_000, (renewal + 1) * 20_000);
    console.log(`longest scan in 20 s: ${longestMs.toFixed(2)} ms`);
  }
  timed("promote", COUNT, () => lessor.promote(0, 1_000));
  timed("list", COUNT, () => void lessor.list());
  timed("revoke", COUNT, () => {
    for (const id of ids) lessor.revoke(id);
  });
}
