/** A machine on a backend in memory, for the tests of this room. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type AlarmSet, openAlarms } from "../alarm/index.ts";
import { MemoryBackend, type Table, TABLES } from "../backend/index.ts";
import { EtcdError } from "../errors/index.ts";
import { type Lessor, openLessor } from "../lease/index.ts";
import { openStore, type RevisionChanges, type Store } from "../mvcc/index.ts";
import {
  type Compare,
  decodeKeyValue,
  type EncodedKeyValue,
  type PutRequest,
  type RaftOperation,
  type RangeRequest,
  type RequestOp,
  type TxnRequest,
} from "../wire/index.ts";
import { createMachine } from "./machine.ts";
import type { ApplyOutcome, ApplyResponse, Machine } from "./types.ts";

export class Fixture {
  readonly backend: MemoryBackend;
  readonly store: Store;
  readonly lessor: Lessor;
  readonly alarms: AlarmSet;
  readonly machine: Machine;
  readonly changes: RevisionChanges[] = [];

  constructor(backend: MemoryBackend, store: Store, lessor: Lessor) {
    this.backend = backend;
    this.store = store;
    this.lessor = lessor;
    this.alarms = openAlarms(backend);
    this.machine = createMachine({ backend, store, lessor, alarms: this.alarms });
    this.machine.onChanges = (changes) => this.changes.push(changes);
  }

  apply(operation: RaftOperation, isWaited = true): ApplyOutcome {
    const header = { memberPrefix: 1, sequence: 1, username: "", authRevision: 0 };
    const index = this.backend.applied.index + 1;
    return this.machine.apply(index, 1, { header, operation }, isWaited);
  }

  /** Applies what must not be refused. */
  done<K extends ApplyResponse["kind"]>(
    kind: K,
    operation: RaftOperation,
  ): Extract<ApplyResponse, { kind: K }> {
    const outcome = this.apply(operation);
    if (outcome instanceof EtcdError) throw outcome;
    assert.equal(outcome.kind, kind);
    return outcome as Extract<ApplyResponse, { kind: K }>;
  }

  /** The id of the refusal. */
  refused(operation: RaftOperation): string {
    const before = dump(this.backend);
    const outcome = this.apply(operation);
    assert.ok(outcome instanceof EtcdError, `not refused: ${operation.kind}`);
    assert.deepEqual(dump(this.backend), before, "a refusal must have no effect");
    return outcome.id;
  }

  put(key: string, value: string, more: Partial<PutRequest> = {}) {
    return this.done("put", putOf(key, value, more)).put;
  }

  grant(id: bigint, ttlSeconds = 60) {
    return this.done("leaseGrant", { kind: "leaseGrant", leaseGrant: { id, ttlSeconds } });
  }

  txn(request: Partial<TxnRequest>) {
    return this.done("txn", txnOf(request)).txn;
  }

  value(key: string): string | undefined {
    const record = this.store.get(key, 0);
    return record === undefined ? undefined : decodeKeyValue(record).value.toString();
  }

  lease(key: string): bigint {
    const record = this.store.get(key, 0);
    return record === undefined ? 0n : decodeKeyValue(record).lease;
  }

  /** Commits, and opens everything anew from what is durable. */
  async reopen(): Promise<Fixture> {
    await this.backend.commit();
    return openFixture(this.backend.crash());
  }
}

export async function openFixture(backend = new MemoryBackend()): Promise<Fixture> {
  const lessor = openLessor(backend);
  const store = await openStore(backend, {
    yieldToLoop: () => Promise.resolve(),
    onLease: (key, lease) => lessor.attach(lease, key),
  });
  return new Fixture(backend, store, lessor);
}

export function putOf(key: string, value: string, more: Partial<PutRequest> = {}): RaftOperation {
  return { kind: "put", put: putRequest(key, value, more) };
}

export function putRequest(key: string, value: string, more: Partial<PutRequest> = {}): PutRequest {
  return {
    key,
    value: Buffer.from(value),
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
    ...more,
  };
}

export function putOp(key: string, value: string, more: Partial<PutRequest> = {}): RequestOp {
  return { kind: "put", put: putRequest(key, value, more) };
}

export function deleteOp(key: string, rangeEnd = "", prevKv = false): RequestOp {
  return { kind: "deleteRange", deleteRange: { key, rangeEnd, prevKv } };
}

export function rangeRequest(key: string, more: Partial<RangeRequest> = {}): RangeRequest {
  return {
    key,
    rangeEnd: "",
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
    ...more,
  };
}

export function rangeOp(key: string, more: Partial<RangeRequest> = {}): RequestOp {
  return { kind: "range", range: rangeRequest(key, more) };
}

export function txnOf(request: Partial<TxnRequest>): RaftOperation {
  return { kind: "txn", txn: txnRequest(request) };
}

export function txnRequest(request: Partial<TxnRequest>): TxnRequest {
  return { compare: [], success: [], failure: [], ...request };
}

export function compareOf(key: string, more: Partial<Compare>): Compare {
  return { result: 0, target: 0, key, rangeEnd: "", operand: undefined, ...more };
}

/** "a=1" */
export function pairs(kvs: readonly EncodedKeyValue[]): string[] {
  return kvs.map((kv) => {
    const { key, value } = decodeKeyValue(kv);
    return `${key}=${value.toString()}`;
  });
}

/** All rows that members have in common. */
export function dump(backend: MemoryBackend): Record<string, string[]> {
  const tables: Record<string, string[]> = {};
  for (const table of TABLES as readonly Table[]) {
    const rows = backend.scan(table, Buffer.alloc(0), undefined, 1_000_000);
    tables[table] = rows
      .filter((row) => !(table === "meta" && isApplied(row.key)))
      .map((row) => `${row.key.toString("hex")}=${row.value.toString("hex")}`);
  }
  return tables;
}

function isApplied(key: Buffer): boolean {
  return key.toString() === "consistent_index" || key.toString() === "term";
}

test("machine: a new one is empty and stands at revision 1", async () => {
  const { store, machine, backend } = await openFixture();
  assert.equal(store.currentRevision, 1);
  assert.equal(machine.clusterVersion, undefined);
  assert.deepEqual(machine.members(), []);
  assert.equal(backend.applied.index, 0);
});
