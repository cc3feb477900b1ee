/** Rows of the table `lease`: 8 bytes big-endian id -> leasepb.Lease (ID, TTL, RemainingTTL). */
import { ByteReader, ByteWriter } from "../base/index.ts";
import { type Lease, newLease } from "./lease.ts";

const writer = new ByteWriter(64);

export function leaseRowKey(id: bigint): Buffer {
  const key = Buffer.allocUnsafe(8);
  key.writeBigInt64BE(BigInt.asIntN(64, id));
  return key;
}

export function encodeLeaseRow(lease: Lease): Buffer {
  writer.reset();
  writer.byte(0x08);
  writer.big(lease.id);
  writer.byte(0x10);
  writer.int(lease.ttlSeconds);
  if (lease.remainingTtlSeconds > 0) {
    writer.byte(0x18);
    writer.int(lease.remainingTtlSeconds);
  }
  return writer.take();
}

/** Throws MalformedError. */
export function decodeLeaseRow(row: Buffer): Lease {
  const reader = new ByteReader(row);
  let id = 0n;
  let ttlSeconds = 0;
  let remainingTtlSeconds = 0;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 0x08) id = reader.bigInt();
    else if (tag === 0x10) ttlSeconds = reader.int();
    else if (tag === 0x18) remainingTtlSeconds = reader.int();
    else reader.skip(tag);
  }
  return newLease(id, ttlSeconds, remainingTtlSeconds);
}
