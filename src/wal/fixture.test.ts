/**
 * What the tests of this room share: logs in memory, entries, and real etcd's log to compare with.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Disk } from "../seam/index.ts";
import { SimulatedDisk } from "../testing/index.ts";
import type { Entry, HardState } from "../wire/index.ts";
import { createWal, resumeWal } from "./open.ts";
import { type LogPoint, readWal, type WalReader } from "./reader.ts";
import type { Wal, WalOptions } from "./wal.ts";

export const METADATA = { nodeId: 0x2e12_59d4_15f2_a040n, clusterId: 0x8d17_9a81_1e5b_f00dn };
export const START: LogPoint = { index: 0, term: 0 };
export const DIRECTORY = "/member/wal";
export const ETCD = "/usr/bin/etcd";
export const hasEtcd = existsSync(ETCD);

/** Does not move: durations are not what these tests look at. */
export const clock = { wallMs: () => 0, monotonicMs: () => 0 };

export function entry(index: number, data: string | Buffer = `entry ${index}`, term = 1): Entry {
  return { type: 0, term, index, data: typeof data === "string" ? Buffer.from(data) : data };
}

export function entries(lo: number, hi: number, term = 1): Entry[] {
  return Array.from({ length: hi - lo }, (_, at) => entry(lo + at, undefined, term));
}

export function state(commit: number, term = 1): HardState {
  return { term, vote: METADATA.nodeId, commit };
}

export async function newLog(
  options: Partial<WalOptions> = {},
  disk = new SimulatedDisk(),
): Promise<{ disk: SimulatedDisk; wal: Wal }> {
  await disk.makeDirectory("/member");
  await disk.syncDirectory("/");
  const wal = await createWal(disk, DIRECTORY, METADATA, { clock, ...options });
  return { disk, wal };
}

/** Reads all that stands after `from`. */
export async function readAll(
  disk: Disk,
  from: LogPoint = START,
  directory = DIRECTORY,
): Promise<{ reader: WalReader; entries: Entry[] }> {
  const reader = await readWal(disk, directory, from);
  const all: Entry[] = [];
  for await (const batch of reader.batches()) all.push(...batch);
  return { reader, entries: all };
}

export async function reopen(
  disk: Disk,
  options: Partial<WalOptions> = {},
): Promise<{ wal: Wal; entries: Entry[]; reader: WalReader }> {
  const { reader, entries: found } = await readAll(disk);
  return { wal: await resumeWal(reader, { clock, ...options }), entries: found, reader };
}

/** The bytes of the only or last segment, without the zeros after the tail. */
export async function written(disk: SimulatedDisk): Promise<{ path: string; bytes: Buffer }> {
  const names = (await disk.list(DIRECTORY)).filter((name) => name.endsWith(".wal"));
  const path = `${DIRECTORY}/${names.at(-1)}`;
  const bytes = await disk.readFile(path);
  const { reader } = await readAll(disk);
  return { path, bytes: bytes.subarray(0, reader.tail?.offset) };
}

export interface TemporaryDirectory extends Disposable {
  readonly path: string;
}

export function temporaryDirectory(): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), "holdfast-wal-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export interface EtcdProcess extends AsyncDisposable {
  readonly url: string;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Real etcd on a data directory; settles when it serves. */
export async function startEtcd(directory: string): Promise<EtcdProcess> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const peerUrl = `http://127.0.0.1:${await freePort()}`;
  const child = spawn(
    ETCD,
    [
      `--data-dir=${directory}`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=default=${peerUrl}`,
      "--logger=zap",
      "--log-outputs=stderr",
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let log = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr.on("data", (chunk: Buffer) => {
      log += chunk.toString("latin1");
      if (log.includes("serving client traffic insecurely")) resolve();
    });
    child.on("exit", () => reject(new Error(`etcd ended: ${log.slice(-2000)}`)));
    child.on("error", reject);
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.on("exit", resolve));
    child.kill("SIGTERM");
    await ended;
  };
  return { url, stop, [Symbol.asyncDispose]: stop };
}

/** One call of etcd's JSON gateway. */
export async function callEtcd(url: string, path: string, body: object): Promise<unknown> {
  const answer = await fetch(`${url}/v3/${path}`, { method: "POST", body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

export function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
