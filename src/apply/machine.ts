/**
 * The state machine: the only writer of what stands on floor 4.
 *
 * Whatever an entry holds, each member does the same with it: validation that a healthy proposer
 * did before is repeated here as far as an effect depends on it, and what cannot be applied is
 * refused with the same error everywhere. Nothing here throws for an entry's content; what the
 * backend throws (a record that fails its checksum) ends the member.
 *
 * Source: surface 2.3 to 2.6, 4, 6 and 16.2 (AP-01 to AP-08).
 */
import type { AlarmSet } from "../alarm/index.ts";
import type { Backend } from "../backend/index.ts";
import { Code, EtcdError, errors } from "../errors/index.ts";
import type { Lessor } from "../lease/index.ts";
import type { RevisionChanges, Store } from "../mvcc/index.ts";
import type {
  AlarmRequest,
  CompactionRequest,
  ConfState,
  DeleteRangeRequest,
  LeaseGrantRequest,
  MemberAttributes,
  PutRequest,
  RaftOperation,
  RaftRequest,
  RangeRequest,
  TxnRequest,
} from "../wire/index.ts";
import { decodeConfStateRow, encodeConfStateRow, META_CONF_STATE } from "./conf-state.ts";
import { costOfTxn } from "./cost.ts";
import { MemberTable } from "./member-table.ts";
import { executeRange, hasKnownSort } from "./range.ts";
import { decide, executeDelete, executePut, TxnRun } from "./txn.ts";
import type { ApplyOutcome, DowngradeInfo, Machine, MemberRecord } from "./types.ts";

/** The answer to an entry that was applied before (AP-01); nobody waits for it. */
export const ALREADY_APPLIED = new EtcdError(
  "AlreadyApplied",
  Code.INTERNAL,
  "holdfast: the entry was applied before",
);

const CLUSTER_VERSION = Buffer.from("clusterVersion");
const DOWNGRADE = Buffer.from("downgrade");
/** Key of table `cluster`: which life of the cluster its data belongs to, 16 hex digits. */
export const CLUSTER_INCARNATION = Buffer.from("incarnation");
const INCARNATION_PATTERN = /^[0-9a-f]{16}$/;
const NO_DOWNGRADE: DowngradeInfo = { enabled: false, targetVersion: "" };
const VERSION_PATTERN = /^\d{1,5}\.\d{1,5}\.\d{1,5}$/;

export interface MachineParts {
  readonly backend: Backend;
  readonly store: Store;
  readonly lessor: Lessor;
  readonly alarms: AlarmSet;
  /** As in `executeRange`. Concerns answers alone, never the state. */
  readonly keysOnlyWithLease?: boolean;
}

export function createMachine(parts: MachineParts): Machine {
  return new StateMachine(parts);
}

class StateMachine implements Machine {
  readonly #backend: Backend;
  readonly #store: Store;
  readonly #lessor: Lessor;
  readonly #alarms: AlarmSet;
  readonly #members: MemberTable;
  readonly #keysOnlyWithLease: boolean;
  #clusterVersion: string | undefined;
  #downgrade: DowngradeInfo;
  #incarnation: string | undefined;
  onChanges: (changes: RevisionChanges) => void = () => {};

  constructor(parts: MachineParts) {
    this.#backend = parts.backend;
    this.#store = parts.store;
    this.#lessor = parts.lessor;
    this.#alarms = parts.alarms;
    this.#keysOnlyWithLease = parts.keysOnlyWithLease ?? false;
    this.#members = new MemberTable(parts.backend);
    this.#clusterVersion = parts.backend.get("cluster", CLUSTER_VERSION)?.toString();
    this.#incarnation = parts.backend.get("cluster", CLUSTER_INCARNATION)?.toString();
    this.#downgrade = decodeDowngrade(parts.backend.get("cluster", DOWNGRADE)?.toString() ?? "");
  }

  apply(index: number, term: number, request: RaftRequest, isWaited: boolean): ApplyOutcome {
    if (index <= this.#backend.applied.index) return ALREADY_APPLIED;
    const outcome = this.#dispatch(request.operation, isWaited);
    this.#backend.setApplied({ index, term });
    return outcome;
  }

  advance(index: number, term: number): void {
    if (index > this.#backend.applied.index) this.#backend.setApplied({ index, term });
  }

  get appliedIndex(): number {
    return this.#backend.applied.index;
  }

  get clusterVersion(): string | undefined {
    return this.#clusterVersion;
  }

  get incarnation(): string | undefined {
    return this.#incarnation;
  }

  get downgrade(): DowngradeInfo {
    return this.#downgrade;
  }

  members(): readonly MemberRecord[] {
    return this.#members.list();
  }

  putMember(member: MemberRecord): void {
    this.#members.put(member);
  }

  removeMember(id: bigint): void {
    this.#members.remove(id);
  }

  confState(): ConfState | undefined {
    const row = this.#backend.get("meta", META_CONF_STATE);
    return row === undefined ? undefined : decodeConfStateRow(row);
  }

  putConfState(state: ConfState): void {
    this.#backend.put("meta", META_CONF_STATE, encodeConfStateRow(state));
  }

  isRemovedMember(id: bigint): boolean {
    return this.#members.isRemoved(id);
  }

  #dispatch(operation: RaftOperation, isWaited: boolean): ApplyOutcome {
    switch (operation.kind) {
      case "put":
        return this.#put(operation.put, isWaited);
      case "deleteRange":
        return this.#deleteRange(operation.deleteRange, isWaited);
      case "txn":
        return this.#txn(operation.txn, isWaited);
      case "range":
        return this.#range(operation.range, isWaited);
      case "compaction":
        return this.#compact(operation.compaction);
      case "leaseGrant":
        return this.#grant(operation.leaseGrant);
      case "leaseRevoke":
        return this.#revoke(operation.leaseRevoke.id);
      case "leaseCheckpoint":
        this.#lessor.checkpoint(operation.checkpoints);
        return { kind: "leaseCheckpoint" };
      case "alarm":
        return this.#alarm(operation.alarm);
      case "clusterVersionSet":
        return this.#setClusterVersion(operation.version, operation.incarnation);
      case "memberAttributesSet":
        return this.#setAttributes(operation.memberId, operation.attributes);
      case "downgradeInfoSet":
        return this.#setDowngrade(operation.enabled, operation.version);
      default:
        return errors.NotCapable;
    }
  }

  #put(put: PutRequest, isWaited: boolean): ApplyOutcome {
    if (this.#alarms.isCorrupt) return errors.Corrupt;
    if (this.#alarms.isCapped) return errors.NoSpace;
    if (put.key === "") return errors.EmptyKey;
    if (put.lease !== 0n && !this.#lessor.has(put.lease)) return errors.LeaseNotFound;
    if (put.ignoreValue || put.ignoreLease) {
      if (this.#store.get(put.key, 0) === undefined) return errors.KeyNotFound;
    }
    const tx = this.#store.begin();
    const response = executePut(tx, this.#lessor, put, isWaited);
    const changes = tx.end();
    if (changes !== undefined) this.onChanges(changes);
    return { kind: "put", put: response };
  }

  #deleteRange(request: DeleteRangeRequest, isWaited: boolean): ApplyOutcome {
    if (this.#alarms.isCorrupt) return errors.Corrupt;
    if (request.key === "") return errors.EmptyKey;
    const tx = this.#store.begin();
    const deleteRange = executeDelete(tx, this.#lessor, request, isWaited);
    const changes = tx.end();
    if (changes !== undefined) this.onChanges(changes);
    return { kind: "deleteRange", deleteRange };
  }

  #txn(request: TxnRequest, isWaited: boolean): ApplyOutcome {
    if (this.#alarms.isCorrupt) return errors.Corrupt;
    const path = decide(this.#store, request);
    if (path === undefined) return errors.TooManyOps;
    // Only now, since the cost goes as deep into the request as it nests.
    if (this.#alarms.isCapped && costOfTxn(request) > 0) return errors.NoSpace;
    const run = new TxnRun({
      store: this.#store,
      leases: this.#lessor,
      path,
      isWaited,
      keysOnlyWithLease: this.#keysOnlyWithLease,
    });
    const refusal = run.check(request);
    if (refusal !== undefined) return refusal;
    const tx = this.#store.begin();
    const txn = run.execute(tx, request);
    txn.revision = tx.revision;
    const changes = tx.end();
    if (changes !== undefined) this.onChanges(changes);
    return { kind: "txn", txn };
  }

  #range(request: RangeRequest, isWaited: boolean): ApplyOutcome {
    if (this.#alarms.isCorrupt) return errors.Corrupt;
    if (request.key === "") return errors.EmptyKey;
    if (!hasKnownSort(request)) return errors.InvalidSortOption;
    const revision = this.#store.currentRevision;
    if (!isWaited) return { kind: "range", range: { revision, kvs: [], more: false, count: 0 } };
    const range = executeRange(this.#store, request, revision, this.#keysOnlyWithLease);
    return range instanceof EtcdError ? range : { kind: "range", range };
  }

  #compact(request: CompactionRequest): ApplyOutcome {
    if (this.#alarms.isCorrupt) return errors.Corrupt;
    const outcome = this.#store.compact(request.revision);
    if (outcome === "compacted") return errors.Compacted;
    if (outcome === "future") return errors.FutureRev;
    return { kind: "compaction", revision: this.#store.currentRevision };
  }

  #grant(request: LeaseGrantRequest): ApplyOutcome {
    if (this.#alarms.isCorrupt) return errors.Corrupt;
    if (this.#alarms.isCapped) return errors.NoSpace;
    const refusal = this.#lessor.grant(request.id, request.ttlSeconds);
    if (refusal !== undefined) return refusal;
    return {
      kind: "leaseGrant",
      id: request.id,
      ttlSeconds: this.#lessor.grantedTtlSeconds(request.id),
      revision: this.#store.currentRevision,
    };
  }

  #revoke(id: bigint): ApplyOutcome {
    if (this.#alarms.isCorrupt) return errors.Corrupt;
    const keys = this.#lessor.revoke(id);
    if (keys === undefined) return errors.LeaseNotFound;
    if (keys.length > 0) {
      const tx = this.#store.begin();
      for (const key of keys) tx.deleteRange(key, "");
      const changes = tx.end();
      if (changes !== undefined) this.onChanges(changes);
    }
    return { kind: "leaseRevoke", revision: this.#store.currentRevision };
  }

  #alarm(request: AlarmRequest): ApplyOutcome {
    const alarms = this.#alarms.apply(request);
    if (alarms instanceof EtcdError) return alarms;
    return { kind: "alarm", alarms, revision: this.#store.currentRevision };
  }

  #setClusterVersion(version: string, incarnation: string | undefined): ApplyOutcome {
    if (!VERSION_PATTERN.test(version)) return errors.NotCapable;
    this.#backend.put("cluster", CLUSTER_VERSION, Buffer.from(version));
    this.#clusterVersion = version;
    // The first that is told stays: who proposed another did not know of it yet.
    if (this.#incarnation === undefined && INCARNATION_PATTERN.test(incarnation ?? "")) {
      this.#incarnation = incarnation;
      this.#backend.put("cluster", CLUSTER_INCARNATION, Buffer.from(incarnation as string));
    }
    return { kind: "clusterVersionSet" };
  }

  #setDowngrade(enabled: boolean, version: string): ApplyOutcome {
    if (enabled && !VERSION_PATTERN.test(version)) return errors.WrongDowngradeVersionFormat;
    this.#downgrade = enabled ? { enabled, targetVersion: version } : NO_DOWNGRADE;
    this.#backend.put("cluster", DOWNGRADE, Buffer.from(encodeDowngrade(this.#downgrade)));
    return { kind: "downgradeInfoSet" };
  }

  #setAttributes(id: bigint, attributes: MemberAttributes): ApplyOutcome {
    const member = this.#members.get(id);
    if (member === undefined) return errors.MemberNotFound;
    const { name, clientUrls } = attributes;
    this.#members.put({ ...member, name, clientUrls });
    return { kind: "memberAttributesSet" };
  }
}

/** The row as etcd writes it (surface 19). */
function encodeDowngrade({ enabled, targetVersion }: DowngradeInfo): string {
  return JSON.stringify({ "target-version": targetVersion, enabled });
}

function decodeDowngrade(text: string): DowngradeInfo {
  const match = /^{"target-version":"([\d.]+)","enabled":true}$/.exec(text);
  return match === null ? NO_DOWNGRADE : { enabled: true, targetVersion: match[1] as string };
}
