/** Real members under a profile's traffic, with faults, judged as simulated runs are. */
import { Prng } from "../../src/base/index.ts";
import { Cluster } from "../harness/cluster.ts";
import { NamespaceNetwork, namespacesMissing } from "../harness/network.ts";
import type { Kind } from "../harness/process.ts";
import type { Problem } from "../model/history.ts";
import { type Profile, profileNamed } from "../model/profiles.ts";
import { JudgedCluster } from "./judged-cluster.ts";
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

const LENGTH_MAX_MS = 4_000;
const REST_MAX_MS = 2_000;
/** Traffic goes on so long after the last fault. */
const CALM_MS = 1_000;
/** A leader that was elected meanwhile gives leases their whole time again, and some more. */
const LEASE_SLACK_MS = 8_000;
/** Of all clients together while everybody answers: faults, and a busy machine, cost most of it. */
const ASKED_PER_SECOND = 400;
const SNAPSHOT_FLAGS = ["--snapshot-count", "1000"];

/** At least a hundred requests a second, and not all clients hung on a member that is frozen. */
function forProcesses(profile: Profile): Profile {
  const clients = profile.clients * 2;
  const controllers = profile.controllers * 3;
  return {
    ...profile,
    clients,
    controllers,
    leaseClients: profile.leaseClients * 2,
    restMaxMs: (2 * 1_000 * (clients + controllers)) / ASKED_PER_SECOND,
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
  readonly #judged: JudgedCluster;
  readonly #site: FaultSite;
  readonly #faults = new Map<string, number>();
  readonly #missing = new Map<string, string>();

  constructor(options: RunOptions, parts: Pick<FaultSite, "cluster" | "network" | "smallDisk">) {
    this.#options = options;
    const prng = new Prng(options.seed);
    this.#site = {
      ...parts,
      prng: new Prng(prng.uint32()),
      lengthMaxMs: LENGTH_MAX_MS,
      hide: (member) => {
        this.#judged.hide(member);
        this.#judged.unwatch(member);
      },
      reveal: (member) => {
        this.#judged.reveal(member);
        this.#judged.watch(member);
      },
    };
    const profile = forProcesses(profileNamed(options.profile));
    this.#judged = new JudgedCluster(parts.cluster, profile, new Prng(prng.uint32()));
  }

  async whole(): Promise<Report> {
    const startedMs = performance.now();
    this.#judged.traffic.start();
    await this.#strike(startedMs + this.#options.seconds * 1_000);
    await pause(CALM_MS);
    const seconds = (performance.now() - startedMs) / 1_000;
    const { answered } = this.#judged.traffic.side;
    await this.#judged.traffic.stop();
    const hasLeases = this.#judged.traffic.side.profile.leaseClients > 0;
    if (hasLeases) await pause(this.#judged.traffic.leaseMaxMs + LEASE_SLACK_MS);
    // Their last watches are judged as well.
    this.#judged.traffic.end();
    return this.#report(answered / seconds, await this.#judged.verdict({ haveLeasesEnded: true }));
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

  #report(answeredPerSecond: number, problems: readonly Problem[]): Report {
    const { recorder, answered } = this.#judged.traffic.side;
    const events = recorder.watches.flatMap(({ responses }) => responses);
    return {
      problems,
      calls: recorder.calls.length,
      answered,
      answeredPerSecond,
      revisions: this.#judged.traffic.side.known,
      watches: recorder.watches.length,
      events: events.reduce((sum, response) => sum + response.events.length, 0),
      faults: this.#faults,
      missing: this.#missing,
    };
  }

  async dispose(): Promise<void> {
    await this.#judged.dispose();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
