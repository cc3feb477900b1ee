/** Stores on a simulated disk, images, and what is in a store, for the tests of this room. */
import { createHash } from "node:crypto";
import {
  type Backend,
  imageOfView,
  MemoryBackend,
  MemoryMedium,
  STORE_FILE_NAME,
  type StoreFile,
  type Table,
  TABLES,
} from "../backend/index.ts";
import { hostDisk, systemTimers } from "../host/index.ts";
import type { Disk, Timers } from "../seam/index.ts";
import { marshalKeyValue } from "../wire/index.ts";
import { openStoreImage } from "./store-image.ts";

export const timers: Timers = systemTimers;
export const disk: Disk = hostDisk;
const ALL: readonly Table[] = [...TABLES, "local"];

/** A backend whose commits are files on the disk given: whole batches, or none, after a crash. */
export async function openDiskBackend(on: Disk, directory: string): Promise<Backend> {
  const path = `${directory}/${STORE_FILE_NAME}`;
  const medium = new MemoryMedium();
  if (await on.exists(path)) {
    const saved = JSON.parse((await on.readFile(path)).toString()) as Saved;
    const operations = saved.rows.map(([table, key, value]) => ({
      table,
      key: Buffer.from(key, "hex").toString("latin1"),
      value: Buffer.from(value, "hex"),
    }));
    medium.write(operations, saved.applied);
  }
  return new DiskBackend(on, directory, medium);
}

interface Saved {
  readonly applied: { readonly index: number; readonly term: number };
  readonly rows: readonly (readonly [Table, string, string])[];
}

class DiskBackend extends MemoryBackend {
  readonly #disk: Disk;
  readonly #directory: string;

  constructor(on: Disk, directory: string, medium: MemoryMedium) {
    super({ medium });
    this.#disk = on;
    this.#directory = directory;
  }

  override async commit(): Promise<void> {
    await super.commit();
    const rows: [Table, string, string][] = [];
    const view = this.openReadView();
    for (const table of ALL) {
      for (const { key, value } of view.scan(table, Buffer.alloc(0), undefined, 1e6)) {
        rows.push([table, key.toString("hex"), value.toString("hex")]);
      }
    }
    const saved: Saved = { applied: this.durable, rows };
    const path = `${this.#directory}/${STORE_FILE_NAME}`;
    if (await this.#disk.exists(`${path}.tmp`)) await this.#disk.remove(`${path}.tmp`);
    const file = await this.#disk.open(`${path}.tmp`, "create");
    await file.write(Buffer.from(JSON.stringify(saved)), 0);
    await file.sync();
    await file.close();
    await this.#disk.rename(`${path}.tmp`, path);
    await this.#disk.syncDirectory(this.#directory);
  }

  async openFile(): Promise<StoreFile> {
    const view = this.openReadView();
    const bytes = await this.#disk.readFile(`${this.#directory}/${STORE_FILE_NAME}`);
    return {
      applied: view.applied,
      sizeBytes: bytes.length,
      get: (table, key) => view.get(table, key),
      read: async (into, offset) => bytes.copy(into, 0, offset),
      close: () => view.close(),
    };
  }
}

/** The store's own file, as it is sent: of a backend on a disk. */
export async function storeImageBytes(backend: Backend, on: Disk): Promise<Buffer> {
  const opened = await openStoreImage({ backend, disk: on, directory: "/nowhere" });
  if (opened === undefined) throw new Error("the backend has no file");
  const pieces: Buffer[] = [];
  for await (const piece of opened.image.read(0)) pieces.push(piece);
  opened.image.close();
  return Buffer.concat(pieces);
}

export function revisionKey(main: number, sub = 0): Buffer {
  const key = Buffer.alloc(17, "_");
  key.writeBigUInt64BE(BigInt(main), 0);
  key.writeBigUInt64BE(BigInt(sub), 9);
  return key;
}

export function pair(key: string, main: number, value = `value ${main}`): Buffer {
  return marshalKeyValue({
    key,
    createRevision: main,
    modRevision: main,
    version: 1,
    value: Buffer.from(value),
    lease: 0n,
  });
}

/** Puts `count` records and some of every other table; applied is where a snapshot would stand. */
export function fill(backend: Backend, count: number, applied: { index: number; term: number }) {
  for (let at = 0; at < count; at += 1) {
    backend.put("key", revisionKey(at + 2), pair(`key ${at}`, at + 2, "x".repeat(at % 300)));
  }
  const member = '{"id":7,"peerURLs":["http://127.0.0.1:1"],"name":"a"}';
  backend.put("members", Buffer.from("7"), Buffer.from(member));
  backend.put("members_removed", Buffer.from("5"), Buffer.from("removed"));
  backend.put("cluster", Buffer.from("clusterVersion"), Buffer.from("3.7.0"));
  const lease = Buffer.alloc(8);
  lease.writeBigUInt64BE(77n);
  backend.put("lease", lease, Buffer.from([8, 77, 16, 60]));
  backend.put("meta", Buffer.from("storageVersion"), Buffer.from("3.7.0"));
  backend.put("auth", Buffer.from("authEnabled"), Buffer.of(0));
  backend.put("local", Buffer.from("own"), Buffer.from("not for others"));
  backend.setApplied(applied);
}

/** All rows but those of table `local`, as text. */
export function rowsOf(backend: Backend): string[] {
  const rows: string[] = [];
  for (const table of TABLES) {
    for (const { key, value } of backend.scan(table, Buffer.alloc(0), undefined, 1e6)) {
      rows.push(`${table} ${key.toString("hex")} ${value.toString("hex")}`);
    }
  }
  return rows;
}

/** The image of a store, with its checksum at the end as a client writes it, or without. */
export async function imageBytes(backend: Backend, hasChecksum = false): Promise<Buffer> {
  await backend.commit();
  const image = await imageOfView(backend.openReadView(), () => Promise.resolve());
  const pieces: Buffer[] = [];
  for await (const piece of image.read(0)) pieces.push(piece);
  image.close();
  const bytes = Buffer.concat(pieces);
  return hasChecksum ? Buffer.concat([bytes, createHash("sha256").update(bytes).digest()]) : bytes;
}
