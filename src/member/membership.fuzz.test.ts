/** Logs full of changes, sensible and hostile, against the member table and the consensus. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberRecord } from "../apply/index.ts";
import { Prng } from "../base/index.ts";
import { systemDigests } from "../host/index.ts";
import { applyConfChange, asConfChangeV2, type Config, configOf } from "../raft/index.ts";
import { type ConfChange, encodeConfChange, marshal } from "../wire/index.ts";
import {
  applyConfChangeEntry,
  planAdd,
  planPromote,
  planRemove,
  planUpdate,
} from "./membership.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2_000);
const CHANGES_PER_RUN = 40;

class Table {
  readonly rows = new Map<bigint, MemberRecord>();
  readonly removed = new Set<bigint>();

  members(): MemberRecord[] {
    return [...this.rows.values()];
  }

  isRemovedMember(id: bigint): boolean {
    return this.removed.has(id);
  }

  putMember(member: MemberRecord): void {
    this.rows.set(member.id, member);
  }

  removeMember(id: bigint): void {
    this.rows.delete(id);
    this.removed.add(id);
  }
}

/** Few URLs, ids and seconds, so that changes meet. */
class Hostile {
  readonly prng: Prng;
  readonly #table: Table;

  constructor(prng: Prng, table: Table) {
    this.prng = prng;
    this.#table = table;
  }

  #id(): bigint {
    const { prng } = this;
    const known = [...this.#table.rows.keys(), ...this.#table.removed];
    return known.length > 0 && prng.chance(0.9) ? prng.pick(known) : BigInt(prng.below(4));
  }

  #urls(): string[] {
    const count = 1 + this.prng.below(2);
    return Array.from({ length: count }, () => `http://m${this.prng.below(8)}:2380`);
  }

  #planned(): ConfChange | undefined {
    const { prng } = this;
    const requestId = BigInt(prng.below(1_000));
    const kind = prng.below(10);
    if (kind < 4) {
      const add = { requestId, peerUrls: this.#urls(), isLearner: prng.chance(0.4) };
      const learnersMax = prng.below(3);
      const plan = planAdd({ ...add, unixSeconds: prng.below(3), learnersMax }, systemDigests);
      return "nodeId" in plan ? plan : undefined;
    }
    if (kind < 6) return planPromote(requestId, this.#id());
    if (kind < 8) return planRemove(requestId, this.#id());
    const update = planUpdate(requestId, this.#id(), this.#urls());
    return "nodeId" in update ? update : undefined;
  }

  /** The data of an entry: as planned, bent in a field, or with damaged bytes. */
  entry(): Buffer {
    const { prng } = this;
    const change = this.#planned();
    assert.ok(change !== undefined);
    if (prng.chance(0.1)) change.type = prng.below(6) - 1;
    if (prng.chance(0.05)) change.nodeId = this.#id();
    if (prng.chance(0.05)) change.context = prng.bytes(prng.below(30));
    const data = marshal(encodeConfChange, change);
    if (prng.chance(0.1) && data.length > 0) data[prng.below(data.length)] = prng.below(256);
    return data;
  }
}

function sorted(ids: Iterable<bigint>): bigint[] {
  return [...ids].sort((a, b) => (a < b ? -1 : 1));
}

/** The consensus takes every change that the table took, and ends with the same members. */
function follow(config: Config, change: ConfChange): Config {
  const outcome = applyConfChange(config, asConfChangeV2(change));
  assert.ok(outcome.kind === "changed", "the consensus refuses what the table took");
  return outcome.config;
}

function check(table: Table, config: Config): void {
  const members = table.members();
  const voters = members.filter(({ isLearner }) => !isLearner).map(({ id }) => id);
  const learners = members.filter(({ isLearner }) => isLearner).map(({ id }) => id);
  assert.deepEqual(sorted(config.incoming), sorted(voters));
  assert.deepEqual(sorted(config.learners), sorted(learners));
  assert.ok(voters.length > 0, "no voter is left");
  for (const id of table.removed) assert.equal(table.rows.has(id), false, "a removed id is back");
  const urls = members.flatMap(({ peerUrls }) => [...new Set(peerUrls)]);
  assert.equal(new Set(urls).size, urls.length, "two members have one URL");
}

test("membership: any log of changes → table and consensus agree, on each member alike (CL-04, CL-12)", () => {
  for (let seed = 1; seed <= RUNS / CHANGES_PER_RUN; seed += 1) {
    const tables = [new Table(), new Table()] as const;
    const founder = { id: 1n, peerUrls: ["http://founder:1"], isLearner: false };
    for (const table of tables) table.putMember({ ...founder, name: "f", clientUrls: [] });
    const hostile = new Hostile(new Prng(seed), tables[0]);
    let config: Config | undefined = configOf({
      voters: [1n],
      learners: [],
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    });
    for (let count = 0; count < CHANGES_PER_RUN; count += 1) {
      const data = hostile.entry();
      const before = structuredClone(tables[0].members());
      const [one, other] = tables.map((table) => applyConfChangeEntry(data, table));
      assert.deepEqual(one, other);
      assert.ok(one !== undefined);
      assert.ok(config !== undefined);
      config = follow(config, one.change);
      if (one.kind === "refused") assert.deepEqual(tables[0].members(), before, `seed ${seed}`);
      check(tables[0], config);
    }
  }
});
