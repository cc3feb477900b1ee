/**
 * Opens stores of which one byte is flipped, one after the other, as a member does, and says what
 * each came to. A process of its own: that a page ends it is what the test looks for.
 *
 *   node flip-process.ts <store file> <directory to work in>    bit numbers on standard input
 *
 * One line each: `<bit> begun`, then `<bit> same`, `<bit> found <why>` or `<bit> DIFFERENT`. Or
 * `before`: the state of the commit before the last, which the other meta page still leads to: a
 * member goes on from there by its log, or finds that the log begins later.
 */
import { readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { verifyEnvironment, writeCommitRecord } from "../../src/backend/commit-record.ts";
import { type Environment, openEnvironment } from "../../src/backend/lmdb-env.ts";
import { readRecord, rowsOf } from "../../src/backend/lmdb-rows.ts";
import { checkFile } from "../../src/backend/page-check.ts";
import { TABLES, type Row, type Table } from "../../src/backend/index.ts";

const [source, directory] = process.argv.slice(2) as [string, string];
const whole = readFileSync(source);

function rowsIn({ tables }: Environment, table: Table): Row[] {
  const database = tables.get(table);
  if (database === undefined) throw new Error(`no table ${table}`);
  const { next, close } = rowsOf(database, table, Buffer.alloc(0), undefined);
  const rows: Row[] = [];
  for (let row = next(); row !== undefined; row = next()) rows.push(row);
  close();
  return rows;
}

/** Everything in it, read in order and each row by its key; then something is written. */
async function contentOf(path: string): Promise<string> {
  checkFile(path, "whole");
  const environment = openEnvironment(path);
  try {
    verifyEnvironment(environment);
    const content: string[] = [];
    for (const table of TABLES) {
      for (const { key, value } of rowsIn(environment, table)) {
        content.push(`${table} ${key.toString("hex")} ${value.toString("hex")}`);
        const database = environment.tables.get(table);
        const found = database === undefined ? undefined : readRecord(database, table, key);
        if (found?.equals(value) !== true) throw new Error(`${key.toString("hex")} is not found`);
      }
    }
    write(environment);
    return content.join("\n");
  } finally {
    await environment.root.close();
    checkFile(path, "whole");
  }
}

/** More than the pages that are free have room for. */
const ROWS = 8;

/** Rows come and go, so that pages are taken and given back. */
function write(environment: Environment): void {
  const database = environment.tables.get("lease");
  if (database === undefined) throw new Error("no table of leases");
  for (const bytes of [3_000, 20, 9_000]) {
    environment.root.transactionSync(() => {
      for (let number = 0; number < ROWS; number += 1) {
        const key = Buffer.from(`lease ${number}`);
        if (bytes === 20) database.removeSync(key);
        else database.putSync(key, Buffer.alloc(bytes, number));
      }
      writeCommitRecord(environment);
    });
  }
}

interface Contents {
  readonly now: string;
  readonly before: string;
}

async function outcomeOf(number: number, path: string, wanted: Contents): Promise<string> {
  const at = Math.floor(number / 8);
  const was = whole[at] as number;
  whole[at] = was ^ (1 << (number % 8));
  writeFileSync(path, whole);
  whole[at] = was;
  try {
    const content = await contentOf(path);
    if (content === wanted.now) return "same";
    return content === wanted.before ? "before" : "DIFFERENT";
  } catch (error) {
    return `found ${String(error).split("\n")[0]}`;
  }
}

const PAGE_BYTES = 4_096;
const TRANSACTION = 152;

/** The last commit is not there. */
function withoutLast(): Buffer {
  const bytes = Buffer.from(whole);
  const [first, second] = [TRANSACTION, PAGE_BYTES + TRANSACTION];
  const newest = bytes.readBigUInt64LE(first) > bytes.readBigUInt64LE(second) ? first : second;
  bytes.writeBigUInt64LE(0n, newest);
  return bytes;
}

async function contentWith(name: string, bytes: Buffer): Promise<string> {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return contentOf(path);
}

const wanted = {
  now: await contentWith("now.mdb", whole),
  before: await contentWith("before.mdb", withoutLast()),
};
let count = 0;
for await (const line of createInterface({ input: process.stdin })) {
  // lmdb-js keeps what it knows of a path.
  const path = join(directory, `flipped-${(count += 1)}.mdb`);
  writeSync(1, `${line} begun\n`);
  writeSync(1, `${line} ${await outcomeOf(Number(line), path, wanted)}\n`);
  for (const name of [path, `${path}-lock`]) rmSync(name, { force: true });
}
process.exit(0);
