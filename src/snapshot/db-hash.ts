/**
 * etcd's checksum over a whole store (MA-05, UT-02): CRC-32C over each bucket's name and then each
 * of its rows, key and value, buckets and rows in byte order.
 */
import { crc32c } from "../base/index.ts";
import type { BucketSource } from "./types.ts";

/** What members with equal data may differ in; the Hash call leaves it out, tools do not. */
const LOCAL_META = new Set(["consistent_index", "term", "storageVersion"]);

export class DbHash {
  readonly #leavesLocalOut: boolean;
  #crc = 0;
  #isMeta = false;
  rowCount = 0;

  constructor(options: { leavesLocalOut: boolean }) {
    this.#leavesLocalOut = options.leavesLocalOut;
  }

  bucket(name: string): void {
    this.#crc = crc32c(this.#crc, Buffer.from(name, "utf8"));
    this.#isMeta = name === "meta";
  }

  row(key: Buffer, value: Buffer): void {
    this.rowCount += 1;
    if (this.#isMeta && this.#leavesLocalOut && LOCAL_META.has(key.latin1Slice())) return;
    this.#crc = crc32c(crc32c(this.#crc, key), value);
  }

  /** An unsigned 32-bit number. */
  get value(): number {
    return this.#crc;
  }
}

/** The answer of Maintenance.Hash over buckets in name order. */
export async function hashBuckets(buckets: readonly BucketSource[]): Promise<number> {
  const hash = new DbHash({ leavesLocalOut: true });
  for (const bucket of buckets) {
    hash.bucket(bucket.name);
    const cursor = bucket.open();
    try {
      for (let rows = await cursor.next(); rows !== undefined; rows = await cursor.next()) {
        for (const { key, value } of rows) hash.row(key, value);
      }
    } finally {
      cursor.close?.();
    }
  }
  return hash.value;
}
