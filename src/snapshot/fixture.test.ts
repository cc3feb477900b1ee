/** Sources, files and tools that the tests of this room share. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostDisk } from "../host/index.ts";
import type { OpenFile } from "../seam/index.ts";
import { marshalKeyValue } from "../wire/index.ts";
import { BboltFile } from "./bbolt-reader.ts";
import { streamSnapshot } from "./stream.ts";
import type { BucketRow, BucketSource } from "./types.ts";

export const ETCDCTL = "/usr/bin/etcdctl";
export const hasEtcdctl = existsSync(ETCDCTL);
export const noEtcdctl = hasEtcdctl ? false : "etcdctl is not installed";

/** etcd's buckets in byte order. */
const BUCKETS = [
  "alarm",
  "auth",
  "authRoles",
  "authUsers",
  "cluster",
  "key",
  "lease",
  "members",
  "members_removed",
  "meta",
];

export type Content = ReadonlyMap<string, readonly BucketRow[]>;

export function row(key: string | Buffer, value: string | Buffer): BucketRow {
  return { key: Buffer.from(key), value: Buffer.from(value) };
}

/** The 17 bytes of a revision. */
export function revisionKey(main: number, sub = 0): Buffer {
  const key = Buffer.alloc(17, "_");
  key.writeBigUInt64BE(BigInt(main), 0);
  key.writeBigUInt64BE(BigInt(sub), 9);
  return key;
}

/** A record of bucket `key`: one put. */
export function put(main: number, key: string, value: Buffer, sub = 0): BucketRow {
  const pair = { key, createRevision: main, modRevision: main, version: 1, value, lease: 0n };
  return { key: revisionKey(main, sub), value: marshalKeyValue(pair) };
}

/** All of etcd's buckets, empty but for what is given. */
export function content(given: Record<string, readonly BucketRow[]>): Content {
  return new Map(BUCKETS.map((name) => [name, given[name] ?? []]));
}

/** In slices of `sliceRows`, so that pages end in the middle of them. */
export function sourceOf(rowsOf: Content, sliceRows = 7): BucketSource[] {
  return [...rowsOf].map(([name, rows]) => ({
    name,
    open() {
      let lo = 0;
      return {
        next() {
          if (lo >= rows.length) return undefined;
          lo += sliceRows;
          return rows.slice(lo - sliceRows, lo);
        },
      };
    },
  }));
}

/** The snapshot as a client writes it: the file and its checksum. */
export async function snapshotBytes(buckets: readonly BucketSource[]): Promise<Buffer> {
  const blobs: Buffer[] = [];
  for await (const { blob } of streamSnapshot(buckets, createHash("sha256"))) blobs.push(blob);
  return Buffer.concat(blobs);
}

/** A file in memory, for reading. */
export function memoryFile(bytes: Buffer, path = "/memory"): OpenFile {
  return {
    path,
    async read(into: Uint8Array, offset: number) {
      return bytes.copy(into, 0, offset, Math.min(bytes.length, offset + into.length));
    },
    size: async () => bytes.length,
    close: async () => undefined,
  } as unknown as OpenFile;
}

export async function readContent(file: OpenFile): Promise<Map<string, BucketRow[]>> {
  const db = await BboltFile.open(file);
  const found = new Map<string, BucketRow[]>();
  for (const name of db.bucketNames) {
    const rows: BucketRow[] = [];
    for await (const some of db.rows(name)) {
      rows.push(...some.map(({ key, value }) => ({ key, value })));
    }
    found.set(name, rows);
  }
  return found;
}

export interface TemporaryDirectory extends Disposable {
  readonly path: string;
}

export function temporaryDirectory(): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), "holdfast-snapshot-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export interface EtcdStatus {
  readonly hash: number;
  readonly revision: number;
  readonly totalKey: number;
  readonly totalSize: number;
}

/** What real etcdctl says about a file. */
export function etcdctlStatus(path: string): EtcdStatus {
  return JSON.parse(etcdctl("snapshot", "status", path, "-w", "json")) as EtcdStatus;
}

export function etcdctl(...args: string[]): string {
  return execFileSync(ETCDCTL, args, {
    env: { ...process.env, ETCDCTL_API: "3" },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 16 * 1024 * 1024,
  });
}

export async function withFile<T>(path: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
  const file = await hostDisk.open(path, "read");
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}
