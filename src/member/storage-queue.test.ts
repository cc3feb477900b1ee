import assert from "node:assert/strict";
import { test } from "node:test";
import type { StorageMessage } from "../raft/index.ts";
import {
  emptyConfState,
  emptyRaftMessage,
  type Entry,
  EntryType,
  type HardState,
  type Message,
  MessageType,
  type Snapshot,
} from "../wire/index.ts";
import { StorageQueue } from "./storage-queue.ts";

const entryOf = (index: number): Entry => {
  return { type: EntryType.NORMAL, term: 2, index, data: Buffer.from("x") };
};

interface Contents {
  readonly entries?: number[];
  readonly state?: HardState;
  readonly snapshot?: number;
  /** Members that are to be told, each by an answer of its own. */
  readonly tells?: bigint[];
}

function messageOf({ entries = [], state, snapshot, tells = [] }: Contents): StorageMessage {
  const message: StorageMessage = {
    ...emptyRaftMessage(),
    type: MessageType.STORAGE_APPEND,
    entries: entries.map(entryOf),
    responses: tells.map((to) => ({ ...emptyRaftMessage(), type: MessageType.VOTE_RESP, to })),
  };
  if (state !== undefined) Object.assign(message, state);
  if (snapshot !== undefined) message.snapshot = snapshotOf(snapshot);
  return message;
}

function snapshotOf(index: number): Snapshot {
  return { data: Buffer.alloc(0), metadata: { index, term: 2, confState: emptyConfState() } };
}

/** A log and a store whose work ends when the test says so. */
function setUp() {
  const log: string[] = [];
  const works: PromiseWithResolvers<void>[] = [];
  const told: bigint[] = [];
  const acknowledged: number[] = [];
  const broken: unknown[] = [];
  const work = () => {
    const settle = Promise.withResolvers<void>();
    works.push(settle);
    return settle.promise;
  };
  const text = ({ term, vote, commit }: HardState) => `${term}/${vote}/${commit}`;
  const queue = new StorageQueue({
    log: {
      append: (entries, state) => {
        log.push(`append ${entries.map(({ index }) => index)} ${text(state as HardState)}`);
        return work();
      },
      setCommit: (state) => void log.push(`commit ${text(state)}`),
    },
    hardState: { term: 2, vote: 1n, commit: 5 },
    onEntries: (entries) => void log.push(`entries ${entries.map(({ index }) => index)}`),
    install: ({ metadata }) => {
      log.push(`install ${metadata.index}`);
      return work();
    },
    deliver: (responses: readonly Message[]) => {
      for (const { to, type, index } of responses) {
        told.push(to);
        if (type === MessageType.APP_RESP) acknowledged.push(index);
      }
    },
    onBroken: (error) => broken.push(error),
  });
  const push = (contents: Contents) => queue.push(messageOf(contents));
  const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
  const durable = async (at: number) => {
    works[at]?.resolve();
    await settled();
  };
  const failed = async (at: number) => {
    works[at]?.reject(new Error("EIO"));
    await settled();
  };
  return { queue, log, told, acknowledged, broken, push, durable, failed };
}

test("storage queue: entries → shown to the consensus, written, answered once durable (RA-04)", async () => {
  const { queue, log, told, push, durable } = setUp();
  push({ entries: [6, 7], tells: [2n] });
  assert.deepEqual(log, ["entries 6,7", "append 6,7 2/1/5"]);
  assert.deepEqual(told, []);
  assert.equal(queue.isIdle, false);
  await durable(0);
  assert.deepEqual(told, [2n]);
  assert.equal(queue.isIdle, true);
});

test("storage queue: a vote and a term → written durably, before the voter is told (RA-04)", async () => {
  const { log, told, push, durable } = setUp();
  push({ state: { term: 3, vote: 2n, commit: 5 }, tells: [2n] });
  assert.deepEqual(log, ["append  3/2/5"]);
  assert.deepEqual(told, []);
  await durable(0);
  assert.deepEqual(told, [2n]);
});

test("storage queue: a commit index alone → no write, it goes with the next entries (RA-04)", async () => {
  const { log, told, push, durable } = setUp();
  push({ state: { term: 2, vote: 1n, commit: 6 }, tells: [2n] });
  assert.deepEqual(log, ["commit 2/1/6"]);
  assert.deepEqual(told, [2n], "nothing was to be waited for");
  push({ entries: [7] });
  assert.deepEqual(log.slice(1), ["entries 7", "append 7 2/1/6"]);
  await durable(0);
});

test("storage queue: a commit index that is wanted on the disk → written once, known when durable (RA-04)", async () => {
  const { queue, log, push, durable } = setUp();
  assert.equal(queue.durableCommit, 5);
  push({ state: { term: 2, vote: 1n, commit: 6 } });
  queue.syncCommit();
  queue.syncCommit();
  assert.deepEqual(log, ["commit 2/1/6", "append  2/1/6"]);
  assert.equal(queue.durableCommit, 5);
  assert.equal(queue.isIdle, false);
  await durable(0);
  assert.equal(queue.durableCommit, 6);
  assert.equal(queue.isIdle, true);
});

test("storage queue: a commit index on its way with entries → not written again (RA-04)", async () => {
  const { queue, log, push, durable } = setUp();
  push({ entries: [6], state: { term: 2, vote: 1n, commit: 6 } });
  queue.syncCommit();
  assert.deepEqual(log, ["entries 6", "append 6 2/1/6"]);
  await durable(0);
  assert.equal(queue.durableCommit, 6);
});

test("storage queue: a commit index is wanted while a snapshot is installed → it comes with that (RA-04)", async () => {
  const { queue, log, push, durable } = setUp();
  push({ state: { term: 2, vote: 1n, commit: 6 } });
  push({ snapshot: 20, state: { term: 3, vote: 0n, commit: 20 } });
  queue.syncCommit();
  await durable(0);
  assert.deepEqual(log, ["commit 2/1/6", "install 20", "append  3/0/20"]);
  await durable(1);
  assert.equal(queue.durableCommit, 20);
});

test("storage queue: answers → in the order of the writes, whichever is durable first", async () => {
  const { told, push, durable } = setUp();
  push({ entries: [6], tells: [1n] });
  push({ tells: [2n] });
  push({ entries: [7], tells: [3n] });
  await durable(1);
  assert.deepEqual(told, [], "an answer waits for all that came before it");
  await durable(0);
  assert.deepEqual(told, [1n, 2n, 3n]);
});

test("storage queue: acknowledgements that are durable together → only the last is sent (RA-03)", async () => {
  const { queue, told, push, durable, acknowledged } = setUp();
  const acknowledge = (index: number) => {
    const message = messageOf({ entries: [index] });
    const type = MessageType.APP_RESP;
    message.responses.push({ ...emptyRaftMessage(), type, to: 1n, term: 2, index });
    queue.push(message);
  };
  acknowledge(6);
  acknowledge(7);
  push({ tells: [2n] });
  await durable(1);
  await durable(0);
  assert.deepEqual(told, [1n, 2n]);
  assert.deepEqual(acknowledged, [7]);
});

test("storage queue: a write fails → told once, nothing is answered or written any more", async () => {
  const { log, told, broken, push, durable, failed } = setUp();
  push({ entries: [6], tells: [1n] });
  push({ entries: [7], tells: [2n] });
  await failed(0);
  await durable(1);
  assert.match(String(broken), /EIO/);
  push({ entries: [8], tells: [3n] });
  assert.equal(log.at(-1), "append 7 2/1/5");
  assert.deepEqual(told, []);
  assert.equal(broken.length, 1);
});

test("storage queue: a snapshot → what comes after it is written when it is the state", async () => {
  const { queue, log, told, push, durable } = setUp();
  push({ snapshot: 20, state: { term: 3, vote: 0n, commit: 20 }, tells: [1n] });
  push({ entries: [21], state: { term: 3, vote: 0n, commit: 21 }, tells: [2n] });
  assert.deepEqual(log, ["install 20"]);
  assert.equal(queue.isIdle, false);
  await durable(0);
  assert.deepEqual(log, ["install 20", "append  3/0/20", "entries 21", "append 21 3/0/21"]);
  await durable(2);
  assert.deepEqual(told, []);
  await durable(1);
  assert.deepEqual(told, [1n, 2n]);
  assert.equal(queue.isIdle, true);
});

test("storage queue: a snapshot that cannot be installed → told, and nothing after it is written", async () => {
  const { log, told, broken, push, failed } = setUp();
  push({ snapshot: 20, tells: [1n] });
  push({ entries: [21], tells: [2n] });
  await failed(0);
  assert.deepEqual(log, ["install 20"]);
  assert.deepEqual(told, []);
  assert.match(String(broken), /EIO/);
});

// An assertion in what follows a write was a rejected promise that nobody looked at.
test("storage queue: what follows a write throws → told like a failed write", async () => {
  const broken: unknown[] = [];
  const queue = new StorageQueue({
    log: { append: () => Promise.resolve(), setCommit: () => undefined },
    hardState: { term: 2, vote: 1n, commit: 5 },
    onEntries: () => undefined,
    install: () => Promise.resolve(),
    deliver: () => {
      throw new Error("an assertion");
    },
    onBroken: (error) => broken.push(error),
  });
  queue.push(messageOf({ entries: [6] }));
  await new Promise<void>((resolve) => setImmediate(resolve));
  assert.match(String(broken), /an assertion/);
});
