/** Logs of real etcd: read, written again with equal bytes, and handed back after our repair. */
import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hostDisk } from "../host/index.ts";
import { decodeRaftRequest, EntryType, type PutRequest } from "../wire/index.ts";
import { RecordBuffer } from "./encoder.ts";
import {
  base64,
  callEtcd,
  clock,
  hasEtcd,
  readAll,
  START,
  startEtcd,
  temporaryDirectory,
} from "./fixture.test.ts";
import { resumeWal } from "./open.ts";
import { readEntry, RecordType } from "./record.ts";
import { SegmentReader } from "./segment-reader.ts";

const skip = hasEtcd ? false : "etcd is not installed";

interface Rewritten {
  readonly bytes: Buffer;
  readonly types: number[];
}

/** Every record of a segment, decoded and encoded anew. */
async function rewrite(path: string): Promise<Rewritten> {
  const file = await hostDisk.open(path, "read");
  const segment = new SegmentReader(file, { isLast: true, crc: undefined });
  await segment.open();
  const records = new RecordBuffer();
  const types: number[] = [];
  let crc = 0;
  while (!segment.isAtEnd) {
    const type = segment.next();
    if (type === 0) {
      if (!segment.isAtEnd) await segment.fill();
      continue;
    }
    types.push(type);
    if (type === RecordType.CRC) {
      crc = segment.frame.crc;
      records.addCrc(crc);
    } else if (type === RecordType.ENTRY) {
      const entry = readEntry(segment.window, segment.frame.dataLo, segment.frame.dataHi);
      assert.ok(entry !== undefined);
      crc = records.addEntry(crc, entry);
    } else {
      crc = records.addRecord(type, crc, segment.data());
    }
  }
  assert.equal(segment.torn, undefined);
  await segment.close();
  return { bytes: Buffer.from(records.written), types };
}

/** Entries of 3.4 also hold requests of the v2 store, which are none of ours (RA-14). */
function putOf(data: Buffer): PutRequest | undefined {
  try {
    const { operation } = decodeRaftRequest(data);
    return operation.kind === "put" ? operation.put : undefined;
  } catch {
    return undefined;
  }
}

async function putMany(url: string, count: number): Promise<void> {
  for (let number = 0; number < count; number += 1) {
    const value = base64("v".repeat(number * 37));
    await callEtcd(url, "kv/put", { key: base64(`key ${number}`), value });
  }
}

test("etcd's log: every record is decoded and encoded again with equal bytes (WL-01 to WL-06)", {
  skip,
}, async () => {
  using directory = temporaryDirectory();
  const data = join(directory.path, "d");
  await using etcd = await startEtcd(data);
  await putMany(etcd.url, 40);
  await callEtcd(etcd.url, "lease/grant", { TTL: 100, ID: 77 });
  await callEtcd(etcd.url, "kv/deleterange", { key: base64("key 3") });
  await etcd.stop();
  const wal = join(data, "member", "wal");
  const names = readdirSync(wal).filter((name) => name.endsWith(".wal"));
  assert.deepEqual(names, ["0000000000000000-0000000000000000.wal"]);
  const path = join(wal, names[0] as string);
  const original = readFileSync(path);
  assert.equal(original.length, 64_000_000);
  const { bytes, types } = await rewrite(path);
  assert.ok(bytes.equals(original.subarray(0, bytes.length)), "the same bytes");
  assert.ok(original.subarray(bytes.length).every((byte) => byte === 0));
  assert.deepEqual(types.slice(0, 3), [RecordType.CRC, RecordType.METADATA, RecordType.SNAPSHOT]);
  const { reader, entries } = await readAll(hostDisk, START, wal);
  assert.equal(reader.lastIndex, reader.hardState.commit);
  assert.equal(entries[0]?.type, EntryType.CONF_CHANGE);
  const puts = entries.flatMap((entry) => putOf(entry.data) ?? []);
  assert.equal(puts.length, 40);
  assert.equal(puts[39]?.key, "key 39");
  assert.equal(puts[39]?.value.length, 39 * 37);
});

test("etcd's log: its torn tail is cut by us → etcd starts on it and has the rest (WL-06)", {
  skip,
}, async () => {
  using directory = temporaryDirectory();
  const data = join(directory.path, "d");
  await using etcd = await startEtcd(data);
  await putMany(etcd.url, 10);
  await etcd.stop();
  const wal = join(data, "member", "wal");
  const path = join(wal, "0000000000000000-0000000000000000.wal");
  const before = await readAll(hostDisk, START, wal);
  // In the middle of the last put: the entry and its state are gone.
  const tail = before.reader.tail?.offset ?? 0;
  truncateSync(path, tail - 24 - 100);
  const { reader, entries } = await readAll(hostDisk, START, wal);
  assert.ok(reader.tail?.torn !== undefined);
  assert.deepEqual(entries, before.entries.slice(0, entries.length));
  assert.equal(entries.length, before.entries.length - 1);
  const log = await resumeWal(reader, { clock });
  const last = entries.at(-1);
  assert.ok(last !== undefined);
  // What we append is etcd's to read: the record that was lost, and its state.
  const lost = before.entries.at(-1);
  assert.ok(lost !== undefined);
  await log.append([lost], before.reader.hardState);
  await log.close();
  assert.ok(readdirSync(wal).includes("0000000000000000-0000000000000000.wal.broken"));
  cpSync(data, join(directory.path, "copy"), { recursive: true });
  await using again = await startEtcd(data);
  const answer = (await callEtcd(again.url, "kv/range", {
    key: base64("key"),
    range_end: base64("kez"),
  })) as { count: string };
  await again.stop();
  assert.equal(answer.count, "10");
});
