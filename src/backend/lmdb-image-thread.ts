/**
 * The thread behind one image of the store: reads the rows by itself, in a transaction of its own,
 * and makes the pages of the bbolt file (lmdb-image.ts is its other end).
 *
 * Rows are not made into objects: LMDB's cursor leaves key and value in its own memory, from where
 * they are checked and copied into the page being filled.
 */
import { existsSync } from "node:fs";
import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import { type BboltPlan, BboltPlanner, BboltWriter } from "../snapshot/index.ts";
import { CorruptRecord, DamagedTable } from "./errors.ts";
import { BUCKETS, IMAGE_PIECE_BYTES } from "./image.ts";
import { type BinaryDatabase, keyEncoder, openEnvironment, recordChecksum } from "./lmdb-env.ts";
import { readApplied, readRecord } from "./lmdb-rows.ts";
import { CHECKSUM_BYTES } from "./overlay.ts";
import type { AppliedPoint, Table } from "./types.ts";

export interface ImageThreadOptions {
  readonly path: string;
}

export type ImageRequest =
  /** One more piece of the file's reading number `reading`, which the first of them begins. */
  | { readonly kind: "next"; readonly reading: number; readonly offset: number }
  | { readonly kind: "end"; readonly reading: number }
  | { readonly kind: "close" };

export interface ThreadFault {
  readonly name: string;
  readonly message: string;
  readonly table?: Table;
  readonly key?: Uint8Array;
  readonly found?: number;
  readonly wanted?: number;
}

export type ImageReply =
  /** The view stands: what is written from now on is not in the image. */
  | { readonly kind: "viewed"; readonly applied: AppliedPoint }
  | { readonly kind: "planned"; readonly sizeBytes: number }
  /** Undefined bytes = the file has ended. */
  | { readonly kind: "piece"; readonly reading: number; readonly bytes: Uint8Array | undefined }
  | { readonly kind: "failed"; readonly reading: number | undefined; readonly fault: ThreadFault };

const port = parentPort as MessagePort;
const { path } = workerData as ImageThreadOptions;
const LOWEST_KEY = Buffer.of(0);
/** Where a row lies until the cursor moves on. */
interface RawRow {
  readonly key: Buffer;
  readonly value: { readonly bytes: Uint8Array; readonly size: number };
}

function openView() {
  // LMDB would make what is missing.
  if (!existsSync(path)) throw new Error(`${path} is gone`);
  const environment = openEnvironment(path);
  environment.root.resetReadTxn();
  const transaction = environment.root.useReadTransaction();
  const databases = new Map<Table, BinaryDatabase>();
  const encoder = { encode: (bytes: Buffer) => bytes, decode: viewOf };
  for (const table of BUCKETS) {
    const options = { name: table, cache: false, keyEncoder, encoder };
    databases.set(table, environment.root.openDB(options as never) as BinaryDatabase);
  }
  const applied = readApplied((table, key) =>
    readRecord(environment.tables.get(table) as BinaryDatabase, table, key, { transaction }),
  );
  return { environment, transaction, databases, applied };
}

function viewOf(bytes: Uint8Array, size = bytes.length): RawRow["value"] {
  return { bytes, size };
}

const view = openView();

function rowsOf(table: Table): Iterator<RawRow> {
  const database = view.databases.get(table) as BinaryDatabase;
  const range = { start: LOWEST_KEY, transaction: view.transaction };
  return (database.getRange(range as object) as unknown as Iterable<RawRow>)[Symbol.iterator]();
}

/** Throws DamagedTable when a row is too short to have a checksum. */
function valueBytesOf(table: Table, row: RawRow): number {
  const count = row.value.size - CHECKSUM_BYTES;
  if (count < 0) throw new DamagedTable(table, `key ${row.key.toString("hex")} has no checksum`);
  return count;
}

function planFile(): BboltPlan {
  const planner = new BboltPlanner();
  for (const table of BUCKETS) {
    planner.beginBucket(table);
    const rows = rowsOf(table);
    for (let step = rows.next(); step.done !== true; step = rows.next()) {
      planner.row(step.value.key.length, valueBytesOf(table, step.value));
    }
  }
  return planner.finish();
}

/** Rows between two looks at the pieces. */
const ROWS_PER_LOOK = 64;

function* fileOf(plan: BboltPlan): Generator<Buffer, void, void> {
  const writer = new BboltWriter(plan, IMAGE_PIECE_BYTES);
  for (const table of BUCKETS) {
    writer.beginBucket(table);
    const rows = rowsOf(table);
    let count = 0;
    try {
      for (let step = rows.next(); step.done !== true; step = rows.next()) {
        const { key, value } = step.value;
        const valueBytes = valueBytesOf(table, step.value);
        check(table, key, value.bytes, valueBytes);
        writer.row(key, value.bytes, valueBytes);
        count += 1;
        if (count % ROWS_PER_LOOK === 0) yield* writer.takeFull();
      }
    } finally {
      rows.return?.();
    }
  }
  yield* writer.finish();
}

function check(table: Table, key: Buffer, stored: Uint8Array, valueBytes: number): void {
  const at = valueBytes;
  const wanted =
    ((stored[at] as number) |
      ((stored[at + 1] as number) << 8) |
      ((stored[at + 2] as number) << 16) |
      ((stored[at + 3] as number) << 24)) >>>
    0;
  const found = recordChecksum(key, stored, valueBytes);
  if (found !== wanted) throw new CorruptRecord(table, Buffer.from(key), found, wanted);
}

const plan = (() => {
  port.postMessage({ kind: "viewed", applied: view.applied } satisfies ImageReply);
  try {
    const planned = planFile();
    port.postMessage({ kind: "planned", sizeBytes: planned.sizeBytes } satisfies ImageReply);
    return planned;
  } catch (error) {
    port.postMessage({ kind: "failed", reading: undefined, fault: faultOf(error) });
    return undefined;
  }
})();

const readings = new Map<number, Iterator<Buffer>>();

function handle(request: ImageRequest): void {
  if (request.kind === "close") {
    for (const reading of readings.values()) reading.return?.();
    view.transaction.done();
    void view.environment.root.close().then(() => port.close());
    return;
  }
  const { reading } = request;
  if (request.kind === "end") {
    readings.get(reading)?.return?.();
    readings.delete(reading);
    return;
  }
  try {
    sendPiece(reading, request.offset);
  } catch (error) {
    // What is asked ahead must not begin anew.
    readings.set(reading, [].values());
    port.postMessage({ kind: "failed", reading, fault: faultOf(error) } satisfies ImageReply);
  }
}

function sendPiece(reading: number, offset: number): void {
  if (plan === undefined) throw new Error("the image could not be planned");
  let pieces = readings.get(reading);
  if (pieces === undefined) {
    pieces = from(offset, fileOf(plan));
    readings.set(reading, pieces);
  }
  const step = pieces.next();
  if (step.done === true) {
    port.postMessage({ kind: "piece", reading, bytes: undefined } satisfies ImageReply);
    return;
  }
  const bytes = step.value;
  const message: ImageReply = { kind: "piece", reading, bytes };
  port.postMessage(message, [bytes.buffer as ArrayBuffer]);
}

function* from(offset: number, pieces: Iterable<Buffer>): Generator<Buffer, void, void> {
  let left = offset;
  for (const piece of pieces) {
    // A piece that was given out has moved to the other thread: its length is gone.
    const skipped = Math.min(left, piece.length);
    left -= skipped;
    if (skipped < piece.length) yield skipped === 0 ? piece : piece.subarray(skipped);
  }
}

function faultOf(error: unknown): ThreadFault {
  if (error instanceof CorruptRecord) {
    const { name, message, table, key, found, wanted } = error;
    return { name, message, table, key, found, wanted };
  }
  if (error instanceof DamagedTable) {
    return { name: error.name, message: error.message, table: error.table };
  }
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return { name, message };
}

port.on("message", handle);
