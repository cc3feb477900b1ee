/**
 * Whatever peers send, in whatever order, a node refuses it or takes it, and never throws. The
 * messages are partly what a peer might send now, and partly nonsense in the same shape.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import {
  decodeRaftMessage,
  emptyRaftMessage,
  encodeRaftMessage,
  type Entry,
  marshal,
  type Message,
  type Snapshot,
} from "../wire/index.ts";
import { MemoryStorage } from "./memory-storage.ts";
import { decodeChange } from "./raft.ts";
import { RawNode } from "./raw-node.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2000);
const STEPS = 100;
const ID = 1n;

/** Small numbers near what the node has, and now and then ones at the edge. */
function someNumber(prng: Prng, near: number): number {
  const dice = prng.below(20);
  if (dice === 0) return Number.MAX_SAFE_INTEGER;
  if (dice === 1) return prng.uint32();
  return Math.max(0, near + prng.below(7) - 3);
}

function someId(prng: Prng): bigint {
  return prng.chance(0.05) ? 0xffff_ffff_ffff_ffffn - BigInt(prng.below(3)) : BigInt(prng.below(6));
}

function someEntries(prng: Prng, index: number, term: number): Entry[] {
  const isTidy = prng.chance(0.8);
  return Array.from({ length: prng.below(4) }, (_, at) => ({
    type: prng.chance(0.8) ? 0 : prng.below(5),
    term: isTidy ? term : someNumber(prng, term),
    index: isTidy ? index + 1 + at : someNumber(prng, index),
    data: prng.bytes(prng.below(8)),
  }));
}

function someSnapshot(prng: Prng, index: number, term: number): Snapshot {
  const ids = (): bigint[] => Array.from({ length: prng.below(4) }, () => someId(prng));
  const isTidy = prng.chance(0.5);
  const confState = {
    voters: isTidy ? [1n, 2n, 3n] : ids(),
    learners: isTidy ? [] : ids(),
    votersOutgoing: isTidy ? [] : ids(),
    learnersNext: isTidy ? [] : ids(),
    autoLeave: prng.chance(0.1),
  };
  const metadata = { confState, index: someNumber(prng, index), term: someNumber(prng, term) };
  return { data: Buffer.alloc(0), metadata };
}

function someMessage(prng: Prng, node: RawNode): Message {
  const { raft } = node;
  const message = emptyRaftMessage();
  message.type = prng.below(26);
  message.to = prng.chance(0.9) ? ID : someId(prng);
  message.from = someId(prng);
  message.term = someNumber(prng, raft.term);
  if (prng.chance(0.5)) message.term = raft.term;
  message.index = someNumber(prng, raft.log.lastIndex());
  message.logTerm = someNumber(prng, raft.log.lastTerm());
  message.commit = someNumber(prng, raft.log.committed);
  message.reject = prng.chance(0.3);
  message.rejectHint = someNumber(prng, raft.log.lastIndex());
  message.vote = someId(prng);
  message.entries = someEntries(prng, message.index, message.term);
  if (prng.chance(0.1)) message.context = Buffer.from("CampaignTransfer");
  else if (prng.chance(0.2)) message.context = prng.bytes(prng.below(32));
  if (prng.chance(0.2)) message.snapshot = someSnapshot(prng, message.index, message.term);
  return message;
}

function newNode(prng: Prng): { node: RawNode; storage: MemoryStorage } {
  const storage = new MemoryStorage();
  const confState = {
    voters: prng.chance(0.3) ? [ID] : [1n, 2n, 3n],
    learners: [4n],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  const metadata = { confState, index: 5, term: 1 };
  storage.applySnapshot({ data: Buffer.alloc(0), metadata });
  const node = new RawNode({
    id: ID,
    storage,
    prng,
    electionTimeoutTicks: 3,
    heartbeatTimeoutTicks: 1,
    appendBytesMax: 30,
    uncommittedBytesMax: 100,
    inflightMessagesMax: 2,
    inflightBytesMax: 20,
    pendingReadsMax: 4,
    readEpoch: 7n,
    preVote: prng.chance(0.5),
    checkQuorum: prng.chance(0.5),
    stepDownOnRemoval: prng.chance(0.5),
  });
  return { node, storage };
}

/** Does what a driver does, and a little of what a cluster would answer, so that roles change. */
function drive(node: RawNode, storage: MemoryStorage, prng: Prng): void {
  if (prng.chance(0.3)) node.tick();
  if (prng.chance(0.05)) node.campaign();
  if (prng.chance(0.1)) node.propose(prng.bytes(3));
  if (prng.chance(0.05)) node.readIndex(prng.bytes(3));
  if (!node.hasReady()) return;
  const ready = node.ready();
  if (ready.hardState !== undefined) storage.setHardState(ready.hardState);
  if (ready.snapshot !== undefined) storage.applySnapshot(ready.snapshot);
  storage.append(ready.entries);
  for (const entry of ready.committedEntries) {
    const change = decodeChange(entry);
    if (change !== undefined) node.applyConfChange(change);
  }
  node.advance();
  for (const message of ready.messages) {
    if (!prng.chance(0.5)) continue;
    const answer = { ...emptyRaftMessage(), from: message.to, to: ID, term: message.term };
    answer.index = message.index + message.entries.length;
    answer.context = message.context;
    // Each request's answer has the next number.
    node.step({ ...answer, type: message.type + 1 });
  }
}

test("raft: any message in any state → no throw, and no invariant broken (RA-08)", () => {
  const roles = new Set<string>();
  for (let run = 1; run <= RUNS; run += 1) {
    const prng = new Prng(run);
    const { node, storage } = newNode(prng);
    for (let step = 0; step < STEPS; step += 1) {
      const message = someMessage(prng, node);
      try {
        node.step(message);
        drive(node, storage, prng);
      } catch (error) {
        throw new Error(`run ${run}, step ${step}`, { cause: error });
      }
      const { log, pendingReadCount, role, evidence } = node.raft;
      roles.add(role);
      assert.ok(log.applied <= log.committed, `run ${run}`);
      assert.ok(log.committed <= log.lastIndex(), `run ${run}`);
      assert.ok(pendingReadCount <= 8, `run ${run}: reads are bounded`);
      assert.ok(evidence.length <= 16, `run ${run}: evidence is bounded`);
    }
  }
  assert.ok(roles.has("leader"), "some runs lead");
  assert.ok(roles.has("follower"), "some runs follow");
});

test("raft: a message as it came over the wire → taken as the one that was sent (RA-09)", () => {
  const prng = new Prng(3);
  const { node } = newNode(prng);
  for (let run = 0; run < Math.min(RUNS, 5000); run += 1) {
    const message = someMessage(prng, node);
    const decoded = decodeRaftMessage(marshal(encodeRaftMessage, message));
    assert.deepEqual(decoded, message);
    node.step(decoded);
  }
});
