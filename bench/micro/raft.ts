/**
 * What consensus itself costs: three members in one thread, storage in memory, messages handed over
 * as objects. From a proposal on the leader to the entry given out for applying on all three.
 *
 * Run: node bench/micro/raft.ts
 */
import { Prng } from "../../src/base/index.ts";
import { ETCD_RAFT_OPTIONS, MemoryStorage, RawNode } from "../../src/raft/index.ts";
import type { Message } from "../../src/wire/index.ts";

const IDS = [1n, 2n, 3n];
const DATA = Buffer.alloc(256, 120);
/** The log is cut to this length, as a member does. */
const LOG_KEPT = 5000;

interface Member {
  readonly node: RawNode;
  readonly storage: MemoryStorage;
}

function start(): Map<bigint, Member> {
  const members = new Map<bigint, Member>();
  const lists = { learners: [], votersOutgoing: [], learnersNext: [] };
  const confState = { voters: IDS, ...lists, autoLeave: false };
  for (const id of IDS) {
    const storage = new MemoryStorage();
    storage.applySnapshot({ data: DATA, metadata: { confState, index: 1, term: 1 } });
    const prng = new Prng(Number(id));
    const node = new RawNode({ ...ETCD_RAFT_OPTIONS, id, storage, prng, readEpoch: id });
    members.set(id, { node, storage });
  }
  return members;
}

/** Returns how many entries were given out. */
function settle(members: ReadonlyMap<bigint, Member>): number {
  let applied = 0;
  let messages: Message[] = [];
  do {
    messages = [];
    for (const { node, storage } of members.values()) {
      while (node.hasReady()) {
        const ready = node.ready();
        storage.append(ready.entries);
        applied += ready.committedEntries.length;
        for (const message of ready.messages) messages.push(message);
        node.advance();
      }
    }
    for (const message of messages) members.get(message.to)?.node.step(message);
  } while (messages.length > 0);
  return applied;
}

for (const batch of [1, 10, 100, 1000]) {
  const members = start();
  const leader = members.get(1n) as Member;
  leader.node.campaign();
  settle(members);
  const data = new Array<Buffer>(batch).fill(DATA);
  let cpu = process.cpuUsage();
  let applied = 0;
  for (let round = 0; applied < 600_000 && round < 60_000; round += 1) {
    if (round === 200) {
      cpu = process.cpuUsage();
      applied = 0;
    }
    leader.node.proposeBatch(data);
    applied += settle(members);
    for (const { storage } of members.values()) {
      const last = storage.lastIndex();
      if (last - storage.firstIndex() > 2 * LOG_KEPT) storage.compact(last - LOG_KEPT);
    }
  }
  const { user } = process.cpuUsage(cpu);
  const micros = (user / (applied / IDS.length)).toFixed(2);
  console.log(`${batch} at once: ${micros} us of CPU per entry, all three members`);
}
