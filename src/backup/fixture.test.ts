/** A member without consensus, whose log the test writes; and its backups on a simulated disk. */
import { MemoryBackend, MemoryMedium } from "../backend/index.ts";
import { DigestingBackend } from "../care/index.ts";
import { Prng } from "../base/index.ts";
import { openImage, Replay } from "../datadir/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import { systemDigests, systemTimers } from "../host/index.ts";
import type { HashOutcome } from "../mvcc/index.ts";
import type { LogFields, Logger, SnapshotImage } from "../seam/index.ts";
import { ManualTime, SimulatedDisk } from "../testing/index.ts";
import {
  emptyPutRequest,
  type Entry,
  marshalRaftRequest,
  type RaftOperation,
  stampEntry,
} from "../wire/index.ts";
import { BackupService } from "./backup-service.ts";
import { type Chain, planRestore, readChain, type RestoreTarget } from "./chain.ts";
import { FileImageReader } from "./image-reader.ts";
import { type Materialized, materialize } from "./materialize.ts";
import type { BackupSettings, BackupSource } from "./types.ts";

export const INCARNATION = "00112233445566aa";
export const DIRECTORY = "/backups/00112233445566aa-8e9e";

export class FakeMember implements BackupSource {
  readonly id = 0x8e9en;
  readonly clusterId = 0xcdf8n;
  incarnation: string | undefined = INCARNATION;
  /** Entries before it are gone. */
  firstIndex = 1;
  term = 2;
  isQuarantined = false;
  /** Its entries tell of a state that it does not have. */
  isLying = false;
  readonly entries: Entry[] = [];
  /** HashKV at each revision, when it was the newest. */
  readonly hashes = new Map<number, HashOutcome>();
  readonly #prng: Prng;
  readonly #replay: Replay;

  static async open(seed = 1): Promise<FakeMember> {
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
    const backend = new DigestingBackend(new MemoryBackend());
    const member = new FakeMember(await Replay.open(backend, turn), seed);
    const { incarnation = "" } = member;
    await member.apply({ kind: "clusterVersionSet", version: "3.7.0", incarnation });
    return member;
  }

  private constructor(replay: Replay, seed: number) {
    this.#replay = replay;
    this.#prng = new Prng(seed);
  }

  get position() {
    return { applied: this.#replay.backend.applied, revision: this.#replay.revision };
  }

  get backend(): DigestingBackend {
    return this.#replay.backend as DigestingBackend;
  }

  readonly appliedLog = {
    term: (index: number) =>
      index < this.firstIndex - 1 ? undefined : this.entries[index - 1]?.term,
    read: (lo: number, hi: number): Promise<readonly Entry[] | "released"> => {
      if (lo < this.firstIndex) return Promise.resolve("released");
      return Promise.resolve(this.entries.slice(lo - 1, Math.min(hi - 1, lo + 9)));
    },
  };

  openImage(): Promise<{ image: SnapshotImage; applied: { index: number; term: number } }> {
    return openImage({ backend: this.backend, timers: systemTimers });
  }

  async hashKv(revision: number): Promise<HashOutcome | EtcdError> {
    const found = await this.#replay.store.hashKv(revision);
    if (found === "compacted") return errors.Compacted;
    return found === "future" ? errors.FutureRev : found;
  }

  async apply(operation: RaftOperation): Promise<void> {
    const header = { memberPrefix: 0, sequence: 0, username: "", authRevision: 0 };
    const data = marshalRaftRequest({ header, operation });
    const index = this.entries.length + 1;
    const { chain } = this.backend;
    const digest = this.isLying ? { ...chain.current, a: chain.current.a ^ 1 } : chain.current;
    const stamped = index % 3 === 0 ? stampEntry(data, digest) : data;
    const entry = { type: 0, term: this.term, index, data: stamped };
    this.entries.push(entry);
    await this.#replay.apply([entry]);
    const { revision } = this.position;
    this.hashes.set(revision, (await this.hashKv(revision)) as HashOutcome);
  }

  /** Puts, deletions, compactions and entries that change nothing. */
  async write(count: number): Promise<void> {
    for (let done = 0; done < count; done += 1) {
      const key = `k${this.#prng.below(30)}`;
      const kind = this.#prng.below(20);
      const { revision } = this.position;
      if (kind < 14) {
        const value = Buffer.from(`v${this.#prng.uint32()}`);
        await this.apply({ kind: "put", put: { ...emptyPutRequest(), key, value } });
      } else if (kind < 17) {
        const deleteRange = { key, rangeEnd: "", prevKv: false };
        await this.apply({ kind: "deleteRange", deleteRange });
      } else if (kind < 19) {
        await this.apply({ kind: "leaseCheckpoint", checkpoints: [] });
      } else {
        const compaction = { revision: Math.max(1, revision - 5), physical: false };
        await this.apply({ kind: "compaction", compaction });
      }
    }
  }
}

export interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

export function recordingLogger(lines: Line[]): Logger {
  const at =
    (level: string) =>
    (message: string, fields: LogFields = {}): void => {
      lines.push({ level, message, fields });
    };
  const logger: Logger = {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    isEnabled: () => true,
    child: () => logger,
  };
  return logger;
}

export const SETTINGS: BackupSettings = {
  location: "/backups",
  periodMs: 900_000,
  retentionMs: 86_400_000,
  logPeriodMs: 10_000,
};

/** A member, its backups, and the time between them. */
export class Fixture {
  readonly member: FakeMember;
  readonly disk: SimulatedDisk;
  readonly time = new ManualTime(Date.parse("2026-11-21T15:00:00Z"));
  readonly lines: Line[] = [];
  readonly settings: BackupSettings;
  /** Started with the first time that passes. */
  #service: BackupService | undefined;

  static async open(settings: Partial<BackupSettings> = {}, seed = 1): Promise<Fixture> {
    return new Fixture(await FakeMember.open(seed), { ...SETTINGS, ...settings });
  }

  constructor(member: FakeMember, settings: BackupSettings, disk = new SimulatedDisk()) {
    this.member = member;
    this.settings = settings;
    this.disk = disk;
  }

  get service(): BackupService {
    return this.#service ?? this.start();
  }

  start(): BackupService {
    this.#service = new BackupService({
      source: this.member,
      settings: this.settings,
      disk: this.disk.session(),
      digests: systemDigests,
      clock: this.time,
      timers: this.time,
      logger: recordingLogger(this.lines),
      openReader: async (path) =>
        new FileImageReader(await this.disk.open(path, "read"), systemDigests.sha256()),
    });
    return this.#service;
  }

  /** As a process ends that is killed: nothing is closed, and no timer of it fires any more. */
  killService(): void {
    this.time.crash();
    this.#service = undefined;
  }

  /** Time passes a second at a time; what it starts is waited for. */
  async pass(ms: number): Promise<void> {
    this.#service ??= this.start();
    for (let left = ms; left > 0; left -= 1_000) {
      this.time.advance(Math.min(1_000, left));
      await this.settle();
    }
  }

  /** What is under way is brought to its end, with the time that its pace asks for. */
  async settle(): Promise<void> {
    let isIdle = false;
    const idle = this.service.idle().then(() => {
      isIdle = true;
    });
    for (let round = 0; round < 100_000; round += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (isIdle) break;
      if (round % 50 === 49) this.time.advance(10);
    }
    await idle;
  }

  chain(): Promise<Chain> {
    return readChain(this.disk, DIRECTORY);
  }

  async restore(target: RestoreTarget): Promise<Materialized & { readonly store: MemoryBackend }> {
    const medium = new MemoryMedium();
    let store = new MemoryBackend({ medium });
    const made = await materialize({
      disk: this.disk,
      timers: systemTimers,
      digests: systemDigests,
      openBackend: () => {
        store = new MemoryBackend({ medium });
        return Promise.resolve(store);
      },
      plan: planRestore(await this.chain(), target),
      target,
      scratch: "/scratch",
    });
    return { ...made, store };
  }
}
