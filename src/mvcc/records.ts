/** Records of table `key`: where the index meets the bytes. */
import type { Backend } from "../backend/index.ts";
import type { Key } from "../base/index.ts";
import {
  decodeKeyValue,
  type EncodedKeyValue,
  keyValueKey,
  marshalKeyValue,
} from "../wire/index.ts";
import type { KeyIndex } from "./key-index.ts";
import { isTombstoneKey, revisionKey } from "./revision.ts";
import type { Change } from "./types.ts";

const EMPTY = Buffer.alloc(0);

/** The index names a record that the store does not hold: damage that no checksum can see. */
export class LostRecord extends Error {
  readonly main: number;
  readonly sub: number;

  constructor(main: number, sub: number) {
    super(`lost record in table "key": revision ${main}.${sub} is in the index, not in the store`);
    this.name = "LostRecord";
    this.main = main;
    this.sub = sub;
  }
}

/** Throws LostRecord, CorruptRecord. */
export function readRecord(backend: Backend, main: number, sub: number): EncodedKeyValue {
  const record = backend.get("key", revisionKey(main, sub, false));
  if (record === undefined) throw new LostRecord(main, sub);
  return record;
}

/** Bytes of that record, unread. */
export function recordSize(backend: Backend, main: number, sub: number): number {
  const bytes = backend.sizeOf("key", revisionKey(main, sub, false));
  if (bytes === undefined) throw new LostRecord(main, sub);
  return bytes;
}

/** The record without its value, from the index where it knows enough (KV-06). */
export function keyOnlyRecord(
  backend: Backend,
  index: KeyIndex,
  key: Key,
  slot: number,
  withLease: boolean,
): EncodedKeyValue {
  if (index.isNewest(slot)) {
    return marshalKeyValue({
      key,
      createRevision: index.create,
      modRevision: index.main,
      version: index.version,
      value: EMPTY,
      lease: withLease ? index.lease(slot) : 0n,
    });
  }
  const record = decodeKeyValue(readRecord(backend, index.main, index.sub));
  record.value = EMPTY;
  if (!withLease) record.lease = 0n;
  return marshalKeyValue(record);
}

/** What the store keeps for a deleted key. */
export function tombstoneRecord(key: Key): EncodedKeyValue {
  return pairOf(key, 0);
}

/** What a watcher sees of a deleted key. */
export function deletedRecord(key: Key, main: number): EncodedKeyValue {
  return pairOf(key, main);
}

/** A row of table `key` as a watcher sees it. */
export function changeOf(row: { key: Buffer; value: Buffer }, main: number, sub: number): Change {
  const key = keyValueKey(row.value);
  if (isTombstoneKey(row.key)) {
    return { type: "delete", key, record: deletedRecord(key, main), sub };
  }
  return { type: "put", key, record: row.value, sub };
}

function pairOf(key: Key, modRevision: number): EncodedKeyValue {
  return marshalKeyValue({
    key,
    createRevision: 0,
    modRevision,
    version: 0,
    value: EMPTY,
    lease: 0n,
  });
}
