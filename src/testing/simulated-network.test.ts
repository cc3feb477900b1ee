import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { errors } from "../errors/index.ts";
import type {
  Digests,
  PeerHandler,
  PeerNetwork,
  Receipt,
  SnapshotArrival,
  SnapshotImage,
} from "../seam/index.ts";
import { emptyRaftMessage, type Message, MessageType } from "../wire/index.ts";
import { ManualTime } from "./manual-time.ts";
import { type LinkConditions, SimulatedNetwork } from "./simulated-network.ts";
import { SimulatedProcess } from "./simulated-process.ts";

const digests: Digests = {
  sha1: () => createHash("sha1"),
  sha256: () => createHash("sha256"),
};

/** A member that only takes notes. */
class Station implements PeerHandler {
  readonly id: bigint;
  readonly clusterId = 7n;
  readonly host: string;
  readonly process: SimulatedProcess;
  readonly notes: string[] = [];
  readonly messages: Message[] = [];
  network!: PeerNetwork;
  receipt: Receipt = "taken";
  kept = Buffer.alloc(0);
  snapshots: { bytes: Buffer; offset: number; isIntact: boolean }[] = [];

  constructor(id: number, time: ManualTime) {
    this.id = BigInt(id);
    this.host = `h${id}`;
    this.process = new SimulatedProcess(time);
  }

  receive(message: Message): Receipt {
    this.messages.push(message);
    return this.receipt;
  }

  async receiveSnapshot(arrival: SnapshotArrival): Promise<void> {
    this.kept = this.kept.subarray(0, arrival.offset);
    for await (const chunk of arrival.chunks) this.kept = Buffer.concat([this.kept, chunk]);
    const sha256 = createHash("sha256").update(this.kept).digest();
    const isIntact = arrival.sha256()?.equals(sha256) === true;
    this.snapshots.push({ bytes: this.kept, offset: arrival.offset, isIntact });
  }

  async snapshotOffset(): Promise<number> {
    return this.kept.length;
  }

  isRemoved(): boolean {
    return false;
  }

  members(): [] {
    return [];
  }

  versions(): { server: string; cluster: string } {
    return { server: "3.7.1", cluster: "3.7.0" };
  }

  async renewForPeer(leaseId: bigint): Promise<number> {
    if (leaseId === 1n) return 60;
    throw errors.NotPrimaryLessor;
  }

  async leaseTimesForPeer(): Promise<{ ttlSeconds: number; grantedTtlSeconds: number; keys: [] }> {
    return { ttlSeconds: 1, grantedTtlSeconds: 2, keys: [] };
  }

  async promoteForPeer(): Promise<[]> {
    return [];
  }

  replaceForPeer(): Promise<never> {
    throw new Error("not asked");
  }

  hashKvForPeer(): Promise<never> {
    return new Promise(() => undefined);
  }

  unreachable(id: bigint): void {
    this.notes.push(`unreachable ${id}`);
  }

  snapshotSent(id: bigint, isFailure: boolean): void {
    this.notes.push(`snapshot ${id} ${isFailure ? "failed" : "done"}`);
  }

  processGone(id: bigint): void {
    this.notes.push(`gone ${id}`);
  }

  removedByPeers(): void {
    this.notes.push("removed");
  }
}

class Stage {
  readonly time = new ManualTime();
  readonly network: SimulatedNetwork;
  readonly stations: Station[];

  constructor(link: Partial<LinkConditions> = {}, seed = 1) {
    this.network = new SimulatedNetwork({ time: this.time, prng: new Prng(seed), digests, link });
    this.stations = [1, 2, 3].map((id) => new Station(id, this.time));
    for (const station of this.stations) this.open(station);
  }

  open(station: Station): void {
    const { host, process } = station;
    const urls = [`http://${host}:2380`];
    station.network = this.network.open({ host, urls, process, handler: station });
    for (const { id, host: name } of this.stations) {
      if (id !== station.id) station.network.add(id, [`http://${name}:2380`]);
    }
  }

  station(id: number): Station {
    return this.stations[id - 1] as Station;
  }

  async pass(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 1) {
      this.time.advance(1);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Sends numbered messages from station 1 to 2, and tells which arrived, in order. */
  async send(count: number): Promise<number[]> {
    for (let number = 1; number <= count; number += 1) {
      this.station(1).network.send(heartbeat(number));
    }
    await this.pass(50);
    return this.station(2).messages.map(({ commit }) => commit);
  }
}

function heartbeat(commit: number): Message {
  return { ...emptyRaftMessage(), type: MessageType.HEARTBEAT, from: 1n, to: 2n, term: 1, commit };
}

function imageOf(bytes: Buffer): SnapshotImage & { isClosed: boolean } {
  return {
    isClosed: false,
    sizeBytes: bytes.length,
    async *read(offset) {
      for (let lo = offset; lo < bytes.length; lo += 20_000) yield bytes.subarray(lo, lo + 20_000);
    },
    close() {
      this.isClosed = true;
    },
  };
}

function snapshotMessage(): Message {
  const confState = {
    voters: [1n, 2n],
    learners: [],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  const snapshot = { data: Buffer.alloc(0), metadata: { confState, index: 9, term: 1 } };
  return { ...emptyRaftMessage(), type: MessageType.SNAP, from: 1n, to: 2n, term: 1, snapshot };
}

const ORDERED = Array.from({ length: 200 }, (_, at) => at + 1);

test("simulated network: a quiet link → all messages, in order, none shared", async () => {
  const stage = new Stage({ delayMinMs: 0, delayMaxMs: 20 });
  assert.deepEqual(await stage.send(200), ORDERED);
  assert.deepEqual(stage.station(1).notes, []);
});

test("simulated network: loss, duplication, reordering → each seen, repeatable", async () => {
  const link = { lossRate: 0.1, duplicateRate: 0.1, reorderRate: 0.3, delayMaxMs: 20 };
  const arrived = await new Stage(link, 5).send(200);
  assert.ok(
    ORDERED.some((number) => !arrived.includes(number)),
    "some are lost",
  );
  assert.ok(new Set(arrived).size < arrived.length, "some come twice");
  assert.ok(
    arrived.some((number, at) => number < (arrived[at - 1] ?? 0)),
    "some overtake",
  );
  assert.deepEqual(await new Stage(link, 5).send(200), arrived);
  assert.notDeepEqual(await new Stage(link, 6).send(200), arrived);
});

test("simulated network: one direction cut → the other still carries", async () => {
  const stage = new Stage();
  stage.network.cutOneWay("h1", "h2");
  assert.deepEqual(await stage.send(3), []);
  assert.deepEqual(stage.station(1).notes, ["unreachable 2", "unreachable 2", "unreachable 2"]);
  assert.equal(stage.station(1).network.connectedSinceMs(2n), undefined);
  stage.station(2).network.send({ ...heartbeat(9), from: 2n, to: 1n });
  await stage.pass(5);
  assert.equal(stage.station(1).messages.length, 1);
  stage.network.heal();
  assert.equal(stage.station(1).network.connectedSinceMs(2n), stage.time.monotonicMs());
  assert.deepEqual(await stage.send(3), [1, 2, 3]);
});

test("simulated network: partition → groups apart, within them as before", async () => {
  const stage = new Stage();
  stage.network.partition([["h1"], ["h2", "h3"]]);
  stage.station(2).network.send({ ...heartbeat(1), from: 2n, to: 3n });
  stage.station(2).network.send({ ...heartbeat(1), from: 2n, to: 1n });
  await stage.pass(5);
  assert.deepEqual(
    stage.stations.map(({ messages }) => messages.length),
    [0, 0, 1],
  );
});

test("simulated network: a paused process → what came waits, timers too", async () => {
  const stage = new Stage();
  const { process, messages } = stage.station(2);
  let ticks = 0;
  process.every(1, () => {
    ticks += 1;
  });
  process.pause();
  assert.deepEqual(await stage.send(3), []);
  assert.equal(ticks, 0);
  process.resume();
  stage.time.turn();
  assert.equal(messages.length, 3);
  assert.equal(ticks, 1, "a timer that came due many times comes once");
});

test("simulated network: a process ends → refused, peers hear that it is gone", async () => {
  const stage = new Stage();
  const endpoint = stage.network.endpointOf("h2");
  assert.ok(endpoint !== undefined);
  stage.network.announceGone(endpoint);
  endpoint.process.end();
  assert.deepEqual(await stage.send(1), []);
  assert.deepEqual(stage.station(1).notes, ["gone 2", "unreachable 2"]);
  await assert.rejects(within(stage, stage.station(1).network.versions(2n)), /refused/);
});

test("simulated network: refused as sender removed → the sender is told", async () => {
  const stage = new Stage();
  stage.station(2).receipt = "senderRemoved";
  await stage.send(1);
  assert.deepEqual(stage.station(1).notes, ["removed"]);
});

test("simulated network: questions → answers, known errors, no answer", async () => {
  const stage = new Stage();
  const { network } = stage.station(1);
  assert.equal(await within(stage, network.keepAlive(2n, 1n)), 60);
  await assert.rejects(within(stage, network.keepAlive(2n, 2n)), errors.NotPrimaryLessor);
  assert.deepEqual(await within(stage, network.versions(3n)), {
    server: "3.7.1",
    cluster: "3.7.0",
  });
  await assert.rejects(within(stage, network.hashKv(2n, 1)), /in time/);
  const asked = network.hashKv(2n, 1);
  asked.catch(() => undefined);
  await stage.pass(2);
  stage.network.cut("h1", "h2");
  await assert.rejects(within(stage, asked), /broke/);
});

function within<T>(stage: Stage, promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return stage.pass(1_100).then(() => promise);
}

test("simulated network: a snapshot that breaks → goes on where it broke", async () => {
  const stage = new Stage();
  const bytes = new Prng(3).bytes(100_000);
  const image = imageOf(bytes);
  stage.network.breakNextSnapshot(50_000);
  stage.station(1).network.sendSnapshot(snapshotMessage(), image);
  await stage.pass(200);
  assert.deepEqual(stage.station(1).notes, ["snapshot 2 done"]);
  const [snapshot] = stage.station(2).snapshots;
  assert.ok(snapshot !== undefined && snapshot.offset > 0 && snapshot.isIntact);
  assert.ok(snapshot.bytes.equals(bytes));
  assert.ok(image.isClosed);
});

test("simulated network: the receiver dies in a snapshot → the sender is told", async () => {
  const stage = new Stage();
  stage.station(1).network.sendSnapshot(snapshotMessage(), imageOf(Buffer.alloc(200_000)));
  await stage.pass(3);
  assert.ok(stage.station(2).kept.length > 0);
  stage.station(2).process.end();
  await stage.pass(500);
  assert.deepEqual(stage.station(1).notes, ["snapshot 2 failed"]);
});
