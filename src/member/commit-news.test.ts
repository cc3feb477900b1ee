import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { ETCD_RAFT_OPTIONS, MemoryStorage, RawNode } from "../raft/index.ts";
import { ManualTime } from "../testing/index.ts";
import {
  ConfChangeType,
  emptyConfState,
  emptyRaftMessage,
  type Message,
  MessageType,
} from "../wire/index.ts";
import { CommitNews } from "./commit-news.ts";

const EMPTY = Buffer.alloc(0);

/** A leader of two, whose other member does as it is told. */
function setUp() {
  const storage = new MemoryStorage();
  const confState = { ...emptyConfState(), voters: [1n, 2n] };
  storage.applySnapshot({ data: EMPTY, metadata: { confState, index: 4, term: 1 } });
  const node = new RawNode({
    ...ETCD_RAFT_OPTIONS,
    id: 1n,
    storage,
    prng: new Prng(1),
    readEpoch: 1n,
    preVote: false,
    gatherCommits: true,
  });
  let wakes = 0;
  const time = new ManualTime();
  const news = new CommitNews({
    node,
    timers: time,
    wake: () => {
      wakes += 1;
    },
  });
  /** Does the node's work. Answers what would go to the other one. */
  const work = (durableCommit = Number.POSITIVE_INFINITY): Message[] => {
    const sent: Message[] = [];
    while (node.hasReady()) {
      const ready = node.ready();
      if (ready.hardState !== undefined) news.committed(ready.hardState.commit, durableCommit);
      if (ready.hardState !== undefined) storage.setHardState(ready.hardState);
      storage.append(ready.entries);
      for (const message of ready.messages) {
        news.limit(message);
        sent.push(message);
      }
      node.advance();
    }
    return sent;
  };
  const answer = (type: number, fields: Partial<Message>) =>
    node.step({ ...emptyRaftMessage(), to: 1n, from: 2n, term: node.raft.term, ...fields, type });
  node.campaign();
  work();
  answer(MessageType.VOTE_RESP, {});
  work();
  answer(MessageType.APP_RESP, { index: 5 });
  news.share();
  time.advance(10);
  work();
  return { node, news, work, answer, time, wakes: () => wakes };
}

const told = (messages: readonly Message[]): string[] =>
  messages.map(({ type, commit }) => `${type === MessageType.APP ? "append" : "beat"} ${commit}`);

// The member that was removed heard so, ended, and was needed by a leader that a power cut had made
// forget the commit (decision 0033).
test("commit news: a change that the disk does not know as committed → nobody is told before (CL-05, RA-04)", () => {
  const { node, news, work, answer, wakes } = setUp();
  node.proposeConfChange({ id: 1n, type: ConfChangeType.REMOVE_NODE, nodeId: 2n, context: EMPTY });
  news.awaitNewest();
  work();
  answer(MessageType.APP_RESP, { index: 6 });
  news.share();
  assert.equal(node.raft.log.committed, 6);
  assert.deepEqual(told(work(5)), ["append 5"]);
  assert.equal(news.isHeld, true);
  node.tick();
  assert.deepEqual(told(work(5)), ["beat 5"], "heartbeats go on");
  news.durable(5);
  assert.equal(news.isHeld, true);
  const before = wakes();
  news.durable(6);
  assert.equal(news.isHeld, false);
  assert.equal(wakes(), before + 1);
  assert.deepEqual(told(work(6)), ["append 6"]);
});

test("commit news: a write that a follower's client waits for → told at once, the disk knows or not (RA-04)", () => {
  const { node, news, work, answer } = setUp();
  node.propose(Buffer.from("a"));
  news.awaitNewest();
  work();
  answer(MessageType.APP_RESP, { index: 6 });
  news.share();
  assert.deepEqual(told(work(5)), ["append 6"]);
  assert.equal(news.isHeld, false);
});

test("commit news: a write that nobody else waits for → told a moment later (RA-03)", () => {
  const { node, news, work, answer, time } = setUp();
  node.propose(Buffer.from("a"));
  work();
  answer(MessageType.APP_RESP, { index: 6 });
  news.share();
  assert.deepEqual(told(work()), []);
  time.advance(2);
  assert.deepEqual(told(work()), ["append 6"]);
});
