import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { EtcdError } from "../errors/index.ts";
import type {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RaftOperation,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../wire/index.ts";
import { dump, type Fixture, openFixture, putRequest, rangeRequest } from "./fixture.test.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2_000);
const SEED = Number(process.env["FUZZ_SEED"] ?? 20_240_607);
const KEYS = ["", "\0", "a", "a\0", "b", "c", "d", "\xff"];
const NUMBERS = [0, 1, 2, 3, 5, 20, -1, -7, 2 ** 31, 2 ** 53, -(2 ** 53), 2 ** 63];
const LEASES = [0n, 1n, 2n, 3n, -1n, 2n ** 63n - 1n];

/** Entries as a hostile log would hold them: any shape that a decoder can produce. */
class Hostile {
  readonly #prng: Prng;

  constructor(seed: number) {
    this.#prng = new Prng(seed);
  }

  operation(): RaftOperation {
    const prng = this.#prng;
    switch (prng.below(13)) {
      case 0:
        return { kind: "deleteRange", deleteRange: this.#delete() };
      case 1:
      case 2:
      case 3:
        return { kind: "txn", txn: this.#txn(3) };
      case 4:
        return { kind: "range", range: this.#range() };
      case 5:
        return { kind: "compaction", compaction: { revision: this.#number(), physical: false } };
      case 6:
        return {
          kind: "leaseGrant",
          leaseGrant: { id: prng.pick(LEASES), ttlSeconds: this.#number() },
        };
      case 7:
        return { kind: "leaseRevoke", leaseRevoke: { id: prng.pick(LEASES) } };
      case 8:
        return { kind: "leaseCheckpoint", checkpoints: this.#checkpoints() };
      case 9:
        return { kind: "alarm", alarm: this.#alarm() };
      case 10:
        return this.#cluster();
      default:
        return { kind: "put", put: this.#put() };
    }
  }

  chance(probability: number): boolean {
    return this.#prng.chance(probability);
  }

  #number(): number {
    return this.#prng.chance(0.3) ? this.#prng.below(40) : this.#prng.pick(NUMBERS);
  }

  #put(): PutRequest {
    const prng = this.#prng;
    return putRequest(prng.pick(KEYS), String(prng.below(4)), {
      lease: prng.chance(0.5) ? 0n : prng.pick(LEASES),
      prevKv: prng.chance(0.3),
      ignoreValue: prng.chance(0.1),
      ignoreLease: prng.chance(0.1),
    });
  }

  #delete(): DeleteRangeRequest {
    const prng = this.#prng;
    return { key: prng.pick(KEYS), rangeEnd: prng.pick(KEYS), prevKv: prng.chance(0.3) };
  }

  #range(): RangeRequest {
    const prng = this.#prng;
    return rangeRequest(prng.pick(KEYS), {
      rangeEnd: prng.pick(KEYS),
      limit: prng.chance(0.3) ? this.#number() : 0,
      revision: prng.chance(0.3) ? this.#number() : 0,
      sortOrder: prng.chance(0.05) ? this.#number() : prng.below(3),
      sortTarget: prng.chance(0.05) ? this.#number() : prng.below(5),
      keysOnly: prng.chance(0.2),
      countOnly: prng.chance(0.2),
      minModRevision: prng.chance(0.2) ? this.#number() : 0,
      maxCreateRevision: prng.chance(0.2) ? this.#number() : 0,
    });
  }

  #txn(depth: number): TxnRequest {
    const some = <T>(make: () => T) => Array.from({ length: this.#prng.below(4) }, make);
    return {
      compare: some(() => this.#compare()),
      success: some(() => this.#op(depth)),
      failure: some(() => this.#op(depth)),
    };
  }

  #op(depth: number): RequestOp {
    const pick = this.#prng.below(20);
    if (pick === 0) return { kind: "none" };
    if (pick < 8) return { kind: "put", put: this.#put() };
    if (pick < 12) return { kind: "deleteRange", deleteRange: this.#delete() };
    if (pick < 16 || depth === 0) return { kind: "range", range: this.#range() };
    return { kind: "txn", txn: this.#txn(depth - 1) };
  }

  #compare(): Compare {
    const prng = this.#prng;
    const value = this.#number();
    const operands: Compare["operand"][] = [
      undefined,
      { kind: "version", value },
      { kind: "createRevision", value },
      { kind: "modRevision", value },
      { kind: "value", value: Buffer.from(String(prng.below(4))) },
      { kind: "lease", value: prng.pick(LEASES) },
    ];
    return {
      result: prng.below(6) - 1,
      target: prng.below(7) - 1,
      key: prng.pick(KEYS),
      rangeEnd: prng.chance(0.6) ? "" : prng.pick(KEYS),
      operand: prng.pick(operands),
    };
  }

  #checkpoints() {
    return Array.from({ length: this.#prng.below(4) }, () => ({
      id: this.#prng.pick(LEASES),
      remainingTtlSeconds: this.#number(),
    }));
  }

  #alarm() {
    const prng = this.#prng;
    // Mostly off again, so that the rest is tried too.
    const action = prng.chance(0.2) ? prng.below(5) - 1 : 2;
    return { action, memberId: prng.pick([0n, 1n]), alarm: prng.below(5) - 1 };
  }

  #cluster(): RaftOperation {
    const prng = this.#prng;
    if (prng.chance(0.3)) return { kind: "unknown", tag: prng.below(2_000) };
    if (prng.chance(0.5)) {
      return {
        kind: "clusterVersionSet",
        version: prng.pick(["3.7.0", "", "3.7", "x.y.z"]),
        ...prng.pick([{}, { incarnation: "00112233445566aa" }, { incarnation: "none" }]),
      };
    }
    if (prng.chance(0.3)) {
      const version = prng.pick(["3.6.0", "", "3.6"]);
      return { kind: "downgradeInfoSet", enabled: prng.chance(0.5), version };
    }
    const attributes = { name: `m${prng.below(3)}`, clientUrls: ["http://a:1"] };
    return { kind: "memberAttributesSet", memberId: prng.pick([1n, 2n]), attributes };
  }
}

/** What else differs between members, and must not matter. */
function disturb(hostile: Hostile, fixture: Fixture, nowMs: number): void {
  const { lessor, backend } = fixture;
  if (hostile.chance(0.02)) lessor.promote(nowMs, 1_000);
  if (hostile.chance(0.02)) lessor.demote();
  for (const id of LEASES) if (hostile.chance(0.05)) lessor.renew(id, nowMs);
  lessor.expired(nowMs, 10);
  lessor.dueCheckpoints(nowMs, 10);
  if (hostile.chance(0.05)) void backend.commit();
}

function textOf(outcome: unknown): string {
  if (outcome instanceof EtcdError) return outcome.id;
  return JSON.stringify(outcome, (_, value) => (typeof value === "bigint" ? `${value}n` : value));
}

test("apply: any log gives the same state and answers at any pace, time and role (AP-05, AP-07)", async () => {
  const rounds = Math.max(1, Math.floor(RUNS / 200));
  for (let round = 0; round < rounds; round += 1) {
    const seed = SEED + round;
    const log = new Hostile(seed);
    const luck = new Hostile(seed + 0x5eed);
    const leader = await openFixture();
    let follower = await openFixture();
    const id = 1n;
    const member = { id, peerUrls: ["http://a:2"], isLearner: false, name: "", clientUrls: [] };
    leader.machine.putMember(member);
    follower.machine.putMember(member);
    leader.lessor.promote(0, 1_000);
    for (let entry = 0; entry < 200; entry += 1) {
      const operation = log.operation();
      disturb(luck, leader, entry * 700);
      disturb(luck, follower, 1e9 + entry);
      const first = leader.apply(operation);
      const isWaited = luck.chance(0.5);
      const second = follower.apply(operation, isWaited);
      const context = `seed ${seed}, entry ${entry}: ${textOf(operation)}`;
      if (isWaited) assert.equal(textOf(second), textOf(first), context);
      else if (operation.kind !== "range") {
        assert.equal(second instanceof EtcdError, first instanceof EtcdError, context);
      }
      if (luck.chance(0.01)) follower = await follower.reopen();
    }
    await Promise.all([leader.backend.commit(), follower.backend.commit()]);
    assert.deepEqual(dump(follower.backend), dump(leader.backend), `seed ${seed}`);
    const reopened = await follower.reopen();
    for (const lease of LEASES) {
      assert.deepEqual(reopened.lessor.keysOf(lease), leader.lessor.keysOf(lease), `seed ${seed}`);
    }
  }
});
