import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { ManualTime } from "../testing/index.ts";
import { Elections } from "./elections.ts";

const ELECTION_TICKS = 10;

/** Member 1 of the voters 1, 2 and 3, which knows no leader. */
function setUp(options: { isAdvancing?: boolean; voters?: bigint[] } = {}) {
  const time = new ManualTime();
  const connected = new Set<bigint>();
  const steps: string[] = [];
  const driver = {
    leader: 0n,
    campaign: () => void steps.push("campaign"),
    forgetLeader: () => {
      steps.push("forget");
      driver.leader = 0n;
    },
    tick: () => void steps.push("tick"),
  };
  const prng = new Prng(1);
  const bytes = (count: number) => {
    const drawn = Buffer.alloc(count);
    for (let at = 0; at < count; at += 1) drawn[at] = prng.below(256);
    return drawn;
  };
  const elections = new Elections({
    id: 1n,
    driver,
    timers: time,
    entropy: { bytes },
    electionTicks: ELECTION_TICKS,
    isAdvancing: options.isAdvancing ?? true,
    voters: () => options.voters ?? [1n, 2n, 3n],
    isConnected: (id) => connected.has(id),
  });
  return { time, connected, steps, driver, elections };
}

test("elections: the only voter → stands at once; one of several, or with a leader → not (RA-01)", () => {
  const alone = setUp({ voters: [1n] });
  alone.elections.standIfAlone();
  assert.deepEqual(alone.steps, ["campaign"]);
  alone.driver.leader = 1n;
  alone.elections.standIfAlone();
  assert.deepEqual(alone.steps, ["campaign"]);
  const other = setUp({ voters: [2n] });
  other.elections.standIfAlone();
  const several = setUp();
  several.elections.standIfAlone();
  assert.deepEqual([...other.steps, ...several.steps], []);
});

test("elections: a quorum is there after the start → the first timeout is cut short, once (RA-01)", () => {
  const { connected, steps, elections } = setUp();
  elections.tick();
  assert.deepEqual(steps, [], "alone it cannot win");
  connected.add(2n);
  elections.tick();
  assert.equal(steps.length, ELECTION_TICKS - 2, "two ticks are left to hear a leader in");
  connected.add(3n);
  elections.tick();
  assert.equal(steps.length, ELECTION_TICKS - 2);
});

test("elections: no cutting short when it is turned off, or a leader is known, or it is late (RA-01)", () => {
  const off = setUp({ isAdvancing: false });
  off.connected.add(2n);
  off.elections.tick();
  const led = setUp();
  led.driver.leader = 2n;
  led.elections.tick();
  led.driver.leader = 0n;
  led.connected.add(2n);
  led.elections.tick();
  const late = setUp();
  for (let tick = 0; tick < 50; tick += 1) late.elections.tick();
  late.connected.add(2n);
  late.elections.tick();
  assert.deepEqual([...off.steps, ...led.steps, ...late.steps], []);
});

test("elections: the leader's process is gone → forgotten, and it stands within moments", () => {
  const { time, steps, driver, elections } = setUp();
  driver.leader = 2n;
  elections.processGone(2n);
  assert.deepEqual(steps, ["forget"]);
  time.advance(30);
  assert.deepEqual(steps, ["forget", "campaign"]);
  driver.leader = 3n;
  time.advance(1_000);
  assert.deepEqual(steps, ["forget", "campaign"], "somebody leads");
});

test("elections: nobody wins → it tries a few times more, then leaves it to the timeout", () => {
  const { time, steps, driver, elections } = setUp();
  driver.leader = 2n;
  elections.processGone(2n);
  driver.leader = 3n;
  elections.processGone(3n);
  time.advance(10_000);
  assert.equal(steps.filter((step) => step === "campaign").length, 10);
  driver.leader = 3n;
  elections.processGone(3n);
  time.advance(30);
  assert.equal(steps.filter((step) => step === "campaign").length, 11, "the next time anew");
});

test("elections: the process of another member, or seen by a learner → nothing", () => {
  const { time, steps, driver, elections } = setUp();
  driver.leader = 2n;
  elections.processGone(3n);
  const learner = setUp({ voters: [2n, 3n] });
  learner.driver.leader = 2n;
  learner.elections.processGone(2n);
  time.advance(1_000);
  learner.time.advance(1_000);
  assert.deepEqual([...steps, ...learner.steps], []);
});
