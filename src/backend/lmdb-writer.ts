/**
 * The writing thread: takes sealed batches in order and makes each durable in one transaction.
 *
 * A thread of its own because a batch of 10 000 records takes 10 to 20 ms of CPU and a sync; the
 * main thread only hands over memory that it has filled anyway (decision 0008).
 */
import { chmodSync, closeSync, fsyncSync, openSync, renameSync, rmSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { getSystemErrorName } from "node:util";
import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import { hasCommitRecord, verifyEnvironment, writeCommitRecord } from "./commit-record.ts";
import { CorruptRecord, DamagedTable } from "./errors.ts";
import {
  environmentSize,
  FILE_MODE,
  isFreelistEmpty,
  openEnvironment,
  recordChecksum,
} from "./lmdb-env.ts";
import type { BinaryDatabase, Environment, EnvironmentSize } from "./lmdb-env.ts";
import { DamagedHeader } from "./lmdb-header.ts";
import {
  CHECKSUM_BYTES,
  DELETE_MARK,
  FLAG_APPEND,
  OPERATION_HEADER_BYTES,
  TABLE_NAMES,
} from "./overlay.ts";
import { checkFile, type PageCheck } from "./page-check.ts";
import { DamagedPages } from "./page-tree.ts";
import type { SentSegment } from "./segment-pool.ts";

export type WriterRequest =
  | { readonly kind: "batch"; readonly segments: SentSegment[]; readonly forget: number[] }
  | { readonly kind: "copy"; readonly path: string }
  | { readonly kind: "open"; readonly path: string; readonly check?: PageCheck }
  | { readonly kind: "close" };

export type WriterReply =
  | { readonly kind: "done"; readonly size: EnvironmentSize }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

export interface WriterOptions {
  readonly path: string;
  /** How much of the file is checked before it is opened. */
  readonly check: PageCheck;
}

const APPEND = { append: true };

/** With less than this free, a disk counts as full. */
const FULL_BYTES = 1024 * 1024;

/** Shared segments by number. */
const memory = new Map<number, Buffer>();
let environment: Environment | undefined;
let path = "";
const databases: BinaryDatabase[] = [];

function openAt(file: string): void {
  path = file;
  environment = openEnvironment(file);
  databases.length = 0;
  verifyEnvironment(environment);
  for (const name of TABLE_NAMES) databases.push(environment.tables.get(name) as BinaryDatabase);
  if (isFreelistEmpty(environment)) beginFreelist(environment);
}

/**
 * A compacted copy has no free pages at all, and LMDB cannot begin its list of them within a
 * transaction that frees many: it looks for one where none is and crashes. A small one comes first.
 */
function beginFreelist(opened: Environment): void {
  if (!hasCommitRecord(opened)) return;
  opened.root.transactionSync(() => writeCommitRecord(opened));
}

function writeSegment(bytes: Buffer, used: number): void {
  let at = 0;
  while (at < used) {
    const marker = bytes.readUInt32LE(at);
    const keyBytes = bytes.readUInt16LE(at + 4);
    const database = databases[bytes[at + 6] as number] as BinaryDatabase;
    const flags = bytes[at + 7] as number;
    const keyAt = at + OPERATION_HEADER_BYTES;
    const valueAt = keyAt + keyBytes;
    const key = bytes.subarray(keyAt, valueAt);
    if (marker === DELETE_MARK) {
      database.removeSync(key);
      at = valueAt + CHECKSUM_BYTES;
      continue;
    }
    const end = valueAt + marker;
    bytes.writeUInt32LE(recordChecksum(key, bytes.subarray(valueAt, end), marker), end);
    at = end + CHECKSUM_BYTES;
    const value = bytes.subarray(valueAt, at);
    if ((flags & FLAG_APPEND) !== 0) {
      // Fills pages to the end instead of splitting them in halves.
      if (database.putSync(key, value, APPEND) as unknown as boolean) continue;
    }
    database.putSync(key, value);
  }
}

function writeBatch(segments: readonly SentSegment[]): void {
  // Abortable and synchronous: returns when the file is synced, throws when it could not be.
  (environment as Environment).root.transactionSync(() => {
    for (const segment of segments) writeSegment(memoryOf(segment), segment.used);
    writeCommitRecord(environment as Environment);
  });
  for (const { id, bytes } of segments) {
    // Memory of a large operation: freed now, not at some later collection.
    if (id === 0) (bytes as Transferable).buffer.transfer(0);
  }
}

interface Transferable {
  readonly buffer: { transfer(bytes: number): void };
}

function memoryOf({ id, bytes }: SentSegment): Buffer {
  if (bytes === undefined) return memory.get(id) as Buffer;
  const known = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (id !== 0) memory.set(id, known);
  return known;
}

/** A compacted copy under a name that only a whole and synced file ever has. */
async function copyTo(target: string): Promise<void> {
  const draft = `${target}.tmp`;
  rmSync(draft, { force: true });
  try {
    await (environment as Environment).root.backup(draft, true);
    chmodSync(draft, FILE_MODE);
    syncPath(draft);
    renameSync(draft, target);
    syncPath(dirname(target));
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

function syncPath(name: string): void {
  const file = openSync(name, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

async function handle(request: WriterRequest): Promise<void> {
  switch (request.kind) {
    case "batch":
      for (const id of request.forget) memory.delete(id);
      writeBatch(request.segments);
      return;
    case "copy":
      await copyTo(request.path);
      return;
    case "open":
      await environment?.root.close();
      if (request.check !== undefined) checkFile(request.path, request.check);
      openAt(request.path);
      return;
    case "close":
      await environment?.root.close();
      return;
  }
}

/** LMDB calls a write that the disk took only in part an I/O error. */
function isDiskFull(): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize < FULL_BYTES;
  } catch {
    return false;
  }
}

/** System errors keep their names (ENOSPC); LMDB's own are negative numbers. */
function errorCode(error: unknown): string {
  const isDamage =
    error instanceof CorruptRecord ||
    error instanceof DamagedTable ||
    error instanceof DamagedHeader ||
    error instanceof DamagedPages;
  if (isDamage) return "DAMAGED";
  const code = (error as { code?: unknown }).code;
  if (typeof code === "string") return code;
  if (typeof code !== "number") return "UNKNOWN";
  const name = code > 0 ? getSystemErrorName(-code) : `LMDB ${code}`;
  return name === "EIO" && isDiskFull() ? "ENOSPC" : name;
}

const port = parentPort as MessagePort;
let isBroken = false;
let work: Promise<void> = Promise.resolve();

function reply(message: WriterReply): void {
  port.postMessage(message);
}

async function serve(request: WriterRequest): Promise<void> {
  // After a failed write nothing is tried again: the main thread gives the backend up.
  if (isBroken && request.kind !== "close") return;
  try {
    await handle(request);
    if (request.kind === "close") {
      port.close();
      return;
    }
    const size = environmentSize(environment as Environment);
    (environment as Environment).root.resetReadTxn();
    reply({ kind: "done", size });
  } catch (error) {
    // A copy that did not come about leaves the store as it was.
    if (request.kind !== "copy") isBroken = true;
    const code = errorCode(error);
    const reason = error instanceof Error ? error.message : String(error);
    const message = code === "ENOSPC" ? `no space left on device (${dirname(path)})` : reason;
    reply({ kind: "failed", code, message });
    if (request.kind === "close") port.close();
  }
}

port.on("message", (request: WriterRequest) => {
  work = work.then(() => serve(request));
});
const { path: firstPath, check } = workerData as WriterOptions;
work = work.then(() => serve({ kind: "open", path: firstPath, check }));
