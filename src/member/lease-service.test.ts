import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApplyResponse } from "../apply/index.ts";
import { MemoryBackend } from "../backend/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import { openLessor } from "../lease/index.ts";
import type { LeaseAnswer } from "../seam/index.ts";
import { ManualTime } from "../testing/index.ts";
import type { RaftOperation } from "../wire/index.ts";
import { LeaderQuestions } from "./leader-questions.ts";
import { LeaseService } from "./lease-service.ts";
import { QUESTION_RETRY_MS } from "./limits.ts";
import type { Waiter } from "./types.ts";

const TTL_SECONDS = 60;
const LEASE = 7n;

/** Member 1, which leads, with one lease; rounds of reads and proposals end when a test says so. */
function setUp() {
  const time = new ManualTime();
  const lessor = openLessor(new MemoryBackend());
  lessor.promote(time.monotonicMs(), 0);
  assert.equal(lessor.grant(LEASE, TTL_SECONDS), undefined);
  const world = { leader: 1n, isHeldUp: false, isStopped: false };
  const rounds: Waiter<void>[] = [];
  const proposed: { operation: RaftOperation; waiter: Waiter<ApplyResponse> }[] = [];
  const asked: string[] = [];
  const answers: unknown[] = [];
  const times: LeaseAnswer = { ttlSeconds: 5, grantedTtlSeconds: 60, keys: [] };
  const service = new LeaseService({
    lessor: () => lessor,
    isPrimary: () => world.leader === 1n && lessor.isPrimary,
    isHeldUp: () => world.isHeldUp,
    readIndex: (waiter) => void rounds.push(waiter),
    propose: (operation, waiter) => void proposed.push({ operation, waiter }),
    questions: new LeaderQuestions({
      id: 1n,
      timers: time,
      nowMs: () => time.monotonicMs(),
      timeoutMs: 7_000,
      leader: () => world.leader,
      isStopped: () => world.isStopped,
    }),
    network: {
      keepAlive: async (leader, leaseId) => {
        asked.push(`renew ${leaseId} of ${leader}`);
        if (leaseId !== LEASE) throw errors.LeaseNotFound;
        return 30;
      },
      leaseTimes: async (leader, leaseId, withKeys) => {
        asked.push(`times ${leaseId} of ${leader}, keys: ${withKeys}`);
        return times;
      },
    },
    electionTimeoutMs: 1_000,
    clock: time,
    timers: time,
    entropy: { bytes: (count) => Buffer.alloc(count, 0xff) },
  });
  const waiter = {
    done: (answer: unknown) => void answers.push(answer),
    refused: (error: EtcdError) => void answers.push(error.id),
  };
  const heard = () => new Promise<void>((resolve) => setImmediate(resolve));
  const depose = (leader: bigint) => {
    world.leader = leader;
    lessor.demote();
  };
  const all = { time, lessor, world, rounds, proposed, asked, answers, service };
  return { ...all, waiter, heard, depose, times };
}

test("leases: renewed at the leader → its TTL, without a round (LE-04)", () => {
  const { service, answers, rounds, waiter } = setUp();
  service.keepAlive(LEASE, waiter);
  assert.deepEqual(answers, [TTL_SECONDS]);
  assert.equal(rounds.length, 0);
});

test("leases: unknown to the leader → 0, no error, once it knows that it leads still (LE-04)", async () => {
  const { service, answers, rounds, waiter, lessor, world, asked, time, heard, depose } = setUp();
  service.keepAlive(99n, waiter);
  assert.deepEqual(answers, []);
  rounds.shift()?.done();
  assert.deepEqual(answers, [0]);
  // Granted meanwhile, as the round brought to light.
  service.keepAlive(98n, waiter);
  assert.equal(lessor.grant(98n, TTL_SECONDS), undefined);
  lessor.expired(time.monotonicMs(), 10);
  rounds.shift()?.done();
  assert.deepEqual(answers, [0, TTL_SECONDS]);
  // Another leads: it is asked.
  service.keepAlive(97n, waiter);
  depose(2n);
  world.leader = 2n;
  rounds.shift()?.refused(errors.NotPrimaryLessor);
  time.advance(QUESTION_RETRY_MS);
  await heard();
  assert.deepEqual(asked, ["renew 97 of 2"]);
});

test("leases: renewed elsewhere → asked of the leader; unknown there → 0, no error (LE-04)", async () => {
  const { service, answers, asked, waiter, heard, depose } = setUp();
  depose(2n);
  service.keepAlive(LEASE, waiter);
  service.keepAlive(99n, waiter);
  await heard();
  assert.deepEqual(asked, ["renew 7 of 2", "renew 99 of 2"]);
  assert.deepEqual(answers, [30, 0]);
});

test("leases: a leader that was held up → proves itself before it renews (LE-04)", async () => {
  const { service, answers, rounds, asked, world, time, waiter, heard, depose } = setUp();
  world.isHeldUp = true;
  service.keepAlive(LEASE, waiter);
  assert.deepEqual(answers, []);
  rounds[0]?.done();
  assert.deepEqual(answers, [TTL_SECONDS]);
  service.keepAlive(LEASE, waiter);
  depose(2n);
  rounds[1]?.done();
  time.advance(QUESTION_RETRY_MS);
  await heard();
  assert.deepEqual(asked, ["renew 7 of 2"], "the one that leads now is asked");
  assert.deepEqual(answers, [TTL_SECONDS, 30]);
});

test("leases: a shorter rest is stored → the renewal is answered when it is taken back (LE-07)", () => {
  const { service, lessor, answers, proposed, waiter } = setUp();
  lessor.checkpoint([{ id: LEASE, remainingTtlSeconds: 10 }]);
  service.keepAlive(LEASE, waiter);
  assert.deepEqual(answers, []);
  const checkpoints = [{ id: LEASE, remainingTtlSeconds: 0 }];
  assert.deepEqual(proposed[0]?.operation, { kind: "leaseCheckpoint", checkpoints });
  proposed[0]?.waiter.done({ kind: "leaseCheckpoint" });
  assert.deepEqual(answers, [TTL_SECONDS]);
});

test("leases: what expires is revoked by the leader, and by nobody else (LE-08, LE-10)", () => {
  const leader = setUp();
  leader.time.advance(TTL_SECONDS * 1_000 + 1_000);
  const revoked = leader.proposed.map(({ operation }) => operation.kind);
  assert.ok(revoked.includes("leaseRevoke"));
  assert.ok(leader.service.stats.expired > 0);
  const follower = setUp();
  follower.depose(2n);
  follower.time.advance(TTL_SECONDS * 1_000 + 1_000);
  assert.deepEqual(follower.proposed, []);
  leader.service.close();
  follower.service.close();
});

test("leases: a new leader → every lease has its full time and more (LE-09)", () => {
  const { service, lessor, proposed, time, depose, world } = setUp();
  time.advance(TTL_SECONDS * 1_000 - 1_000);
  depose(2n);
  world.leader = 1n;
  lessor.promote(time.monotonicMs(), 1_000);
  const isRevoked = () => proposed.some(({ operation }) => operation.kind === "leaseRevoke");
  time.advance(TTL_SECONDS * 1_000);
  assert.equal(isRevoked(), false);
  time.advance(2_000);
  assert.equal(isRevoked(), true);
  service.close();
});

test("leases: times → a round of reads first, with the keys when asked for; unknown → -1 (LE-05)", () => {
  const { service, lessor, answers, rounds, time, waiter } = setUp();
  lessor.attach(LEASE, "b");
  lessor.attach(LEASE, "a");
  time.advance(10_000);
  service.times(LEASE, true, waiter);
  service.times(LEASE, false, waiter);
  service.times(99n, true, waiter);
  assert.deepEqual(answers, []);
  for (const round of rounds) round.done();
  assert.deepEqual(answers, [
    { ttlSeconds: 50, grantedTtlSeconds: TTL_SECONDS, keys: ["a", "b"] },
    { ttlSeconds: 50, grantedTtlSeconds: TTL_SECONDS, keys: [] },
    { ttlSeconds: -1, grantedTtlSeconds: 0, keys: [] },
  ]);
});

test("leases: times of a leader that is deposed meanwhile → those of the next one (LE-05)", async () => {
  const { service, answers, asked, rounds, time, waiter, heard, depose, times } = setUp();
  service.times(LEASE, true, waiter);
  depose(2n);
  rounds[0]?.done();
  time.advance(QUESTION_RETRY_MS);
  await heard();
  assert.deepEqual(asked, ["times 7 of 2, keys: true"]);
  assert.deepEqual(answers, [times]);
});

test("leases: ids are positive, TTLs at least one and a half elections (LE-01, LE-02)", () => {
  const { service } = setUp();
  assert.equal(service.newId(), 2n ** 63n - 1n);
  assert.deepEqual(
    [-1, 0, 2, 3].map((ttl) => service.effectiveTtlSeconds(ttl)),
    [2, 2, 2, 3],
  );
});
