/**
 * Three nodes of the consensus, each with its lives, one of whose disks goes back in time while its
 * votes and acknowledgements are still on their way (BT-d4). LIVES_SCHEDULES says how many.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { ETCD_RAFT_OPTIONS, MemoryStorage, NONE, RawNode } from "../raft/index.ts";
import { emptyConfState, type Floor, type Message, MessageType } from "../wire/index.ts";
import { Lives, type RollbackProtection } from "./lives.ts";

const SCHEDULES = Number(process.env["LIVES_SCHEDULES"] ?? 300);
const IDS = [1n, 2n, 3n];
const ROLLED_BACK = 3n;

class Disk extends MemoryStorage {
  epoch = 0;
  floors: Floor[] = [];

  override initialState(): ReturnType<MemoryStorage["initialState"]> {
    return { ...super.initialState(), confState: { ...emptyConfState(), voters: IDS } };
  }

  image(): Disk {
    const copy = new Disk();
    copy.epoch = this.epoch;
    copy.floors = [...this.floors];
    const entries = this.entries(1, this.lastIndex() + 1, Number.POSITIVE_INFINITY);
    assert.ok(typeof entries !== "string");
    copy.append(entries);
    copy.setHardState(this.initialState().hardState);
    return copy;
  }
}

class Host {
  readonly id: bigint;
  disk = new Disk();
  node!: RawNode;
  lives!: Lives;
  readonly #world: World;

  constructor(id: bigint, world: World) {
    this.id = id;
    this.#world = world;
  }

  start(): void {
    const { disk, id } = this;
    const { prng, protection, isMutant } = this.#world;
    disk.epoch += 1;
    this.node = new RawNode({
      ...ETCD_RAFT_OPTIONS,
      preVote: false,
      checkQuorum: false,
      id,
      storage: disk,
      prng: new Prng(prng.uint32()),
      readEpoch: BigInt(prng.uint32()),
    });
    this.lives = new Lives({
      id,
      life: { epoch: disk.epoch, nonce: 1 + prng.below(1_000_000), base: 0 },
      floors: disk.floors,
      protection,
      nowMs: 0,
      waitMs: 10,
      view: () => {
        const { term, vote, log, role } = this.node.raft;
        const { committed, applied } = log;
        const votedTerm = vote === NONE ? Math.max(0, term - 1) : term;
        const at = { lastTerm: log.lastTerm(), lastIndex: log.lastIndex() };
        const isLeader = role === "leader";
        // Whatever a host knows is on its disk.
        const isLeaderOnDisk = isLeader;
        return { ...at, term, votedTerm, committed, applied, isLeader, isLeaderOnDisk };
      },
      others: () =>
        IDS.filter((other) => other !== id).map((other) => ({ id: other, isVoter: true })),
      send: (message) => {
        if (this.lives.sends(message)) this.#world.send(message);
      },
      save: () => {
        disk.floors = this.lives.floors.all();
        this.lives.floors.isDirty = false;
        return Promise.resolve(true);
      },
      reborn: (other) => {
        if (!isMutant) this.node.forgetPromises(other);
      },
      proven: () => {
        this.#world.found += 1;
      },
    });
    if (!isMutant) return;
    // As if nobody told lives apart.
    const { floors } = this.lives;
    const sighted = floors.sighted.bind(floors);
    floors.sighted = (from, life) => {
      const sighting = sighted(from, life);
      return sighting === "stale" ? "known" : sighting;
    };
  }

  receive(message: Message): void {
    if (this.lives.takes(message)) this.node.step(message);
  }

  campaign(): void {
    if (this.lives.mayVote) this.node.campaign();
  }

  work(): void {
    const { raft } = this.node;
    while (this.node.hasReady()) {
      const ready = this.node.ready();
      if (ready.hardState !== undefined) this.disk.setHardState(ready.hardState);
      this.disk.append(ready.entries);
      for (const entry of ready.committedEntries) this.#world.committed(this.id, entry);
      for (const message of ready.messages)
        if (this.lives.sends(message)) this.#world.send(message);
      this.node.advance();
    }
    if (raft.role === "leader") this.#world.leads(this.id, raft.term);
  }
}

class World {
  readonly prng: Prng;
  readonly protection: RollbackProtection;
  readonly isMutant: boolean;
  readonly hosts: Host[];
  readonly breaches: string[] = [];
  found = 0;
  /** Messages of the one whose disk goes back are kept for later. */
  isHolding = false;
  held: Message[] = [];
  #pool: Message[] = [];
  readonly #leaders = new Map<number, bigint>();
  readonly #log = new Map<number, string>();
  #written = 0;

  constructor(seed: number, protection: RollbackProtection, isMutant: boolean) {
    this.prng = new Prng(seed);
    this.protection = protection;
    this.isMutant = isMutant;
    this.hosts = IDS.map((id) => new Host(id, this));
    for (const host of this.hosts) host.start();
  }

  host(id: bigint): Host {
    return this.hosts[Number(id) - 1] as Host;
  }

  send(message: Message): void {
    // As it would be after the wire: whoever sent it goes on changing nothing of it.
    const copy = structuredClone(message);
    for (const entry of copy.entries) entry.data = Buffer.from(entry.data);
    copy.context = Buffer.from(copy.context);
    if (copy.note !== undefined) copy.note = Buffer.from(copy.note);
    const isOld = copy.from === ROLLED_BACK && copy.type !== MessageType.HELLO;
    // Whoever comes second asks the one that has forgotten its first vote.
    const isSecond = copy.from === 2n && copy.type === MessageType.VOTE;
    const isKept = (isOld && this.prng.chance(0.9)) || (isSecond && this.prng.chance(0.5));
    if (this.isHolding && isKept) this.held.push(copy);
    else this.#pool.push(copy);
  }

  leads(id: bigint, term: number): void {
    const known = this.#leaders.get(term);
    this.#leaders.set(term, id);
    if (known !== undefined && known !== id) this.breaches.push(`two leaders in term ${term}`);
  }

  committed(
    by: bigint,
    { index, term, data }: { index: number; term: number; data: Buffer },
  ): void {
    const text = `${term}:${data.toString()}`;
    const known = this.#log.get(index);
    this.#log.set(index, text);
    if (known !== undefined && known !== text) {
      this.breaches.push(`index ${index} is ${text} at ${by}, and was ${known}`);
    }
  }

  async step(campaigns: number): Promise<void> {
    const { prng } = this;
    const host = prng.pick(this.hosts);
    const dice = prng.below(10);
    if (prng.chance(campaigns)) this.host(prng.pick([1n, 2n])).campaign();
    else if (dice === 0) host.lives.tick(0);
    else if (dice === 1 && host.lives.mayVote) host.node.tick();
    else if (dice === 2 && host.node.raft.role === "leader") {
      this.#written += 1;
      host.node.propose(Buffer.from(String(this.#written)));
    } else this.#deliver();
    if (this.held.length > 0 && !this.isHolding && prng.chance(0.05)) {
      this.#pool.push(...this.held.splice(prng.below(this.held.length), 1));
    }
    for (const one of this.hosts) one.work();
    await Promise.resolve();
  }

  #deliver(): void {
    if (this.#pool.length === 0) return;
    const [message] = this.#pool.splice(this.prng.below(this.#pool.length), 1);
    if (message === undefined || this.prng.chance(0.02)) return;
    this.host(message.to).receive(message);
  }

  async steps(count: number, campaigns: number): Promise<void> {
    for (let left = count; left > 0; left -= 1) await this.step(campaigns);
  }

  async settle(): Promise<void> {
    this.#pool.push(...this.held.splice(0));
    for (let left = 2_000; left > 0 && this.#pool.length > 0; left -= 1) {
      this.#deliver();
      for (const one of this.hosts) one.work();
      await Promise.resolve();
    }
  }
}

async function schedule(seed: number, isMutant: boolean): Promise<World> {
  const world = new World(seed, "strict", isMutant);
  const { prng } = world;
  for (const host of world.hosts) host.lives.tick(0);
  await world.settle();
  await world.steps(prng.below(60), prng.pick([0, 0, 0.05]));
  const old = world.host(ROLLED_BACK);
  const image = old.disk.image();
  world.isHolding = true;
  // Both of the others stand for the same term: the one that goes back may vote for each.
  world.host(1n).campaign();
  world.host(2n).campaign();
  await world.steps(5 + prng.below(40), prng.pick([0, 0.1]));
  world.isHolding = false;
  old.disk = image;
  old.start();
  old.lives.tick(0);
  await world.steps(60 + prng.below(60), prng.pick([0, 0.05]));
  await world.settle();
  return world;
}

test(`lives: a disk goes back in time with its old votes and acknowledgements under way, ${SCHEDULES} schedules → one leader a term, what is committed stays (BT-d4)`, async () => {
  let found = 0;
  for (let seed = 1; seed <= SCHEDULES; seed += 1) {
    const { breaches, found: now } = await schedule(seed, false);
    assert.deepEqual(breaches, [], `seed ${seed}`);
    found += now;
  }
  assert.ok(found > 0 && found < SCHEDULES, "some are found, others have lost nothing yet");
});

test("lives: the same where lives are not told apart → two leaders, or a commit that is lost (BT-d4)", async () => {
  for (let seed = 1; ; seed += 1) {
    assert.ok(seed < 400, "no schedule shows the difference");
    if ((await schedule(seed, true)).breaches.length > 0) return;
  }
});
