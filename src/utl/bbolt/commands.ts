/**
 * `utl bbolt`: looks into a snapshot, a backup's image or etcd's `member/snap/db`, which are bbolt
 * files (UT-08). Nothing is changed.
 */
import { statSync } from "node:fs";
import { hostDisk } from "../../host/index.ts";
import { BboltFile, BboltPages, SnapshotCorrupt } from "../../snapshot/index.ts";
import { UtlError, type UtlIo } from "../io.ts";
import { formatterOf, pageText, typeText } from "./print-page.ts";
import { statsText } from "./print-stats.ts";

type OpenFile = Awaited<ReturnType<typeof hostDisk.open>>;

async function withFile<T>(path: string, work: (file: OpenFile) => Promise<T>): Promise<T> {
  if (statSync(path).isDirectory()) {
    throw new UtlError(
      `${path} is a directory; bbolt files are snapshots, images of backups and etcd's ` +
        "member/snap/db; of Holdfast's own store, holdfast utl hashkv reads every record",
    );
  }
  const file = await hostDisk.open(path, "read");
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

/** Throws UtlError when something is wrong, after it was printed. */
export async function checkBbolt(path: string, io: UtlIo): Promise<void> {
  const { faults } = await withFile(path, async (file) => (await BboltPages.open(file)).survey());
  if (faults.length === 0) return io.stdout("OK\n");
  io.stdout(`${faults.join("\n")}\n${faults.length} errors found\n`);
  throw new UtlError(`${path} is damaged: take another snapshot, or restore an older backup`);
}

export async function infoBbolt(path: string, io: UtlIo): Promise<void> {
  await withFile(path, async (file) => {
    io.stdout(`Page Size: ${(await BboltPages.open(file)).pageBytes}\n`);
  });
}

export async function bucketsBbolt(path: string, io: UtlIo): Promise<void> {
  await withFile(path, async (file) => {
    for (const name of (await BboltFile.open(file)).bucketNames) io.stdout(`${name}\n`);
  });
}

export async function statsBbolt(path: string, prefix: string, io: UtlIo): Promise<void> {
  await withFile(path, async (file) => {
    const pages = await BboltPages.open(file);
    const { buckets, faults } = await pages.survey();
    const chosen = buckets.filter(({ name }) => name.startsWith(prefix));
    io.stdout(statsText(chosen, pages.pageBytes));
    if (faults.length > 0) {
      throw new UtlError(`${path} is damaged, and the sums leave out what cannot be read`);
    }
  });
}

export async function keysBbolt(
  path: string,
  bucket: string,
  format: string,
  io: UtlIo,
): Promise<void> {
  const formatter = formatterOf(format);
  await withFile(path, async (file) => {
    for await (const rows of (await bucketOf(file, bucket)).rows(bucket)) {
      io.stdout(rows.map(({ key }) => `${formatter(key).toString()}\n`).join(""));
    }
  });
}

export interface GetBboltOptions {
  readonly bucket: string;
  readonly key: Buffer;
  readonly format: string;
}

export async function getBbolt(path: string, options: GetBboltOptions, io: UtlIo): Promise<void> {
  const { bucket, key, format } = options;
  const formatter = formatterOf(format);
  await withFile(path, async (file) => {
    for await (const rows of (await bucketOf(file, bucket)).rows(bucket)) {
      const found = rows.find((row) => row.key.equals(key));
      if (found !== undefined) return io.stdout(`${formatter(found.value).toString()}\n`);
    }
    throw new UtlError(`key not found: ${key.toString("utf8")}, hex ${key.toString("hex")}`);
  });
}

async function bucketOf(file: OpenFile, name: string): Promise<BboltFile> {
  const db = await BboltFile.open(file);
  if (db.bucketNames.includes(name)) return db;
  throw new UtlError(`bucket not found: "${name}"; there are ${db.bucketNames.join(", ")}`);
}

export async function pagesBbolt(path: string, io: UtlIo): Promise<void> {
  await withFile(path, async (file) => {
    const pages = await BboltPages.open(file);
    const isFree = await pages.freePages();
    io.stdout("ID       TYPE       ITEMS  OVRFLW\n======== ========== ====== ======\n");
    for (let id = 0; id < pages.pageCount; ) {
      const page = isFree(id) ? undefined : await pages.page(id);
      const type = page === undefined ? "free" : typeText(pages, page);
      const items = page === undefined ? "" : String(page.count);
      const overflow = page === undefined || page.overflow === 0 ? "" : String(page.overflow);
      const cells = [String(id).padEnd(8), type.padEnd(10), items.padEnd(6), overflow.padEnd(6)];
      io.stdout(`${cells.join(" ")}\n`);
      id += 1 + (page?.overflow ?? 0);
    }
  });
}

/** All pages when no ids are given. A page that cannot be shown is told, and the rest is. */
export async function pageBbolt(
  path: string,
  ids: readonly number[],
  format: string,
  io: UtlIo,
): Promise<void> {
  const formatter = formatterOf(format);
  await withFile(path, async (file) => {
    const pages = await BboltPages.open(file);
    const show = async (id: number, isFirst: boolean): Promise<number> => {
      if (!isFirst) io.stdout("===============================================\n");
      try {
        const page = await pages.page(id);
        io.stdout(pageText(pages, page, formatter));
        return page.overflow;
      } catch (error) {
        if (!(error instanceof SnapshotCorrupt)) throw error;
        io.stdout(`page ${id} cannot be shown: found ${error.found}, wanted ${error.wanted}\n`);
        return 0;
      }
    };
    for (const [at, id] of ids.entries()) await show(id, at === 0);
    if (ids.length > 0) return;
    for (let id = 0; id < pages.pageCount; ) id += 1 + (await show(id, id === 0));
  });
}
