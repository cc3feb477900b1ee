import assert from "node:assert/strict";
import { test } from "node:test";
import { type EtcdError, errors } from "../errors/index.ts";
import { ManualTime } from "../testing/index.ts";
import { type LeaderQuestion, LeaderQuestions } from "./leader-questions.ts";
import { QUESTION_RETRY_MS, QUESTIONS_MAX } from "./limits.ts";
import type { Waiter } from "./types.ts";

const TIMEOUT_MS = 7_000;

/** Member 1; `world` says who leads, and how it and the leader elsewhere answer. */
function setUp() {
  const time = new ManualTime();
  const answers: string[] = [];
  const asked: bigint[] = [];
  const world = {
    leader: 1n,
    isStopped: false,
    here: (waiter: Waiter<string>): boolean => {
      waiter.done("here");
      return true;
    },
    there: (): Promise<string> => Promise.resolve("there"),
  };
  const questions = new LeaderQuestions({
    id: 1n,
    timers: time,
    nowMs: () => time.monotonicMs(),
    timeoutMs: TIMEOUT_MS,
    leader: () => world.leader,
    isStopped: () => world.isStopped,
  });
  const question: LeaderQuestion<string> = {
    here: (waiter) => (world.leader === 1n ? world.here(waiter) : false),
    there: (leader) => {
      asked.push(leader);
      return world.there();
    },
  };
  const ask = () =>
    questions.ask(question, {
      done: (answer) => void answers.push(answer),
      refused: (error: EtcdError) => void answers.push(error.id),
    });
  /** Promises that are settled have been heard. */
  const heard = () => new Promise<void>((resolve) => setImmediate(resolve));
  const advance = async (byMs: number) => {
    for (let passedMs = 0; passedMs < byMs; passedMs += QUESTION_RETRY_MS) {
      time.advance(QUESTION_RETRY_MS);
      await heard();
    }
  };
  return { answers, asked, world, ask, heard, advance };
}

test("questions: at the leader → answered here; elsewhere → asked of the leader (LE-04)", async () => {
  const { answers, asked, world, ask, heard } = setUp();
  ask();
  assert.deepEqual(answers, ["here"]);
  world.leader = 3n;
  ask();
  await heard();
  assert.deepEqual(answers, ["here", "there"]);
  assert.deepEqual(asked, [3n]);
});

test("questions: no leader, or one that is not ready → asked again until there is an answer", async () => {
  const { answers, world, ask, advance } = setUp();
  world.leader = 0n;
  ask();
  await advance(1_000);
  assert.deepEqual(answers, []);
  const answerHere = world.here;
  world.here = () => false;
  world.leader = 1n;
  await advance(1_000);
  assert.deepEqual(answers, []);
  world.here = answerHere;
  await advance(QUESTION_RETRY_MS);
  assert.deepEqual(answers, ["here"]);
});

test("questions: the leader cannot be asked, or is no leader → the next one is asked", async () => {
  const { answers, asked, world, ask, advance, heard } = setUp();
  world.leader = 2n;
  world.there = () => Promise.reject(new Error("connection refused"));
  ask();
  await heard();
  world.there = () => Promise.reject(errors.NotPrimaryLessor);
  await advance(QUESTION_RETRY_MS);
  world.leader = 3n;
  world.there = () => Promise.resolve("there");
  await advance(QUESTION_RETRY_MS);
  assert.deepEqual(asked, [2n, 2n, 3n]);
  assert.deepEqual(answers, ["there"]);
});

test("questions: the leader refuses for good → its error, at once", async () => {
  const { answers, world, ask, heard } = setUp();
  world.leader = 2n;
  world.there = () => Promise.reject(errors.LeaseNotFound);
  ask();
  await heard();
  assert.deepEqual(answers, ["LeaseNotFound"]);
});

// A leader that lost its leadership while it proved it answered the client of its own lease renewal
// with `NotPrimaryLessor`, where one that came through a follower was asked of the new leader.
test("questions: this leader is deposed before it answers → the new leader is asked (LE-04)", async () => {
  const { answers, world, ask, advance } = setUp();
  let waiter: Waiter<string> | undefined;
  world.here = (given) => {
    waiter = given;
    return true;
  };
  ask();
  world.leader = 2n;
  waiter?.refused(errors.NotPrimaryLessor);
  assert.deepEqual(answers, []);
  await advance(QUESTION_RETRY_MS);
  assert.deepEqual(answers, ["there"]);
});

test("questions: no answer in time → a timeout, once (FR-08)", async () => {
  const { answers, world, ask, advance } = setUp();
  world.leader = 0n;
  ask();
  await advance(TIMEOUT_MS - QUESTION_RETRY_MS);
  assert.deepEqual(answers, []);
  await advance(TIMEOUT_MS);
  assert.deepEqual(answers, ["Timeout"]);
});

test("questions: the member is stopped → answered, whatever was asked before or is now", async () => {
  const { answers, world, ask, advance, heard } = setUp();
  world.leader = 0n;
  ask();
  world.leader = 2n;
  const there = Promise.withResolvers<string>();
  world.there = () => there.promise;
  ask();
  world.isStopped = true;
  await advance(QUESTION_RETRY_MS);
  assert.deepEqual(answers, ["Stopped"]);
  there.reject(new Error("the network is closed"));
  await heard();
  ask();
  assert.deepEqual(answers, ["Stopped", "Stopped", "Stopped"]);
});

test("questions: too many without an answer → too many requests, and later ones go on (FR-10)", async () => {
  const { answers, world, ask, advance } = setUp();
  world.leader = 0n;
  for (let count = 0; count < QUESTIONS_MAX; count += 1) ask();
  ask();
  assert.deepEqual(answers, ["TooManyRequests"]);
  world.leader = 1n;
  await advance(QUESTION_RETRY_MS);
  assert.equal(answers.length, QUESTIONS_MAX + 1);
  ask();
  assert.equal(answers.at(-1), "here");
});
