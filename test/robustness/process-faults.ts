/** What happens to processes, their network and their disks, one after the other, from a seed. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Prng } from "../../src/base/index.ts";
import type { Cluster, ClusterMember } from "../harness/cluster.ts";
import type { NamespaceNetwork } from "../harness/network.ts";
import { atExit, temporaryDirectory } from "../harness/process.ts";

export interface ProcessFault {
  readonly name: string;
  /** Why it cannot be done here, or false. */
  readonly missing: (site: FaultSite) => string | false;
  readonly strike: (site: FaultSite) => Promise<void>;
}

export interface FaultSite {
  readonly cluster: Cluster;
  /** Undefined on loopback. */
  readonly network: NamespaceNetwork | undefined;
  /** The disk of m1; undefined when none can be made. */
  readonly smallDisk: SmallDisk | undefined;
  readonly prng: Prng;
  readonly lengthMaxMs: number;
  /** Clients ask this member no more, or again. */
  readonly hide: (member: ClusterMember) => void;
  readonly reveal: (member: ClusterMember) => void;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function length({ prng, lengthMaxMs }: FaultSite): Promise<void> {
  return pause(200 + prng.below(lengthMaxMs));
}

async function victim({ cluster, prng }: FaultSite): Promise<ClusterMember> {
  if (prng.chance(0.5)) return prng.pick(cluster.members);
  return cluster.leader().catch(() => prng.pick(cluster.members));
}

const NEVER = (): false => false;

function network({ network: there }: FaultSite): string | false {
  return there === undefined ? "no network namespaces" : false;
}

export const PROCESS_FAULTS: readonly ProcessFault[] = [
  {
    name: "kill",
    missing: NEVER,
    strike: async (site) => {
      const member = await victim(site);
      await member.kill();
      await length(site);
      await member.start();
    },
  },
  {
    name: "killAll",
    missing: NEVER,
    strike: async ({ cluster }) => {
      await Promise.all(cluster.members.map((member) => member.kill()));
      await Promise.all(cluster.members.map((member) => member.start()));
    },
  },
  {
    name: "freeze",
    missing: NEVER,
    strike: async (site) => {
      const member = await victim(site);
      member.pause();
      await length(site);
      member.resume();
    },
  },
  {
    name: "rollingRestart",
    missing: NEVER,
    strike: async ({ cluster }) => {
      for (const member of cluster.members) {
        await member.stop();
        await member.start();
      }
    },
  },
  {
    name: "partition",
    missing: network,
    strike: async (site) => {
      const { peerHost } = (await victim(site)).place;
      site.network?.cut(peerHost);
      await length(site);
      site.network?.heal(peerHost);
    },
  },
  {
    /** A cable with a loose contact: whatever is under way is lost, again and again. */
    name: "flap",
    missing: network,
    strike: async (site) => {
      const { peerHost } = (await victim(site)).place;
      for (let times = 3 + site.prng.below(8); times > 0; times -= 1) {
        site.network?.cut(peerHost);
        await pause(site.prng.below(150));
        site.network?.heal(peerHost);
        await pause(site.prng.below(300));
      }
    },
  },
  {
    /** So little passes that a queue builds up: delays of half a second, and losses beyond. */
    name: "narrow",
    missing: network,
    strike: async (site) => {
      const { prefix } = (await victim(site)).place;
      const rate = `${64 + site.prng.below(200)}kbit`;
      shape(prefix, [
        "add",
        "dev",
        "peers",
        "root",
        "tbf",
        "rate",
        rate,
        "burst",
        "4kb",
        "latency",
        "500ms",
      ]);
      await length(site);
      shape(prefix, ["del", "dev", "peers", "root"]);
    },
  },
  {
    name: "diskFull",
    missing: ({ smallDisk }) => (smallDisk === undefined ? "no tmpfs can be mounted" : false),
    strike: async (site) => {
      const { cluster, smallDisk } = site;
      const member = cluster.members.find(({ name }) => name === "m1");
      if (member === undefined || smallDisk === undefined) return;
      smallDisk.fill();
      await length(site);
      smallDisk.free();
      // It may have ended for want of room, or go on.
      if (!member.isRunning) await member.start();
    },
  },
  {
    name: "replace",
    missing: ({ cluster }) => (cluster.members.length < 3 ? "too few members" : false),
    strike: async (site) => {
      const { cluster, prng } = site;
      const candidates = cluster.members.filter(({ name }) => name !== "m1");
      const lost = prng.pick(candidates);
      const id = await lost.id();
      site.hide(lost);
      await lost.kill();
      lost.wipe();
      await cluster.remove(lost, id);
      const member = await cluster.register(true);
      site.hide(member);
      await member.startLearner();
      await cluster.promote(member);
      site.reveal(member);
    },
  },
];

function shape(prefix: readonly string[], args: readonly string[]): void {
  const [program = "tc", ...rest] = [...prefix, "tc", "qdisc", ...args];
  const result = spawnSync(program, rest, { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`tc ${args.join(" ")}: ${result.stderr}`);
}

const SMALL_DISK_MEGABYTES = 400;

/** A file system in memory with little room. Needs root. */
export class SmallDisk {
  readonly path: string;
  #isMounted = true;

  private constructor(path: string) {
    this.path = path;
  }

  /** Undefined when that cannot be done here. */
  static make(): SmallDisk | undefined {
    const path = join(temporaryDirectory("small-disk"), "disk");
    mkdirSync(path);
    const options = `size=${SMALL_DISK_MEGABYTES}m`;
    const result = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path]);
    if (result.status !== 0) return undefined;
    const disk = new SmallDisk(path);
    atExit(() => disk.remove());
    return disk;
  }

  /** Leaves no room at all. */
  fill(): void {
    const { bavail, bsize } = statfsSync(this.path);
    try {
      writeFileSync(join(this.path, "filler"), Buffer.alloc(Number(bavail) * Number(bsize)));
    } catch (error) {
      // Somebody else was quicker: full is full.
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }

  free(): void {
    const filler = join(this.path, "filler");
    if (existsSync(filler)) rmSync(filler);
  }

  remove(): void {
    if (!this.#isMounted) return;
    this.#isMounted = false;
    spawnSync("umount", ["--lazy", this.path]);
  }
}
