import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import { ManualTime } from "../testing/index.ts";
import { emptyPutRequest, type RaftOperation, readRaftRequestHeader } from "../wire/index.ts";
import { PROPOSALS_MAX } from "./limits.ts";
import { Proposals } from "./proposals.ts";
import { Proposer } from "./proposer.ts";
import { Quota } from "./quota.ts";

const ID = 0xabcd_0000_0000_1234n;
const WALL_MS = 1_700_000_000_000;
const REVOKE: RaftOperation = { kind: "leaseRevoke", leaseRevoke: { id: 1n } };

function setUp() {
  const time = new ManualTime();
  const proposals = new Proposals(0x1234);
  const answers: string[] = [];
  const world = { isStopped: false, alarms: 0, wakes: 0, isFull: false };
  const backend = new MemoryBackend();
  const quota = new Quota(backend, 0);
  quota.admits = () => !world.isFull;
  const proposer = new Proposer({
    id: ID,
    wallMs: WALL_MS,
    requestBytesMax: 1_000,
    local: () => ({ quota, backend }),
    driver: {
      proposals,
      wake: () => {
        world.wakes += 1;
      },
    },
    alarms: {
      noSpace: () => {
        world.alarms += 1;
      },
    },
    timers: time,
    isStopped: () => world.isStopped,
  });
  const waiter = {
    done: () => void answers.push("done"),
    refused: (error: EtcdError) => void answers.push(error.id),
  };
  const propose = (operation = REVOKE) => proposer.propose(operation, waiter, 5, false);
  const put = (bytes: number) =>
    propose({ kind: "put", put: { ...emptyPutRequest(), key: "k", value: Buffer.alloc(bytes) } });
  return { time, proposals, answers, world, proposer, propose, put };
}

test("proposer: an operation → an entry that carries its id, waiting; the driver is woken", () => {
  const { proposals, answers, world, propose } = setUp();
  propose();
  propose();
  assert.equal(world.wakes, 2);
  assert.deepEqual(answers, []);
  const batch = proposals.take(true, errors.NotPrimaryLessor);
  const ids = batch?.data.map((data) => {
    const header = { memberPrefix: 0, sequence: 0, username: "", authRevision: 0 };
    assert.equal(readRaftRequestHeader(data, header), true);
    return header;
  });
  assert.deepEqual(
    ids?.map(({ memberPrefix }) => memberPrefix),
    [0x1234, 0x1234],
  );
  const first = ids?.[0]?.sequence as number;
  assert.equal(ids?.[1]?.sequence, first + 1);
  assert.equal(Math.floor(first / 256), WALL_MS % 2 ** 40, "an earlier run's do not come again");
});

test("proposer: ids of requests → 16 bits of the member and the sequence", () => {
  const { proposer } = setUp();
  const id = proposer.newRequestId();
  assert.equal(id >> 48n, 0x1234n);
  assert.equal(proposer.newRequestId(), id + 1n);
});

test("proposer: too many that are open → too many requests, not before it returned (FR-10)", () => {
  const { time, answers, proposer, propose } = setUp();
  for (let count = 0; count <= PROPOSALS_MAX; count += 1) propose();
  assert.deepEqual(answers, []);
  time.turn();
  assert.deepEqual(answers, ["TooManyRequests"]);
  assert.equal(proposer.failed, 1);
});

test("proposer: no room under the quota → what grows is refused, the alarm raised; the rest goes on (QU-02)", () => {
  const { time, answers, world, proposals, propose, put } = setUp();
  world.isFull = true;
  put(10);
  propose();
  time.turn();
  assert.deepEqual(answers, ["NoSpace"]);
  assert.equal(world.alarms, 1);
  assert.equal(proposals.size, 1);
});

test("proposer: a request that is too large → refused (FR-03)", () => {
  const { time, answers, put } = setUp();
  put(900);
  put(1_000);
  time.turn();
  assert.deepEqual(answers, ["RequestTooLarge"]);
});

test("proposer: the member stops → refused, whatever else is the matter", () => {
  const { time, answers, world, proposals, put } = setUp();
  world.isStopped = true;
  world.isFull = true;
  put(10);
  time.turn();
  assert.deepEqual(answers, ["Stopped"]);
  assert.equal(world.alarms, 0);
  assert.equal(proposals.size, 0);
});
