/** One host of a simulated cluster: its disk, what is left of its store, and its process. */
import { type Backend, MemoryMedium } from "../../src/backend/index.ts";
import { Prng } from "../../src/base/index.ts";
import { systemDigests } from "../../src/host/index.ts";
import { type Beginning, type MemberSettings, openMember } from "../../src/member/index.ts";
import type { Disk, LogFields, Logger } from "../../src/seam/index.ts";
import {
  DiskCrashed,
  type DiskImage,
  type ManualTime,
  SimulatedDisk,
  type SimulatedNetwork,
  SimulatedProcess,
} from "../../src/testing/index.ts";
import { type Invariants, WatchedBackend } from "./invariants.ts";
import { canGoWrong, type Mistake, MISTAKES } from "./mistakes.ts";

export type ClusterMember = Awaited<ReturnType<typeof openMember>>;

/** The process is gone, and with it what it was asked. */
export class ProcessGone extends Error {
  constructor(host: string) {
    super(`the process on ${host} is gone`);
    this.name = "ProcessGone";
  }
}

export interface NodeContext {
  readonly time: ManualTime;
  readonly network: SimulatedNetwork;
  readonly invariants: Invariants;
  readonly settings: MemberSettings;
  /** Longest time that a call of the disk takes; 0 = none passes. */
  readonly diskDelayMaxMs: number;
  /** Some member has, or had, a reason to be found wrong. */
  readonly isAnyWrong: () => boolean;
  readonly log: (host: string, level: string, message: string, fields?: LogFields) => void;
}

/** How a member says that its disk went back in time. */
const ACCUSED = "this member's disk went back in time";

/** What a call of a disk says whose machine crashed meanwhile. */
const CRASHED = new DiskCrashed().message;
/** Findings of care that say that this member's own state or files are not right. */
const OWN_FINDINGS = new Set<unknown>(["suspect", "damage", "quarantined", "hardware"]);
/** Those that say so of some member. */
const FINDINGS = new Set<unknown>(["difference", "split"]);

/** An entry that was applied wrongly on purpose. */
interface Strike {
  readonly index: number;
  /** What it did; undefined until it is done. */
  effects: string | undefined;
}

/** What a machine had at some moment. */
export interface NodeImage {
  readonly disk: DiskImage;
  readonly media: readonly MemoryMedium[];
}

const DATA = "/data/member.etcd";
/** Records that rot at once. */
const ROTTEN_MAX = 20;
const MEDIUM_FILE = "simulated-medium";
/** Where the store is that is served from; others are on their way to take its place. */
const STORE = `${DATA}/member/store`;

export class ClusterNode {
  readonly host: string;
  /** Where it listens from the next start on. */
  peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly disk: SimulatedDisk;
  readonly prng: Prng;
  /** What the present life failed of. */
  readonly fatal: Error[] = [];
  process: SimulatedProcess;
  member: ClusterMember | undefined;
  isRunning = false;
  /** It was told that the cluster goes on without it. */
  wasRemoved = false;
  /** Its disk has faults: that its member fails is no breach. */
  mayFail = false;
  beginning: (() => Promise<Beginning>) | undefined;
  /** Its disk was put back to what it once was. */
  wentBack = false;
  /** An entry was applied wrongly on purpose; it stays so until the member is whole again. */
  wasMisled = false;
  /** That was so once: as a leader it may have put its digest into the log, for all to read. */
  hasMisled = false;
  /** It goes wrong with the next entry that changes keys. */
  isArmed = false;
  /** Of its own volume, which is not rolled back with the rest. */
  witnessDirectory: string | undefined;
  /** How much the wall clock of this host is wrong. */
  wallOffsetMs = 0;
  /** Longest time that a call of its disk takes; may be changed at any time. */
  diskDelayMaxMs: number;
  /** How much faster than true time its clock runs. */
  clockRate = 1;
  /** What became of its lives so far. */
  readonly counts = {
    starts: 0,
    failures: 0,
    startsRefused: 0,
    careNotes: 0,
    quarantines: 0,
    storesReplaced: 0,
    disksFoundOld: 0,
    comebacks: 0,
    heldRuns: 0,
    wrongWallReads: 0,
  };
  readonly #context: NodeContext;
  readonly #media: MemoryMedium[] = [];
  /** What the store is on that the member serves from. */
  #serving: MemoryMedium | undefined;
  readonly #strikes = new Map<MemoryMedium, Strike>();
  readonly #strikeRuns = new Set<() => void>();

  constructor(host: string, context: NodeContext, prng: Prng) {
    this.host = host;
    this.peerUrls = [`http://${host}:2380`];
    this.clientUrls = [`http://${host}:2379`];
    this.prng = prng;
    this.#context = context;
    this.diskDelayMaxMs = context.diskDelayMaxMs;
    this.process = new SimulatedProcess(context.time);
    this.disk = new SimulatedDisk({ delay: () => this.#diskDelay() });
  }

  #diskDelay(): Promise<void> {
    if (this.diskDelayMaxMs === 0) return Promise.resolve();
    return this.process.sleep(this.prng.below(1 + this.diskDelayMaxMs * 10) / 10);
  }

  /** The member's id; it must be running. */
  get id(): bigint {
    return this.running.id;
  }

  get running(): ClusterMember {
    if (this.member === undefined) throw new ProcessGone(this.host);
    return this.member;
  }

  /** Starts a process; settles when the member runs. Rejects as `openMember`. */
  async start(
    options: { forceNewCluster?: boolean; acceptsRollback?: boolean } = {},
  ): Promise<ClusterMember> {
    const { time, network, settings, log } = this.#context;
    this.process = new SimulatedProcess(time);
    this.process.wallOffsetMs = this.wallOffsetMs;
    if (this.clockRate !== 1) this.process.setRate(this.clockRate);
    this.counts.starts += 1;
    this.fatal.length = 0;
    this.isRunning = true;
    const life = this.process;
    await this.disk.makeDirectory("/data");
    await this.disk.syncDirectory("/");
    const disk = this.disk.session();
    const entropy = new Prng(this.prng.uint32());
    const opened = openMember({
      dataDirectory: DATA,
      walDirectory: undefined,
      name: this.host,
      clientUrls: this.clientUrls,
      clusterToken: "simulated",
      forceNewCluster: options.forceNewCluster === true,
      witnessDirectory: this.witnessDirectory,
      acceptsRollback: options.acceptsRollback === true,
      onReplaced: () => void this.#reopen(life),
      serverVersion: "3.7.1",
      progressIntervalMs: 600_000,
      settings,
      disk,
      clock: life,
      timers: life,
      entropy: { bytes: (count: number) => entropy.bytes(count) },
      digests: systemDigests,
      logger: logger((level, message, fields) => {
        log(this.host, level, message, fields);
        this.#logged(message, fields);
      }),
      openBackend: (directory: string) => this.#openBackend(disk, directory, life),
      onFatal: (error: Error) => this.#onFatal(life, error),
      onRemoved: () => {
        this.wasRemoved = true;
        log(this.host, "info", "removed from the cluster");
        life.after(1, () => this.#end());
      },
      beginning: () => {
        if (this.beginning === undefined) throw new Error(`${this.host} has no beginning`);
        return this.beginning();
      },
      openNetwork: (handler) =>
        network.open({ host: this.host, urls: this.peerUrls, process: life, handler }),
    });
    try {
      const member = await this.whileRunning(opened);
      if (life === this.process) this.member = member;
      return member;
    } catch (error) {
      // A process that cannot start ends.
      if (life === this.process && !life.hasEnded) {
        this.counts.startsRefused += 1;
        this.#end();
      }
      throw error;
    }
  }

  /** As the server does it: what is in the directory says as whom it comes back. */
  async #reopen(life: SimulatedProcess): Promise<void> {
    const member = await this.whileRunning(this.running.close()).catch(() => undefined);
    void member;
    if (life !== this.process || life.hasEnded) return;
    this.#end();
    await this.start().catch(() => undefined);
  }

  #logged(message: string, fields: LogFields | undefined): void {
    const { counts } = this;
    if (message.startsWith(ACCUSED)) {
      counts.disksFoundOld += 1;
      if (!this.mayBeAccused) this.#accused(fields?.["reason"]);
    }
    if (message === "this member is back as a voter") counts.comebacks += 1;
    if (!message.startsWith("care: ")) return;
    // The process is gone in the middle of what it said.
    if (fields?.["found"] === CRASHED) return;
    const kind = fields?.["kind"];
    counts.careNotes += 1;
    if (kind === "quarantined") counts.quarantines += 1;
    if (kind === "replaced") counts.storesReplaced += 1;
    const isWrong = OWN_FINDINGS.has(kind) && !this.mayBeAccused;
    const isNobody = FINDINGS.has(kind) && !this.#context.isAnyWrong();
    if (isWrong || isNobody) this.#accused(`${String(kind)}: ${String(fields?.["found"])}`);
  }

  /** Nothing was done to it: it has all that it was given, and did all that it should. */
  #accused(why: unknown): void {
    this.#context.invariants.breaches.push(`${this.host} is accused: ${String(why)}`);
  }

  /** Something was done to it that may be found, and has not been made good yet. */
  get mayBeAccused(): boolean {
    return this.mayFail || this.wentBack || this.wasMisled;
  }

  /* Wrong applies */

  /** With the next entry that changes keys. Answers how to call it off. */
  misapply(mistake: Mistake): () => void {
    const { local } = this.running;
    const { machine } = local;
    const medium = this.#serving as MemoryMedium;
    const apply = machine.apply.bind(machine);
    const over = (): void => {
      machine.apply = apply;
      this.isArmed = false;
    };
    this.isArmed = true;
    machine.apply = (index, term, request, isWaited) => {
      const isOld = index <= machine.appliedIndex;
      if (isOld || !canGoWrong(request)) return apply(index, term, request, isWaited);
      over();
      this.#strikes.set(medium, { index, effects: undefined });
      this.wasMisled = true;
      this.hasMisled = true;
      this.#context.log(this.host, "fault", `entry ${index} goes wrong: ${mistake}`);
      const runs = [...this.#strikeRuns];
      this.#strikeRuns.clear();
      for (const run of runs) run();
      return MISTAKES[mistake](local, apply, index, term, request);
    };
    this.process.onEnd(() => {
      this.isArmed = false;
    });
    return over;
  }

  /** Whether the store that it serves from has effects of an entry that are not the entry's. */
  get isAstray(): boolean {
    return this.#serving !== undefined && this.#strikeOn(this.#serving) !== undefined;
  }

  /** Nobody can have found out yet: what it answers is of a wrong state. */
  get mayLie(): boolean {
    return this.isAstray && this.member?.isQuarantined !== true;
  }

  /** Called when an entry goes wrong. Answers how to take it back. */
  onStrike(run: () => void): () => void {
    this.#strikeRuns.add(run);
    return () => this.#strikeRuns.delete(run);
  }

  /** One that did what it should after all, a transaction with no effect for one, is none. */
  #strikeOn(medium: MemoryMedium): Strike | undefined {
    const strike = this.#strikes.get(medium);
    if (strike === undefined) return undefined;
    const right = this.#context.invariants.applied.get(strike.index);
    if (right === undefined || right.effects !== strike.effects) return strike;
    this.#strikes.delete(medium);
    return undefined;
  }

  /** All that is on its disk, and what its store has: as a snapshot of the whole machine. */
  image(): NodeImage {
    return {
      disk: this.disk.image(),
      media: this.#media.map((medium) => medium.image()),
    };
  }

  /** The machine goes back to what it was; no process runs meanwhile. */
  putBack({ disk, media }: NodeImage): void {
    if (this.isRunning) this.crash();
    this.wentBack = true;
    this.#serving = undefined;
    this.disk.putBack(disk, ["witness"]);
    this.#media.length = 0;
    for (const medium of media) this.#media.push(medium.image());
  }

  #onFatal(life: SimulatedProcess, error: Error): void {
    if (life.hasEnded) return;
    if (!this.mayFail) this.#context.invariants.fatal(this.host, error);
    this.fatal.push(error);
    this.counts.failures += 1;
    this.#context.log(this.host, "fatal", error.message);
    // A process that can not go on ends in a moment.
    life.after(1, () => this.#end());
  }

  /** As the promise; rejects when the process ends before. */
  whileRunning<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => undefined);
    return new Promise((resolve, reject) => {
      const forget = this.process.onEnd(() => reject(new ProcessGone(this.host)));
      const settled = (settle: () => void): void => {
        forget();
        settle();
      };
      promise.then(
        (value) => settled(() => resolve(value)),
        (error: unknown) => settled(() => reject(error)),
      );
    });
  }

  /** The file says which medium is meant, and moves with its directory. */
  async #openBackend(disk: Disk, directory: string, life: SimulatedProcess): Promise<Backend> {
    const path = `${directory}/${MEDIUM_FILE}`;
    const number = (await mediumIn(disk, path)) ?? (await this.#newMedium(disk, directory));
    const medium = this.#media[number];
    if (medium === undefined) throw new Error(`${path} names no medium`);
    if (directory === STORE) this.#serving = medium;
    const strike = this.#strikes.get(medium);
    // The entry is not on the disk: it comes again, and is applied as it should be.
    if (strike !== undefined && medium.applied.index < strike.index) this.#strikes.delete(medium);
    return new WatchedBackend({
      name: this.host,
      invariants: this.#context.invariants,
      medium,
      strike: () => this.#strikeOn(medium),
      later: (run) => life.after(this.prng.below(30), run),
    });
  }

  async #newMedium(disk: Disk, directory: string): Promise<number> {
    // It is there before its file can be: no crash leaves a number that another one gets.
    const number = this.#media.push(new MemoryMedium()) - 1;
    const file = await disk.open(`${directory}/${MEDIUM_FILE}`, "create");
    await file.writeDurable(Buffer.from(String(number)), 0);
    await file.close();
    await disk.syncDirectory(directory);
    return number;
  }

  /** The newest records of its store can no longer be read; how many. */
  rotStore(prng: Prng): number {
    return this.#serving?.damageNewest("key", 1 + prng.below(ROTTEN_MAX)) ?? 0;
  }

  get isRotten(): boolean {
    return (this.#serving?.damaged.size ?? 0) > 0;
  }

  /** What rotted and was not found can be read again. */
  mendStore(): void {
    for (const medium of this.#media) medium.damaged.clear();
  }

  /** The machine loses its power: what was not synced may be lost, nobody is told anything. */
  crash(): void {
    this.#end();
    this.disk.crash(this.prng);
  }

  /** The process is killed; the kernel lives on, keeps what was written and tells the peers. */
  kill(): void {
    const endpoint = this.#context.network.endpointOf(this.host);
    if (endpoint !== undefined) this.#context.network.announceGone(endpoint);
    this.#end();
  }

  #end(): void {
    const { process } = this;
    if (!process.hasEnded) {
      this.counts.heldRuns += process.heldRuns;
      this.counts.wrongWallReads += process.wrongWallReads;
      process.heldRuns = 0;
      process.wrongWallReads = 0;
    }
    process.end();
    this.member = undefined;
    this.isRunning = false;
  }

  /** An orderly stop. */
  async stop(): Promise<void> {
    await this.whileRunning(this.running.close());
    this.#end();
  }
}

/**
 * Undefined where there is none yet. A crash while the file was made may have left its name and not
 * what was written: nothing was ever stored there. Taken for a number it would be the first one,
 * and the store of long ago would be back.
 */
async function mediumIn(disk: Disk, path: string): Promise<number | undefined> {
  if (!(await disk.exists(path))) return undefined;
  const text = (await disk.readFile(path)).toString();
  if (/^\d+$/.test(text)) return Number(text);
  await disk.remove(path);
  return undefined;
}

function logger(write: (level: string, message: string, fields?: LogFields) => void): Logger {
  const self: Logger = {
    debug: () => undefined,
    info: (message, fields) => write("info", message, fields),
    warn: (message, fields) => write("warn", message, fields),
    error: (message, fields) => write("error", message, fields),
    isEnabled: (level) => level !== "debug",
    child: () => self,
  };
  return self;
}
