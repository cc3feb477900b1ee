/** The processes that lmdb-backend.test.ts starts, to be killed, starved or fed damaged files. */
import { createHash } from "node:crypto";
import { openLmdbBackend, TABLES } from "../../src/backend/index.ts";

const [mode, directory] = process.argv.slice(2) as [string, string];

/** Prints a digest of everything, or `error` and why. */
async function read(): Promise<void> {
  const backend = await openLmdbBackend({ directory });
  const digest = createHash("sha256");
  for (const table of TABLES) {
    const rows = backend.scan(table, Buffer.alloc(0), undefined, 1e6);
    if (rows.length !== backend.storedRows(table)) throw new Error(`rows of ${table} are missing`);
    for (const { key, value } of rows) digest.update(key).update(value);
  }
  digest.update(JSON.stringify(backend.applied));
  console.log(digest.digest("hex"));
}

/** Writes until a commit is refused. */
async function full(): Promise<void> {
  process.on("SIGXFSZ", () => {});
  const backend = await openLmdbBackend({ directory });
  const nameOf = (error: unknown): string => (error as Error).name;
  for (let at = 0; backend.failure === undefined; at += 1) {
    for (let row = 0; row < 1000; row += 1) {
      const key = Buffer.from(String(at * 1000 + row).padStart(9, "0"));
      backend.put("key", key, Buffer.alloc(300));
    }
    await backend.commit().catch((error: unknown) => {
      const { code, message } = error as { code: string; message: string };
      console.log(`rejected ${nameOf(error)} ${code} ${message}`);
    });
  }
  await backend.commit().catch((error: unknown) => console.log(`again ${nameOf(error)}`));
  console.log(`read ${backend.get("key", Buffer.from("000000005"))?.length}`);
  await backend.close();
  console.log("closed");
}

/** Batches of 100 rows for ever; prints the number of each one that is durable. */
async function write(): Promise<void> {
  const backend = await openLmdbBackend({ directory });
  for (let batch = backend.applied.index; ; batch += 1) {
    for (let row = 0; row < 100; row += 1) {
      const key = Buffer.from(String(batch * 100 + row).padStart(9, "0"));
      backend.put("key", key, Buffer.alloc(200, batch));
    }
    backend.setApplied({ index: batch + 1, term: 1 });
    await backend.commit();
    console.log(batch + 1);
  }
}

try {
  if (mode === "read") await read();
  else if (mode === "full") await full();
  else await write();
  process.exit(0);
} catch (error) {
  console.log(`error ${String(error)}`);
  process.exit(1);
}
