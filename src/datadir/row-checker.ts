/**
 * Whether a row of an image can stand in a store (surface 19). What a store decodes when it is
 * opened must decode; what it only hands on may be anything.
 */
import { decodeMemberRecord } from "../apply/index.ts";
import {
  type AppliedPoint,
  type EtcdTable,
  KEY_BYTES_MAX,
  META_CONSISTENT_INDEX,
  META_TERM,
} from "../backend/index.ts";
import { MalformedError } from "../base/index.ts";
import type { BucketRow } from "../snapshot/index.ts";
import { decodeLeaseRecord, keyValueKey } from "../wire/index.ts";
import { SnapshotRefused } from "./errors.ts";

const UNDERSCORE = 0x5f;
const TOMBSTONE = 0x74;
const REVISION_BYTES = 17;
/** The upper half of the greatest whole number that a revision may be. */
const HIGH_MAX = 0x1f_ffff;
const SCHEDULED = "scheduledCompactRev";
const FINISHED = "finishedCompactRev";

export class RowChecker {
  readonly path: string;
  /** As the rows of bucket `meta` say. */
  applied: AppliedPoint = { index: 0, term: 0 };

  constructor(path: string) {
    this.path = path;
  }

  refuse(table: EtcdTable, key: Buffer, detail: string): never {
    const shown = key.toString("hex", 0, 40);
    throw new SnapshotRefused(this.path, `bucket ${table}, key ${shown}: ${detail}`);
  }
}

/** Throws SnapshotRefused. */
export function checkRow(checker: RowChecker, table: EtcdTable, row: BucketRow): void {
  const { key, value } = row;
  if (key.length === 0) checker.refuse(table, key, "found an empty key");
  if (key.length > KEY_BYTES_MAX) {
    checker.refuse(table, key, `found ${key.length} bytes, at most ${KEY_BYTES_MAX} fit`);
  }
  switch (table) {
    case "key":
      return checkRevision(checker, key, value);
    case "lease":
      return checkLease(checker, key, value);
    case "members":
      if (decodeMemberRecord(value.toString()) === undefined) {
        checker.refuse(table, key, "found no member");
      }
      return;
    case "meta":
      return checkMeta(checker, key, value);
    default:
  }
}

function checkRevision(checker: RowChecker, key: Buffer, value: Buffer): void {
  const isTombstone = key.length === REVISION_BYTES + 1;
  if (!isRevision(key) && !isTombstone) checker.refuse("key", key, "found no revision");
  if (isTombstone && (key[REVISION_BYTES] !== TOMBSTONE || !isRevision(key.subarray(0, 17)))) {
    checker.refuse("key", key, "found no revision");
  }
  if (value.length === 0) return;
  try {
    keyValueKey(value);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    checker.refuse("key", key, "found no key-value pair");
  }
}

function isRevision(key: Buffer): boolean {
  if (key.length !== REVISION_BYTES || key[8] !== UNDERSCORE) return false;
  return key.readUInt32BE(0) <= HIGH_MAX && key.readUInt32BE(9) <= HIGH_MAX;
}

function checkLease(checker: RowChecker, key: Buffer, value: Buffer): void {
  if (key.length !== 8) checker.refuse("lease", key, `found ${key.length} bytes, 8 wanted`);
  try {
    decodeLeaseRecord(value);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    checker.refuse("lease", key, "found no lease");
  }
}

function checkMeta(checker: RowChecker, key: Buffer, value: Buffer): void {
  const name = key.latin1Slice();
  if (name === META_CONSISTENT_INDEX || name === META_TERM) {
    if (value.length !== 8 || value.readUInt32BE(0) > HIGH_MAX) {
      checker.refuse("meta", key, `${name} is ${value.toString("hex", 0, 40)}`);
    }
    const number = Number(value.readBigUInt64BE(0));
    const { applied } = checker;
    checker.applied =
      name === META_TERM ? { ...applied, term: number } : { ...applied, index: number };
  } else if ((name === SCHEDULED || name === FINISHED) && !isRevision(value)) {
    checker.refuse("meta", key, `${name} is ${value.toString("hex", 0, 40)}`);
  }
}
