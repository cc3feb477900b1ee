/** Makes the planned faults happen, each at its time, and counts what they brought about. */
import { Prng } from "../../../src/base/index.ts";
import type { Cluster } from "../../cluster/harness.ts";
import { type Done, observe, type Observations } from "../observations.ts";
import type { FaultFigures } from "../outcome.ts";
import { applies } from "./applies.ts";
import { clocks } from "./clocks.ts";
import { disks } from "./disks.ts";
import { Hosts } from "./hosts.ts";
import { type Fault, FAULT_EFFECTS, type FaultKind } from "./kinds.ts";
import { Links, links } from "./links.ts";
import { machines } from "./machines.ts";
import { changeMembers, replaceMember } from "./membership.ts";
import { putBack } from "./old-disks.ts";
import { operations } from "./operations.ts";
import type { Inject } from "./run.ts";

const INJECT: Readonly<Record<FaultKind, Inject>> = {
  ...machines,
  ...links,
  ...disks,
  ...applies,
  ...clocks,
  ...operations,
  putBack,
  changeMembers,
  replaceMember,
};

/** What a fault brings about may come this many election timeouts after its end. */
const AFTERMATH_TIMEOUTS = 3;
/** Between two looks at who is a member now. */
const LOOK_MS = 100;

export class Schedule {
  readonly done: Done = { membershipChanges: 0, compactions: 0, defragmentations: 0 };
  readonly figures: Partial<Record<FaultKind, FaultFigures>> = {};
  /** The highest revision that may be compacted. */
  compacted = 0;
  readonly #cluster: Cluster;
  readonly #faults: readonly Fault[];
  readonly #refusals: () => number;
  readonly #hosts: Hosts;
  readonly #links: Links;
  /** Ends of faults that are still to come. */
  #pending = 0;
  #heldUntilMs = 0;

  /** `refusals`: how often clients were refused so far. */
  constructor(cluster: Cluster, faults: readonly Fault[], refusals: () => number) {
    this.#cluster = cluster;
    this.#refusals = refusals;
    this.#faults = faults;
    this.#hosts = new Hosts(cluster);
    this.#links = new Links(cluster);
  }

  /** Lets all of them happen within the time, and waits for their ends. Moves time. */
  async during(ms: number): Promise<void> {
    const cluster = this.#cluster;
    const startMs = cluster.nowMs;
    for (const fault of this.#faults) {
      cluster.time.after(fault.atMs, () => this.#begin(fault));
    }
    // To the end of the run: a change may be made long after it was asked for.
    cluster.time.every(LOOK_MS, () => this.#hosts.look());
    await cluster.run(ms);
    await cluster.until(() => this.#pending === 0, "the faults to end");
    cluster.note(`faults are over after ${Math.round(cluster.nowMs - startMs)} ms`);
    this.#hosts.mendStopped();
  }

  observe(): Observations {
    return observe(this.#cluster, this.done, this.#refusals());
  }

  #begin(fault: Fault): void {
    const { kind, lengthMs, seed } = fault;
    const cluster = this.#cluster;
    const heldMs = this.#heldUntilMs - cluster.nowMs;
    if (heldMs > 0) {
      this.#pending += 1;
      return void cluster.time.after(heldMs, () => {
        this.#pending -= 1;
        this.#begin(fault);
      });
    }
    cluster.note(`fault ${kind} for ${lengthMs} ms`);
    const before = this.observe();
    const aftermathMs = AFTERMATH_TIMEOUTS * cluster.settings.electionTimeoutMs;
    cluster.time.after(lengthMs + aftermathMs, () => this.#judge(kind, before));
    this.#count(kind, 1, 0);
    const later = (ms: number, run: () => void): void => {
      this.#pending += 1;
      cluster.time.after(ms, () => {
        this.#pending -= 1;
        run();
      });
    };
    INJECT[kind]({
      cluster,
      prng: new Prng(seed),
      lengthMs,
      hosts: this.#hosts,
      links: this.#links,
      done: this.done,
      mayCompact: (revision) => {
        this.compacted = Math.max(this.compacted, revision);
      },
      isCalm: () => this.#pending === 0 && this.#hosts.areAllUp(),
      hold: (ms) => {
        this.#heldUntilMs = Math.max(this.#heldUntilMs, cluster.nowMs + ms);
      },
      later,
    });
  }

  #judge(kind: FaultKind, before: Observations): void {
    const after = this.observe();
    const isEffective = FAULT_EFFECTS[kind].some((name) => after[name] > before[name]);
    if (isEffective) this.#count(kind, 0, 1);
  }

  #count(kind: FaultKind, injected: number, effective: number): void {
    const known = this.figures[kind] ?? { injected: 0, effective: 0 };
    this.figures[kind] = {
      injected: known.injected + injected,
      effective: known.effective + effective,
    };
  }
}
