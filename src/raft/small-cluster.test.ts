/** A few nodes whose messages arrive at once and in order, unless a test holds some back. */
import assert from "node:assert/strict";
import { Prng } from "../base/index.ts";
import {
  type ConfState,
  emptyRaftMessage,
  type Entry,
  EntryType,
  type Message,
} from "../wire/index.ts";
import { emptySnapshot, MemoryStorage } from "./memory-storage.ts";
import { decodeChange } from "./raft.ts";
import { RawNode } from "./raw-node.ts";
import type { Ready } from "./ready.ts";
import type { Evidence, RaftOptions, ReadState } from "./types.ts";

export const ELECTION_TICKS = 10;

export function confState(voters: readonly bigint[], learners: readonly bigint[] = []): ConfState {
  return {
    voters: [...voters],
    learners: [...learners],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
}

export function entry(term: number, index: number, data = ""): Entry {
  return { type: EntryType.NORMAL, term, index, data: Buffer.from(data) };
}

export function message(type: number, fields: Partial<Message>): Message {
  return { ...emptyRaftMessage(), to: 1n, ...fields, type };
}

/** A node with nothing but a configuration of its own, as if bootstrapped at index 0. */
export function newNode(
  options: Partial<RaftOptions> & { readonly voters?: readonly bigint[] } = {},
): { node: RawNode; storage: ConfStorage } {
  const storage = new ConfStorage(confState(options.voters ?? [1n, 2n, 3n]));
  const node = new RawNode({ ...DEFAULTS, storage, ...options });
  return { node, storage };
}

const DEFAULTS = {
  id: 1n,
  prng: new Prng(1),
  electionTimeoutTicks: ELECTION_TICKS,
  heartbeatTimeoutTicks: 1,
  appendBytesMax: 1024 * 1024,
  inflightMessagesMax: 256,
  readEpoch: 1n,
} as const;

/** Knows a configuration before there is any entry. */
export class ConfStorage extends MemoryStorage {
  confState: ConfState;

  constructor(initial: ConfState) {
    super();
    this.confState = initial;
  }

  override initialState(): ReturnType<MemoryStorage["initialState"]> {
    return { ...super.initialState(), confState: this.confState };
  }
}

export class SmallCluster {
  readonly nodes = new Map<bigint, RawNode>();
  readonly storages = new Map<bigint, ConfStorage>();
  readonly applied = new Map<bigint, Entry[]>();
  readonly reads: { readonly id: bigint; readonly read: ReadState }[] = [];
  readonly evidence: Evidence[] = [];
  /** Messages that are not delivered but kept in `held`. */
  holds: (message: Message) => boolean = () => false;
  held: Message[] = [];
  /** All that was sent, in order. */
  readonly sent: Message[] = [];
  readonly readies: Ready[] = [];

  constructor(ids: readonly bigint[], options: Partial<RaftOptions> = {}, learners: bigint[] = []) {
    const voters = ids.filter((id) => !learners.includes(id));
    for (const id of ids) {
      const storage = new ConfStorage(confState(voters, learners));
      this.storages.set(id, storage);
      this.applied.set(id, []);
      const prng = new Prng(Number(id));
      this.nodes.set(id, new RawNode({ ...DEFAULTS, ...options, id, storage, prng }));
    }
  }

  node(id: bigint): RawNode {
    const node = this.nodes.get(id);
    assert.ok(node !== undefined, `no node ${id}`);
    return node;
  }

  log(id: bigint): string[] {
    const { log } = this.node(id).raft;
    const entries = log.slice(log.firstIndex(), log.lastIndex() + 1, Number.POSITIVE_INFINITY);
    assert.ok(typeof entries !== "string");
    return entries.map(({ term, data }) => `${term}:${data}`);
  }

  /** Does all work and delivers all messages until nothing is left. */
  settle(): void {
    for (let round = 0; round < 1000; round += 1) {
      const messages = [...this.nodes.keys()].flatMap((id) => this.work(id));
      if (messages.length === 0) return;
      for (const sent of messages) {
        this.sent.push(sent);
        if (this.holds(sent)) this.held.push(sent);
        else this.nodes.get(sent.to)?.step(sent);
      }
    }
    assert.fail("the nodes do not come to rest");
  }

  /** One node's Ready, saved and applied; returns what it sends. */
  work(id: bigint): Message[] {
    const node = this.node(id);
    const messages: Message[] = [];
    while (node.hasReady()) {
      const ready = node.ready();
      this.readies.push(ready);
      const storage = this.storages.get(id) as ConfStorage;
      if (ready.hardState !== undefined) storage.setHardState(ready.hardState);
      storage.applySnapshot(ready.snapshot ?? emptySnapshot());
      storage.append(ready.entries);
      for (const committed of ready.committedEntries) {
        this.applied.get(id)?.push(committed);
        const change = decodeChange(committed);
        if (change !== undefined) storage.confState = node.applyConfChange(change).confState;
      }
      for (const read of ready.readStates) this.reads.push({ id, read });
      this.evidence.push(...ready.evidence);
      messages.push(...ready.messages);
      node.advance();
    }
    return messages;
  }

  tick(id: bigint, ticks: number): void {
    for (let tick = 0; tick < ticks; tick += 1) this.node(id).tick();
  }

  elect(id: bigint): void {
    this.node(id).campaign();
    this.settle();
    assert.equal(this.node(id).raft.role, "leader");
  }

  propose(id: bigint, data: string): void {
    assert.equal(this.node(id).propose(Buffer.from(data)), "ok");
    this.settle();
  }
}

export const TRIO: readonly bigint[] = [1n, 2n, 3n];
export const EMPTY = Buffer.alloc(0);

/** Three nodes, the first of which leads term 1 with its empty entry committed. */
export function newLeader(options: Partial<RaftOptions> = {}): SmallCluster {
  const cluster = new SmallCluster(TRIO, options);
  cluster.elect(1n);
  return cluster;
}
