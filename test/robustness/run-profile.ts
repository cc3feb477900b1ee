/** Real members under a profile's traffic, with faults, judged as simulated runs are. */
import { Prng } from "../../src/base/index.ts";
import { METHODS } from "../harness/client.ts";
import { Cluster, type ClusterMember } from "../harness/cluster.ts";
import { NamespaceNetwork, namespacesMissing } from "../harness/network.ts";
import { type Kind, poll } from "../harness/process.ts";
import type { Problem } from "../model/history.ts";
import { type Profile, profileNamed } from "../model/profiles.ts";
import type { StoreContent } from "../model/store-checks.ts";
import { Traffic } from "../model/traffic.ts";
import { judge } from "../model/verdict.ts";
import { Chronicler, chronicleOf } from "./chronicler.ts";
import { pairOf, ProcessEndpoint } from "./process-endpoint.ts";
import { type FaultSite, PROCESS_FAULTS, SmallDisk } from "./process-faults.ts";

export interface RunOptions {
  readonly target: Kind;
  readonly profile: string;
  readonly seconds: number;
  readonly seed: number;
  readonly members: number;
  /** Only these, by name; without, all that can be had here. */
  readonly faults?: readonly string[];
  readonly say: (line: string) => void;
}

export interface Report {
  readonly problems: readonly Problem[];
  readonly calls: number;
  readonly answered: number;
  readonly answeredPerSecond: number;
  readonly revisions: number;
  readonly watches: number;
  readonly events: number;
  readonly faults: ReadonlyMap<string, number>;
  /** Faults that cannot be had here, and why. */
  readonly missing: ReadonlyMap<string, string>;
}

const CATCH_UP_MS_MAX = 60_000;
const LENGTH_MAX_MS = 4_000;
const REST_MAX_MS = 2_000;
/** Traffic goes on so long after the last fault. */
const CALM_MS = 1_000;
/** A leader that was elected meanwhile gives leases their whole time again, and some more. */
const LEASE_SLACK_MS = 8_000;
const SNAPSHOT_FLAGS = ["--snapshot-count", "1000"];

/** At least a hundred requests a second, and not all clients hung on a member that is frozen. */
function forProcesses(profile: Profile): Profile {
  return {
    ...profile,
    clients: profile.clients * 4,
    controllers: profile.controllers * 3,
    leaseClients: profile.leaseClients * 2,
    restMaxMs: 25,
    keys: profile.keys * 2,
    timeoutMs: 500,
    hasAlarms: false,
    compactKeep: Math.max(profile.compactKeep, 400),
  };
}

export async function runProfile(options: RunOptions): Promise<Report> {
  const network = namespacesMissing() === false ? new NamespaceNetwork() : undefined;
  const smallDisk = SmallDisk.make();
  const cluster = await Cluster.start(options.target, {
    members: options.members,
    flags: SNAPSHOT_FLAGS,
    ...(network === undefined ? {} : { network }),
    directoryOf: (name) => (name === "m1" && smallDisk !== undefined ? smallDisk.path : ""),
  });
  const run = new ProfileRun(options, { cluster, network, smallDisk });
  try {
    return await run.whole();
  } finally {
    await run.dispose();
    smallDisk?.remove();
  }
}

class ProfileRun {
  readonly #options: RunOptions;
  readonly #cluster: Cluster;
  readonly #site: FaultSite;
  readonly #traffic: Traffic;
  readonly #hidden = new Set<ClusterMember>();
  readonly #chroniclers = new Map<ClusterMember, Chronicler>();
  readonly #faults = new Map<string, number>();
  readonly #missing = new Map<string, string>();

  constructor(options: RunOptions, parts: Pick<FaultSite, "cluster" | "network" | "smallDisk">) {
    this.#options = options;
    this.#cluster = parts.cluster;
    const prng = new Prng(options.seed);
    this.#site = {
      ...parts,
      prng: new Prng(prng.uint32()),
      lengthMaxMs: LENGTH_MAX_MS,
      hide: (member) => this.#hide(member),
      reveal: (member) => this.#reveal(member),
    };
    const world = {
      endpoints: () =>
        this.#cluster.running
          .filter((member) => !this.#hidden.has(member))
          .map((member) => new ProcessEndpoint(member)),
      sleep: (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms)),
      nowMs: () => performance.now(),
    };
    const profile = forProcesses(profileNamed(options.profile));
    this.#traffic = new Traffic(world, profile, new Prng(prng.uint32()));
    for (const member of this.#cluster.members) this.#chronicle(member);
  }

  #chronicle(member: ClusterMember): void {
    const { recorder } = this.#traffic.side;
    this.#chroniclers.set(member, new Chronicler(new ProcessEndpoint(member), recorder));
  }

  #hide(member: ClusterMember): void {
    this.#hidden.add(member);
    this.#chroniclers.get(member)?.drop();
    this.#chroniclers.delete(member);
  }

  #reveal(member: ClusterMember): void {
    this.#hidden.delete(member);
    this.#chronicle(member);
  }

  async whole(): Promise<Report> {
    const startedMs = performance.now();
    this.#traffic.start();
    await this.#strike(startedMs + this.#options.seconds * 1_000);
    await pause(CALM_MS);
    const seconds = (performance.now() - startedMs) / 1_000;
    const { answered } = this.#traffic.side;
    await this.#traffic.stop();
    const hasLeases = this.#traffic.side.profile.leaseClients > 0;
    if (hasLeases) await pause(this.#traffic.leaseMaxMs + LEASE_SLACK_MS);
    return this.#report(answered / seconds, await this.#verdict());
  }

  async #strike(untilMs: number): Promise<void> {
    const { faults, say } = this.#options;
    const possible = PROCESS_FAULTS.filter((fault) => {
      if (faults !== undefined && !faults.includes(fault.name)) return false;
      const why = fault.missing(this.#site);
      if (why !== false) this.#missing.set(fault.name, why);
      return why === false;
    });
    const { prng } = this.#site;
    while (performance.now() < untilMs) {
      await pause(prng.below(REST_MAX_MS));
      if (possible.length === 0) continue;
      const { name, strike } = prng.pick(possible);
      say(`${((performance.now() / 1_000) | 0).toString()} s: ${name}`);
      await strike(this.#site);
      this.#faults.set(name, (this.#faults.get(name) ?? 0) + 1);
    }
  }

  async #verdict(): Promise<Problem[]> {
    const members = this.#cluster.members;
    const revisions = await Promise.all(members.map((member) => revisionOf(member)));
    const endRevision = Math.max(...revisions);
    const isShown = (): boolean =>
      [...this.#chroniclers.values()].every(({ revision }) => revision >= endRevision);
    // What they are not shown in time is found missing by the judges.
    await poll("everything is shown", async () => isShown(), 10_000).catch(() => undefined);
    for (const chronicler of this.#chroniclers.values()) chronicler.end();
    this.#traffic.end();
    const { chronicle, problems } = chronicleOf(this.#traffic.side.recorder.watches);
    const stores = await Promise.all(members.map((member) => storeOf(member)));
    const ending = {
      leasesLeft: await leasesOf(members),
      leaseToleranceMs: 0,
      compactedRevision: 0,
      stores,
    };
    const judged = judge(this.#traffic.record(chronicle, endRevision), ending);
    return [...problems, ...judged, ...(await hashProblems(members, endRevision))];
  }

  #report(answeredPerSecond: number, problems: readonly Problem[]): Report {
    const { recorder, answered } = this.#traffic.side;
    const events = recorder.watches.flatMap(({ responses }) => responses);
    return {
      problems,
      calls: recorder.calls.length,
      answered,
      answeredPerSecond,
      revisions: this.#traffic.side.known,
      watches: recorder.watches.length,
      events: events.reduce((sum, response) => sum + response.events.length, 0),
      faults: this.#faults,
      missing: this.#missing,
    };
  }

  async dispose(): Promise<void> {
    for (const chronicler of this.#chroniclers.values()) chronicler.drop();
    await this.#cluster.dispose();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Of a linearizable read on this member: it has caught up with the cluster then. */
async function revisionOf(member: ClusterMember): Promise<number> {
  let revision = 0;
  await poll(
    `a linearizable read on ${member.name}`,
    async () => {
      const request = { key: Buffer.from("x") };
      const answer = await member.client.call(METHODS.range, request, { deadlineMs: 2_000 });
      if (answer.ok) revision = Number(answer.value.header?.revision ?? 0n);
      return answer.ok;
    },
    CATCH_UP_MS_MAX,
  );
  return revision;
}

async function storeOf(member: ClusterMember): Promise<StoreContent> {
  const request = { key: Buffer.from("a"), rangeEnd: Buffer.from("z"), serializable: true };
  const { header, kvs } = await member.client.must(METHODS.range, request);
  const states = new Map([[Number(header?.revision ?? 0n), kvs.map(pairOf)]]);
  return { member: member.name, states };
}

async function leasesOf(members: readonly ClusterMember[]): Promise<string[]> {
  const lists = await Promise.all(
    members.map(async (member) => {
      const { leases } = await member.client.must(METHODS.leaseLeases, {});
      return leases.map(({ id }) => `${id} on ${member.name}`);
    }),
  );
  return lists.flat();
}

async function hashProblems(
  members: readonly ClusterMember[],
  revision: number,
): Promise<Problem[]> {
  const views = await Promise.all(
    members.map(async ({ client }) => {
      const answer = await client.must(METHODS.hashKv, { revision: BigInt(revision) });
      return `${answer.hash}, compacted ${answer.compactRevision}`;
    }),
  );
  if (new Set(views).size === 1) return [];
  const text = members.map(({ name }, at) => `${name}: ${views[at]}`).join("; ");
  return [{ check: "members differ", text: `HashKV at ${revision}: ${text}` }];
}
