/** One test for each claim of the thesis that the node lives by, with its section. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import {
  ConfChangeType,
  encodeConfChange,
  EntryType,
  marshal,
  type Message,
  MessageType,
} from "../wire/index.ts";
import { MemoryStorage } from "./memory-storage.ts";
import { withoutCoveredAcks } from "./ready.ts";
import {
  confState,
  EMPTY,
  ELECTION_TICKS,
  entry,
  message,
  newLeader,
  newNode,
  SmallCluster,
  TRIO,
} from "./small-cluster.test.ts";
import { APPEND_THREAD, ETCD_RAFT_OPTIONS, isStorageMessage } from "./types.ts";

const CHANGE = { id: 0n, context: EMPTY };

function ofType(messages: readonly Message[], type: number): Message[] {
  return messages.filter((sent) => sent.type === type);
}

/* Terms and elections */

test("raft: a message of a higher term → its term is taken and the leader steps down (§3.3)", () => {
  const cluster = newLeader();
  cluster.node(1n).step(message(MessageType.APP, { from: 2n, term: 5 }));
  assert.equal(cluster.node(1n).raft.role, "follower");
  assert.equal(cluster.node(1n).raft.term, 5);
  assert.equal(cluster.node(1n).raft.lead, 2n);
});

test("raft: a message of an older term → ignored (§3.3)", () => {
  const { node } = newNode();
  node.step(message(MessageType.HEARTBEAT, { from: 2n, term: 3 }));
  node.step(message(MessageType.APP, { from: 3n, term: 2, entries: [entry(2, 1)] }));
  assert.equal(node.raft.lead, 2n);
  assert.equal(node.raft.log.lastIndex(), 0);
});

test("raft: a new node → a follower, without leader or vote (§3.4)", () => {
  const { node } = newNode();
  assert.deepEqual(node.raft.softState, { lead: 0n, role: "follower" });
  assert.deepEqual(node.raft.hardState, { term: 0, vote: 0n, commit: 0 });
  assert.equal(node.hasReady(), false);
});

test("raft: election timeouts are drawn from [E, 2E), anew for each term (§3.4, RA-01)", () => {
  const { node } = newNode({ prng: new Prng(5) });
  const drawn = new Set<number>();
  for (let term = 1; term < 400; term += 1) {
    node.raft.becomeFollower(term, 2n);
    const ticks = node.raft.randomizedElectionTimeoutTicks;
    assert.ok(ticks >= ELECTION_TICKS && ticks < 2 * ELECTION_TICKS);
    drawn.add(ticks);
  }
  assert.equal(drawn.size, ELECTION_TICKS, "every timeout of the range is drawn");
});

test("raft: no word from a leader for a timeout → the term grows, a vote for itself (§3.4)", () => {
  const cluster = new SmallCluster(TRIO);
  cluster.holds = () => true;
  cluster.tick(1n, cluster.node(1n).raft.randomizedElectionTimeoutTicks - 1);
  assert.equal(cluster.node(1n).raft.role, "follower");
  cluster.tick(1n, 1);
  cluster.settle();
  const { raft } = cluster.node(1n);
  assert.deepEqual(raft.hardState, { term: 1, vote: 1n, commit: 0 });
  assert.deepEqual(
    ofType(cluster.sent, MessageType.VOTE).map(({ to }) => to),
    [2n, 3n],
  );
});

test("raft: a leader sends heartbeats each interval → followers do not campaign (§3.4, RA-01)", () => {
  const cluster = newLeader({ heartbeatTimeoutTicks: 2 });
  cluster.sent.length = 0;
  for (let tick = 0; tick < 4 * ELECTION_TICKS; tick += 1) {
    for (const id of TRIO) cluster.tick(id, 1);
    cluster.settle();
  }
  const beats = ofType(cluster.sent, MessageType.HEARTBEAT).filter(({ to }) => to === 2n);
  assert.equal(beats.length, 2 * ELECTION_TICKS);
  assert.equal(cluster.node(1n).raft.term, 1);
});

test("raft: votes of a majority → leader; a minority → still a candidate (§3.4)", () => {
  const five = [1n, 2n, 3n, 4n, 5n];
  const cluster = new SmallCluster(five);
  cluster.holds = ({ to }) => to > 2n;
  cluster.node(1n).campaign();
  cluster.settle();
  assert.equal(cluster.node(1n).raft.role, "candidate");
  cluster.node(1n).step(message(MessageType.VOTE_RESP, { from: 3n, term: 1 }));
  assert.equal(cluster.node(1n).raft.role, "leader");
});

test("raft: a voter has one vote a term, for the first who asks (§3.4)", () => {
  const { node, storage } = newNode();
  const answers: (readonly [bigint, boolean])[] = [];
  for (const from of [2n, 3n, 2n]) {
    node.step(message(MessageType.VOTE, { from, term: 1 }));
    const ready = node.ready();
    if (ready.hardState !== undefined) storage.setHardState(ready.hardState);
    node.advance();
    answers.push(...ready.messages.map(({ to, reject }) => [to, reject] as const));
  }
  assert.deepEqual(answers, [
    [2n, false],
    [3n, true],
    [2n, false],
  ]);
});

test("raft: a vote is durable before it is told (§3.8, RA-04)", () => {
  const { node } = newNode({ asyncStorageWrites: true });
  node.step(message(MessageType.VOTE, { from: 2n, term: 1 }));
  const ready = node.ready();
  assert.equal(ready.mustSync, true);
  const [write] = ready.messages;
  assert.equal(ready.messages.length, 1, "nothing but the write goes out");
  assert.ok(write !== undefined && isStorageMessage(write));
  assert.deepEqual([write.to, write.vote, write.term], [APPEND_THREAD, 2n, 1]);
  assert.deepEqual(
    write.responses.map(({ type, to }) => [type, to]),
    [[MessageType.VOTE_RESP, 2n]],
  );
});

test("raft: a candidate hears the leader of its term → follows it (§3.4)", () => {
  const { node } = newNode();
  node.campaign();
  node.step(message(MessageType.APP, { from: 2n, term: 1 }));
  assert.deepEqual(node.raft.softState, { lead: 2n, role: "follower" });
});

test("raft: a candidate whose log is behind the voter's → refused (§3.6.1)", () => {
  const cases = [
    { logTerm: 2, index: 1, reject: true },
    { logTerm: 1, index: 9, reject: true },
    { logTerm: 2, index: 2, reject: false },
    { logTerm: 3, index: 1, reject: false },
  ];
  for (const { logTerm, index, reject } of cases) {
    const { node } = newNode();
    const entries = [entry(1, 1), entry(2, 2)];
    node.step(message(MessageType.APP, { from: 2n, term: 2, entries }));
    node.step(message(MessageType.VOTE, { from: 3n, term: 3, logTerm, index }));
    const [answer] = ofType(node.ready().messages, MessageType.VOTE_RESP);
    assert.equal(answer?.reject, reject, `log ${logTerm}/${index}`);
  }
});

/* Replication */

test("raft: a new leader adds an empty entry of its term (§6.4, RA-07)", () => {
  const cluster = newLeader();
  assert.deepEqual(cluster.log(1n), ["1:"]);
  assert.deepEqual(
    cluster.applied.get(3n)?.map(({ data }) => data.length),
    [0],
  );
});

test("raft: an entry that a majority holds → committed, and told to followers (§3.5)", () => {
  const cluster = newLeader();
  cluster.holds = ({ from, to }) => from === 3n || to === 3n;
  cluster.propose(1n, "a");
  assert.equal(cluster.node(1n).raft.log.committed, 2);
  assert.equal(cluster.node(2n).raft.log.committed, 2);
  assert.equal(cluster.node(3n).raft.log.committed, 1);
});

test("raft: an entry that no majority holds → not committed (§3.5)", () => {
  const cluster = newLeader();
  cluster.holds = () => true;
  cluster.propose(1n, "a");
  assert.equal(cluster.node(1n).raft.log.committed, 1);
});

test("raft: the leader's append goes out before its own write is done (§10.2.1, RA-03)", () => {
  const { node } = newNode({ asyncStorageWrites: true });
  node.campaign();
  for (const sent of node.ready().messages) {
    if (!isStorageMessage(sent)) continue;
    for (const response of sent.responses) node.deliver(response);
  }
  node.step(message(MessageType.VOTE_RESP, { from: 2n, term: 1 }));
  const ready = node.ready();
  assert.equal(ofType(ready.messages, MessageType.APP).length, 2, "sent beside the write");
  node.step(message(MessageType.APP_RESP, { from: 2n, term: 1, index: 1 }));
  assert.equal(node.raft.log.committed, 0, "one copy on disk, the leader's is not yet there");
  node.step(message(MessageType.APP_RESP, { from: 3n, term: 1, index: 1 }));
  assert.equal(node.raft.log.committed, 1, "a majority without the leader is one as well");
});

test("raft: a follower acknowledges an append once it is durable (§3.5, RA-03)", () => {
  const { node } = newNode({ asyncStorageWrites: true });
  node.step(message(MessageType.APP, { from: 2n, term: 1, entries: [entry(1, 1)] }));
  const [write] = node.ready().messages;
  assert.ok(write !== undefined && isStorageMessage(write));
  assert.equal(write.entries.length, 1);
  assert.equal(ofType(write.responses, MessageType.APP_RESP)[0]?.index, 1);
});

test("raft: acknowledgements in one batch → only the last to a member is kept (RA-03)", () => {
  const ack = (to: bigint, index: number, reject = false): Message => {
    return message(MessageType.APP_RESP, { to, index, term: 1, reject });
  };
  const other = message(MessageType.HEARTBEAT_RESP, { to: 1n });
  const batch = [ack(1n, 4), ack(1n, 5), other, ack(1n, 2, true), ack(2n, 1), ack(1n, 6)];
  const kept = withoutCoveredAcks(batch);
  assert.deepEqual(kept, [other, ack(1n, 2, true), ack(2n, 1), ack(1n, 6)]);
});

test("raft: only a commit index changed → no sync; a vote, a term, an entry → sync (RA-04)", () => {
  const cluster = newLeader();
  cluster.readies.length = 0;
  cluster.propose(1n, "a");
  for (const { hardState, entries, mustSync } of cluster.readies) {
    assert.equal(mustSync, entries.length > 0, JSON.stringify(hardState?.commit));
  }
  assert.ok(
    cluster.readies.some(({ hardState, mustSync }) => hardState !== undefined && !mustSync),
  );
});

test("raft: an append after an entry that is not there → refused, with where to look (§3.5)", () => {
  const { node } = newNode();
  node.step(message(MessageType.APP, { from: 2n, term: 2, entries: [entry(1, 1), entry(1, 2)] }));
  node.raft.messagesAfterAppend = [];
  node.step(message(MessageType.APP, { from: 2n, term: 2, index: 5, logTerm: 2 }));
  const [answer] = ofType(node.ready().messages, MessageType.APP_RESP);
  assert.equal(answer?.reject, true);
  assert.deepEqual([answer?.rejectHint, answer?.logTerm], [2, 1]);
});

test("raft: followers whose logs went other ways → made like the leader's (§3.5, figure 3.7)", () => {
  const leader = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
  const followers = [
    [1, 1, 1, 4, 4, 5, 5, 6, 6],
    [1, 1, 1, 4],
    [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    [1, 1, 1, 4, 4, 4, 4],
    [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
  ];
  for (const terms of followers) {
    const storages = [leader, terms].map((log) => {
      const storage = new MemoryStorage();
      const metadata = { confState: confState(TRIO), index: 1, term: 1 };
      storage.applySnapshot({ data: EMPTY, metadata });
      storage.append(log.slice(1).map((term, at) => entry(term, at + 2)));
      storage.setHardState({ term: 7, vote: 0n, commit: 1 });
      return storage;
    });
    const cluster = new SmallCluster([1n, 2n]);
    storages.forEach((storage, at) => {
      const id = BigInt(at + 1);
      cluster.storages.set(id, storage as never);
      cluster.nodes.set(id, newNode({ id, storage, prng: new Prng(at) }).node);
    });
    // The third voter's vote decides, as in the figure.
    cluster.node(1n).campaign();
    cluster.settle();
    cluster.node(1n).step(message(MessageType.VOTE_RESP, { from: 3n, term: 8 }));
    cluster.settle();
    assert.equal(cluster.node(1n).raft.role, "leader");
    assert.deepEqual(cluster.log(2n), cluster.log(1n), terms.join());
  }
});

test("raft: a late append of entries that are there → what came after stays (§3.5)", () => {
  const { node } = newNode();
  const entries = [entry(1, 1), entry(1, 2), entry(1, 3)];
  node.step(message(MessageType.APP, { from: 2n, term: 1, entries }));
  node.step(message(MessageType.APP, { from: 2n, term: 1, entries: entries.slice(0, 1) }));
  assert.equal(node.raft.log.lastIndex(), 3);
});

test("raft: an older term's entry on a majority → committed only with one of this term (§3.6.2)", () => {
  const storage = new MemoryStorage();
  const metadata = { confState: confState(TRIO), index: 1, term: 1 };
  storage.applySnapshot({ data: EMPTY, metadata });
  storage.append([entry(2, 2)]);
  storage.setHardState({ term: 2, vote: 0n, commit: 1 });
  const { node } = newNode({ storage });
  node.campaign();
  const save = (): void => {
    const ready = node.ready();
    storage.append(ready.entries);
    node.advance();
  };
  save();
  node.step(message(MessageType.VOTE_RESP, { from: 2n, term: 3 }));
  save();
  node.step(message(MessageType.APP_RESP, { from: 2n, term: 3, index: 2 }));
  assert.equal(node.raft.log.committed, 1, "index 2 is on a majority, and of term 2");
  node.step(message(MessageType.APP_RESP, { from: 2n, term: 3, index: 3 }));
  assert.equal(node.raft.log.committed, 3);
});

test("raft: a follower commits no more than it got from this leader (§3.5)", () => {
  const { node } = newNode();
  const entries = [entry(1, 1), entry(1, 2)];
  node.step(message(MessageType.APP, { from: 2n, term: 1, entries, commit: 9 }));
  assert.equal(node.raft.log.committed, 2);
});

test("raft: a proposal at a follower → goes to the leader, with its data (§6.2, RA-11)", () => {
  const cluster = newLeader();
  cluster.propose(2n, "from 2");
  assert.deepEqual(cluster.log(3n), ["1:", "1:from 2"]);
  const [forwarded] = ofType(cluster.sent, MessageType.PROP);
  assert.deepEqual([forwarded?.from, forwarded?.to, forwarded?.term], [2n, 1n, 0]);
});

test("raft: a proposal while nobody leads → dropped (§6.2, RA-11)", () => {
  const { node } = newNode();
  assert.equal(node.propose(Buffer.from("a")), "proposalDropped");
  node.campaign();
  assert.equal(node.propose(Buffer.from("a")), "proposalDropped");
});

test("raft: the uncommitted tail is full → proposals dropped until it commits (RA-02)", () => {
  const cluster = newLeader({ uncommittedBytesMax: 10 });
  const node = cluster.node(1n);
  assert.equal(node.propose(Buffer.alloc(30)), "ok", "one that is too large goes alone");
  assert.equal(node.propose(Buffer.alloc(1)), "proposalDropped");
  assert.equal(node.propose(EMPTY), "ok", "an empty one always fits");
  cluster.settle();
  assert.equal(node.raft.uncommittedBytes, 0);
  assert.equal(node.propose(Buffer.alloc(1)), "ok");
});

test("raft: etcd's settings → 1 MiB a message, 512 in flight, quorum checked (RA-02)", () => {
  assert.deepEqual(ETCD_RAFT_OPTIONS, {
    electionTimeoutTicks: 10,
    heartbeatTimeoutTicks: 1,
    appendBytesMax: 1_048_576,
    inflightMessagesMax: 512,
    checkQuorum: true,
    preVote: true,
    readOnly: "safe",
  });
});

test("raft: appends are cut at the message size, and stop at the window (§10.2.1, RA-02)", () => {
  const cluster = newLeader({ appendBytesMax: 100, inflightMessagesMax: 2 });
  cluster.holds = () => true;
  cluster.sent.length = 0;
  for (let count = 0; count < 5; count += 1) cluster.propose(1n, "x".repeat(80));
  const appends = ofType(cluster.sent, MessageType.APP).filter(({ to }) => to === 2n);
  assert.deepEqual(
    appends.map(({ entries }) => entries.length),
    [1, 1],
  );
});

/* Snapshots */

test("raft: a follower behind the compacted log → gets the snapshot, then the rest (§5.1, RA-05)", () => {
  const cluster = newLeader();
  cluster.holds = ({ from, to }) => from === 3n || to === 3n;
  for (const data of ["a", "b", "c"]) cluster.propose(1n, data);
  const storage = cluster.storages.get(1n);
  storage?.createSnapshot(3, confState(TRIO), Buffer.from("state at 3"));
  storage?.compact(3);
  cluster.holds = () => false;
  cluster.tick(1n, 1);
  cluster.settle();
  const [snapshot] = ofType(cluster.sent, MessageType.SNAP);
  assert.equal(snapshot?.snapshot?.metadata.index, 3);
  assert.equal(cluster.node(3n).raft.log.committed, 4);
  assert.deepEqual(cluster.log(3n), ["1:c"]);
});

test("raft: entries that storage has to fetch → sent when they are there (RA-05)", () => {
  let isPending = false;
  class Slow extends MemoryStorage {
    override entries(lo: number, hi: number, max: number): ReturnType<MemoryStorage["entries"]> {
      return isPending ? ("pending" as never) : super.entries(lo, hi, max);
    }
  }
  const storage = new Slow();
  const metadata = { confState: confState(TRIO), index: 1, term: 1 };
  storage.applySnapshot({ data: EMPTY, metadata });
  const { node } = newNode({ storage });
  const work = (): Message[] => {
    const ready = node.ready();
    storage.append(ready.entries);
    node.advance();
    return ready.messages;
  };
  node.campaign();
  work();
  node.step(message(MessageType.VOTE_RESP, { from: 2n, term: 1 }));
  work();
  isPending = true;
  node.step(message(MessageType.HEARTBEAT_RESP, { from: 2n, term: 1 }));
  assert.equal(node.raft.messages.length, 0, "nothing to send yet, and no snapshot either");
  isPending = false;
  node.resumeSending(2n);
  assert.deepEqual(
    ofType(work(), MessageType.APP).map(({ entries }) => entries.length),
    [1],
  );
});

test("raft: a snapshot written while the term changed → counts all the same (§5.1, RA-05)", () => {
  const { node } = newNode({ asyncStorageWrites: true });
  const metadata = { confState: confState(TRIO), index: 4, term: 1 };
  const snapshot = { data: EMPTY, metadata };
  node.step(message(MessageType.SNAP, { from: 2n, term: 1, snapshot }));
  const [write] = node.ready().messages;
  assert.ok(write !== undefined && isStorageMessage(write));
  assert.equal(node.raft.isPromotable, false, "it does not hold what it stands on yet");
  node.step(message(MessageType.HEARTBEAT, { from: 3n, term: 2 }));
  for (const response of write.responses) if (response.to === 1n) node.deliver(response);
  assert.equal(node.raft.isPromotable, true);
  assert.equal(node.raft.log.applied, 4);
});

test("raft: an entry written before the term changed → not taken as durable yet (§10.2.1)", () => {
  const { node } = newNode({ asyncStorageWrites: true });
  node.step(message(MessageType.APP, { from: 2n, term: 1, entries: [entry(1, 1)] }));
  const [write] = node.ready().messages;
  assert.ok(write !== undefined && isStorageMessage(write));
  node.step(message(MessageType.HEARTBEAT, { from: 3n, term: 2 }));
  for (const response of write.responses) if (response.to === 1n) node.deliver(response);
  assert.equal(node.raft.log.unstable.entries.length, 1);
  // The next write says again what is durable by then.
  const next = node.ready().messages.find(isStorageMessage);
  assert.deepEqual(
    next?.responses.map(({ index, term }) => [index, term]),
    [[1, 2]],
  );
});

/* Membership */

test("raft: founders → the same first entries, all committed (§4.4, RA-06)", () => {
  const peers = TRIO.map((id) => ({ id, context: Buffer.from(`{"id":${id}}`) }));
  const logs = TRIO.map((id) => {
    const { node, storage } = newNode({ id, voters: [] });
    node.bootstrap(peers);
    const ready = node.ready();
    storage.append(ready.entries);
    node.advance();
    assert.deepEqual(ready.hardState, { term: 1, vote: 0n, commit: 3 });
    assert.deepEqual(ready.committedEntries, ready.entries);
    assert.deepEqual(node.raft.tracker.ids, TRIO);
    return ready.entries;
  });
  assert.deepEqual(logs[1], logs[0]);
  assert.deepEqual(
    logs[0]?.map(({ type, term, index }) => [type, term, index]),
    [
      [1, 1, 1],
      [1, 1, 2],
      [1, 1, 3],
    ],
  );
});

test("raft: a change while one is not applied → takes no place but an empty entry's (§4.1, RA-10)", () => {
  const cluster = newLeader();
  const node = cluster.node(1n);
  node.proposeConfChange({ ...CHANGE, type: ConfChangeType.ADD_NODE, nodeId: 4n });
  node.proposeConfChange({ ...CHANGE, type: ConfChangeType.ADD_NODE, nodeId: 5n });
  cluster.settle();
  assert.deepEqual(node.raft.tracker.ids, [1n, 2n, 3n, 4n]);
  assert.deepEqual(
    cluster.applied.get(1n)?.map(({ type }) => type),
    [0, 1, 0],
  );
});

test("raft: a member with a committed change that it has not applied → does not campaign (§4.1)", () => {
  const { node, storage } = newNode();
  const change = { ...CHANGE, type: ConfChangeType.ADD_NODE, nodeId: 4n };
  const data = marshal(encodeConfChange, change);
  const entries = [{ type: EntryType.CONF_CHANGE, term: 1, index: 1, data }];
  node.step(message(MessageType.APP, { from: 2n, term: 1, entries, commit: 1 }));
  node.campaign();
  assert.equal(node.raft.role, "follower");
  const ready = node.ready();
  storage.append(ready.entries);
  node.applyConfChange(change);
  node.advance();
  node.campaign();
  assert.equal(node.raft.role, "candidate");
});

test("raft: a new leader with a tail not yet applied → no change of members before it is (§4.1)", () => {
  const { node, storage } = newNode();
  const entries = [entry(1, 1), entry(1, 2)];
  node.step(message(MessageType.APP, { from: 2n, term: 1, entries }));
  const save = (): void => {
    const ready = node.ready();
    storage.append(ready.entries);
    node.advance();
  };
  save();
  node.campaign();
  save();
  node.step(message(MessageType.VOTE_RESP, { from: 3n, term: 2 }));
  node.proposeConfChange({ ...CHANGE, type: ConfChangeType.ADD_NODE, nodeId: 4n });
  assert.deepEqual(
    node.raft.log.unstable.entries.map(({ type }) => type),
    [0, 0],
  );
});

test("raft: a change that cannot be applied → refused the same everywhere, never thrown (§4.1)", () => {
  const { node } = newNode({ voters: [1n] });
  const outcome = node.applyConfChange({ ...CHANGE, type: ConfChangeType.REMOVE_NODE, nodeId: 1n });
  assert.equal(outcome.refusal, "removed all voters");
  assert.deepEqual(outcome.confState.voters, [1n]);
});

test("raft: a learner → gets the log, does not count, does not campaign (§4.2.1)", () => {
  const cluster = new SmallCluster(TRIO, {}, [3n]);
  cluster.elect(1n);
  cluster.holds = ({ from }) => from === 2n;
  cluster.propose(1n, "a");
  assert.equal(cluster.node(3n).raft.log.lastIndex(), 2);
  assert.equal(cluster.node(1n).raft.log.committed, 1);
  cluster.tick(3n, 3 * ELECTION_TICKS);
  assert.equal(cluster.node(3n).raft.role, "follower");
});

test("raft: a member that was cut off asks for votes → who hears a leader ignores it (§4.2.3)", () => {
  const cluster = newLeader({ checkQuorum: true });
  cluster.node(3n).campaign();
  cluster.settle();
  assert.equal(cluster.node(1n).raft.term, 1);
  assert.equal(cluster.node(2n).raft.lead, 1n);
});

/* Transfer, pre-vote, quorum check */

test("raft: a transfer → the other one leads at once, past lease and pre-vote (§3.10)", () => {
  const cluster = newLeader({ checkQuorum: true, preVote: true });
  cluster.node(1n).transferLeader(2n);
  cluster.settle();
  assert.equal(cluster.node(2n).raft.role, "leader");
  assert.equal(cluster.node(1n).raft.lead, 2n);
});

test("raft: during a transfer → no proposals; after a timeout → the leader goes on (§3.10)", () => {
  const cluster = newLeader();
  cluster.holds = ({ to }) => to === 2n;
  cluster.node(1n).transferLeader(2n);
  cluster.settle();
  assert.equal(cluster.node(1n).propose(Buffer.from("a")), "proposalDropped");
  cluster.tick(1n, ELECTION_TICKS);
  cluster.settle();
  assert.equal(cluster.node(1n).propose(Buffer.from("a")), "ok");
});

test("raft: a follower may ask for the transfer as well (§3.10)", () => {
  const cluster = newLeader();
  cluster.node(2n).transferLeader(3n);
  cluster.settle();
  assert.equal(cluster.node(3n).raft.role, "leader");
});

test("raft: pre-vote, a member that cannot win → no term is disturbed (§9.6)", () => {
  const cluster = newLeader({ preVote: true });
  cluster.holds = ({ from, to }) => from === 3n || to === 3n;
  cluster.propose(1n, "a");
  cluster.tick(3n, 5 * ELECTION_TICKS);
  cluster.settle();
  assert.equal(cluster.node(3n).raft.term, 1);
  assert.equal(cluster.node(3n).raft.role, "preCandidate");
  cluster.holds = () => false;
  cluster.tick(3n, 2 * ELECTION_TICKS);
  cluster.settle();
  assert.equal(cluster.node(1n).raft.role, "leader");
  assert.equal(cluster.node(1n).raft.term, 1);
});

test("raft: a leader that no quorum answers → steps down within two timeouts (§6.2, RA-02)", () => {
  const cluster = newLeader({ checkQuorum: true });
  cluster.holds = () => true;
  cluster.tick(1n, 2 * ELECTION_TICKS);
  cluster.settle();
  assert.equal(cluster.node(1n).raft.role, "follower");
  assert.equal(cluster.node(1n).raft.term, 1);
});
