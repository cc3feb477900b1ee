/** `snapshot save` (CT-20). */
import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { MemberClient, SnapshotChunk } from "../../client/index.ts";
import { humanBytes } from "../../base/index.ts";
import type { Command } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlError, Exit } from "../exit.ts";
import { Progress } from "../progress.ts";

const DIGEST_BYTES = 32;
/** Stores are made of whole sectors; the digest stands behind them. */
const SECTOR_BYTES = 512;
const FILE_MODE = 0o600;

export const snapshotSave: Command = {
  usage: "<file>",
  description:
    "Stores one member's whole store in a file that `etcdutl snapshot restore` takes. It is written\n" +
    "beside its place, checked against its SHA-256, synced and then renamed: a file of that name is\n" +
    "whole. There is no time limit unless --command-timeout is given.",
  examples: [
    { line: "etcdctl snapshot save /backup/etcd.db", says: "from the member on this host" },
    {
      line: "etcdctl --endpoints=10.10.1.11:2379 snapshot save etcd.db",
      says: "from another one; there must be one endpoint",
    },
  ],
  flags: [],
  run: async (context, args) => {
    const [path] = args;
    if (path === undefined || args.length > 1) {
      throw new CtlError("snapshot save expects one argument <filename>", Exit.BAD_ARGS);
    }
    const client = await context.client();
    const [endpoint, ...others] = client.endpoints;
    if (endpoint === undefined || others.length > 0) {
      const all = context.flags.list("endpoints").join(" ");
      throw failed(`snapshot must be requested to one selected node, not multiple [${all}]`);
    }
    const version = await save(context, client.at(endpoint), path);
    context.out(`Snapshot saved at ${path}\n`);
    if (context.minor >= 6 && version !== "") context.out(`Server version ${version}\n`);
  },
};

async function save(context: Context, member: MemberClient, path: string): Promise<string> {
  const part = `${path}.part`;
  const file = await openPart(part);
  try {
    const version = await fetchInto(context, member, file);
    await file.sync();
    await file.close();
    await rename(part, path);
    await syncDirectory(dirname(path));
    return version;
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(part, { force: true });
    throw error instanceof CtlError ? error : failed((error as Error).message);
  }
}

async function openPart(part: string): Promise<FileHandle> {
  try {
    return await open(part, "w", FILE_MODE);
  } catch (error) {
    throw failed(`could not open ${part} (${goText(error as NodeJS.ErrnoException)})`);
  }
}

/** As Go says it: `open /nope/s.db.part: no such file or directory`. */
function goText(error: NodeJS.ErrnoException): string {
  const [, what = error.message] = /^[A-Z]+: ([^,]*),/.exec(error.message) ?? [];
  return `${error.syscall} ${error.path}: ${what}`;
}

/** Rejects unless the digest at the end fits what came before. Gives the server's version. */
async function fetchInto(
  context: Context,
  member: MemberClient,
  file: FileHandle,
): Promise<string> {
  const { io, flags } = context;
  const options = flags.isGiven("command-timeout") ? { timeoutMs: context.timeoutMs } : {};
  const now = (): number => performance.now();
  const bar = new Progress(io, { what: "fetching snapshot", total: 0, unit: "bytes", now });
  const check = new TrailingDigest();
  let version = "";
  try {
    for await (const chunk of await member.snapshot(options)) {
      await file.appendFile(chunk.blob);
      check.take(chunk.blob);
      version = chunk.version || version;
      bar.show(check.bytes, totalOf(check.bytes, chunk));
    }
  } finally {
    bar.end();
  }
  check.verify();
  return version;
}

function totalOf(done: number, { remainingBytes }: SnapshotChunk): number {
  return done + remainingBytes;
}

/** The SHA-256 of everything but the last 32 bytes, which should be it. */
export class TrailingDigest {
  readonly #hash: Hash = createHash("sha256");
  #tail: Buffer = Buffer.alloc(0);
  bytes = 0;

  /** Copies what it keeps. */
  take(blob: Buffer): void {
    this.bytes += blob.length;
    const all = Buffer.concat([this.#tail, blob]);
    const cut = Math.max(0, all.length - DIGEST_BYTES);
    this.#hash.update(all.subarray(0, cut));
    this.#tail = all.subarray(cut);
  }

  /** Throws CtlError when the file is no whole snapshot. */
  verify(): void {
    if (this.bytes % SECTOR_BYTES !== DIGEST_BYTES) {
      throw failed(`sha256 checksum not found [bytes: ${this.bytes}]`);
    }
    const found = this.#hash.digest();
    if (found.equals(this.#tail)) return;
    throw failed(
      `the snapshot of ${humanBytes(this.bytes)} was damaged on its way: its SHA-256 is ` +
        `${found.toString("hex")}, ${this.#tail.toString("hex")} was announced; take it again`,
    );
  }
}

/** So that the new name survives a loss of power. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** etcdctl ends with this code when a snapshot could not be saved. */
function failed(message: string): CtlError {
  return new CtlError(message, Exit.INTERRUPTED);
}
