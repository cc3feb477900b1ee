/**
 * mvccpb.KeyValue, byte for byte as Go marshals it: fields in order of their numbers, zeros left
 * out. HashKV covers these bytes (MA-06), so no other encoding of the same pair is ever stored.
 */
import { ByteReader, type ByteWriter, type Key } from "../base/index.ts";
import {
  EMPTY,
  fieldBig,
  fieldBytes,
  fieldInt,
  fieldLatin1,
  sizeFieldBig,
  sizeFieldBytes,
  sizeFieldInt,
} from "./fields.ts";
import { marshal } from "./marshal.ts";
import type { EncodedKeyValue, KeyValue } from "./messages.ts";

export function encodeKeyValue(writer: ByteWriter, kv: KeyValue): void {
  fieldLatin1(writer, 10, kv.key); // 1
  fieldInt(writer, 16, kv.createRevision); // 2
  fieldInt(writer, 24, kv.modRevision); // 3
  fieldInt(writer, 32, kv.version); // 4
  fieldBytes(writer, 42, kv.value); // 5
  fieldBig(writer, 48, kv.lease); // 6
}

export function sizeKeyValue(kv: KeyValue): number {
  return (
    sizeFieldBytes(kv.key.length) +
    sizeFieldInt(kv.createRevision) +
    sizeFieldInt(kv.modRevision) +
    sizeFieldInt(kv.version) +
    sizeFieldBytes(kv.value.length) +
    sizeFieldBig(kv.lease)
  );
}

/** The bytes to store; owned by the caller. */
export function marshalKeyValue(kv: KeyValue): EncodedKeyValue {
  return marshal(encodeKeyValue, kv);
}

export function decodeKeyValue(bytes: Buffer, lo = 0, hi = bytes.length): KeyValue {
  const reader = new ByteReader(bytes, lo, hi);
  const kv: KeyValue = {
    key: "",
    createRevision: 0,
    modRevision: 0,
    version: 0,
    value: EMPTY,
    lease: 0n,
  };
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: // 1 key
        kv.key = reader.latin1();
        break;
      case 16: // 2 create_revision
        kv.createRevision = reader.int();
        break;
      case 24: // 3 mod_revision
        kv.modRevision = reader.int();
        break;
      case 32: // 4 version
        kv.version = reader.int();
        break;
      case 42: // 5 value
        kv.value = reader.bytes();
        break;
      case 48: // 6 lease
        kv.lease = reader.bigInt();
        break;
      default:
        reader.skip(tag);
    }
  }
  return kv;
}

/* One field of an encoded pair, without making the others. MalformedError on bad bytes. */

export function keyValueKey(kv: EncodedKeyValue): Key {
  const reader = new ByteReader(kv);
  let key = "";
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 10) key = reader.latin1();
    else reader.skip(tag);
  }
  return key;
}

/** A view into `kv`. */
export function keyValueValue(kv: EncodedKeyValue): Buffer {
  const reader = new ByteReader(kv);
  let value = EMPTY;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 42) value = reader.bytes();
    else reader.skip(tag);
  }
  return value;
}

export function keyValueCreateRevision(kv: EncodedKeyValue): number {
  return intOf(kv, 16);
}

export function keyValueModRevision(kv: EncodedKeyValue): number {
  return intOf(kv, 24);
}

export function keyValueVersion(kv: EncodedKeyValue): number {
  return intOf(kv, 32);
}

export function keyValueLease(kv: EncodedKeyValue): bigint {
  const reader = new ByteReader(kv);
  let lease = 0n;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 48) lease = reader.bigInt();
    else reader.skip(tag);
  }
  return lease;
}

function intOf(kv: EncodedKeyValue, wanted: number): number {
  const reader = new ByteReader(kv);
  let value = 0;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === wanted) value = reader.int();
    else reader.skip(tag);
  }
  return value;
}
