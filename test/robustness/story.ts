/**
 * What the suites of single faults share: a cluster under load, and the verdict after each fault.
 */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { Prng } from "../../src/base/index.ts";
import { Cluster, type ClusterOptions } from "../harness/cluster.ts";
import { numberFromEnv, poll, UNDER_TEST } from "../harness/process.ts";
import type { Call } from "../model/history.ts";
import { profileNamed } from "../model/profiles.ts";
import { JudgedCluster } from "./judged-cluster.ts";

export const RUNS = numberFromEnv("ROBUSTNESS_RUNS", 1);
export const SEED = numberFromEnv("SEED", 1);
/** Writes before a fault, so that it meets a cluster at work, and after it, so that it got over. */
const WRITES_AROUND = 100;
/** Writes that do not come through in this time have failed. */
const WRITES_MS_MAX = 60_000;
/** What a client may meet while members come and go; anything else is a fault. */
const TRANSIENT =
  /^(1|4|8|14) |proposal dropped|context (canceled|deadline)|for learner|primary lessor/;

/** Clients that ask again until they are answered; a compaction would stand in HashKV's way. */
const PROFILE = {
  ...profileNamed("mixed"),
  clients: 12,
  restMaxMs: 10,
  keys: 40,
  leaseClients: 1,
  controllers: 0,
  watchers: 0,
  hasAlarms: false,
  compactEveryMs: 0,
  timeoutMs: 1_000,
  isPatient: true,
};

export class Story extends JudgedCluster {
  readonly random = new Prng(SEED);
  #resetMs = 0;
  #isStarted = false;

  constructor(cluster: Cluster) {
    super(cluster, PROFILE, new Prng(SEED));
  }

  get #writes(): Call[] {
    return this.traffic.side.recorder.calls.filter(
      ({ request, outcome }) =>
        outcome.kind === "ok" &&
        request.kind === "kv" &&
        request.success.some(({ kind }) => kind !== "range"),
    );
  }

  get load(): { acknowledged: (more: number) => Promise<void> } {
    return { acknowledged: (more) => this.#acknowledged(more) };
  }

  /** Resolves when so many more writes were acknowledged. */
  async #acknowledged(more: number): Promise<void> {
    const wanted = this.#writes.length + more;
    const isDone = async (): Promise<boolean> => this.#writes.length >= wanted;
    await poll(`${more} more writes acknowledged`, isDone, WRITES_MS_MAX);
  }

  /** Before a fault: everyone is at work. */
  async warm(): Promise<void> {
    this.traffic.start();
    this.#isStarted = true;
    await this.#acknowledged(WRITES_AROUND);
    this.#resetMs = performance.now();
  }

  /** After a fault, all members running: writes come through again, and nothing was lost. */
  async settle(what: string): Promise<void> {
    await this.#acknowledged(WRITES_AROUND);
    await this.rest();
    assert.deepEqual(this.strangeRefusals(), [], `${what}: requests that failed`);
    assert.deepEqual(await this.verdict({ haveLeasesEnded: false }), [], what);
  }

  async rest(): Promise<void> {
    if (this.#isStarted) await this.traffic.stop();
    this.#isStarted = false;
  }

  strangeRefusals(): string[] {
    const { calls } = this.traffic.side.recorder;
    return calls.flatMap(({ outcome, request }) =>
      outcome.kind === "unknown" && outcome.error !== NOT_ANSWERED && !TRANSIENT.test(outcome.error)
        ? [`${request.kind}: ${outcome.error}`]
        : [],
    );
  }

  /** The longest time between two acknowledged writes since the last warming up. */
  get gapMs(): number {
    let lastMs = this.#resetMs;
    let gapMs = 0;
    for (const { returnedMs } of this.#writes) {
      if (returnedMs < this.#resetMs) continue;
      gapMs = Math.max(gapMs, returnedMs - lastMs);
      lastMs = Math.max(lastMs, returnedMs);
    }
    return gapMs;
  }
}

/** As the recorder says it of a call that is under way. */
const NOT_ANSWERED = "no answer yet";

/** A member's own pace is not to be waited for by the clock: these happen in turn. */
export async function tellStory(
  t: TestContext,
  options: Partial<ClusterOptions>,
  fault: (story: Story, run: number) => Promise<void>,
  runs = RUNS,
): Promise<void> {
  const story = new Story(await Cluster.start(UNDER_TEST, { members: 3, ...options }));
  try {
    for (let run = 0; run < runs; run += 1) {
      await story.warm();
      await fault(story, run);
      await story.settle(`run ${run}, seed ${SEED}`);
      t.diagnostic(`run ${run}: longest time without an acknowledged write ${story.gapMs | 0} ms`);
    }
    const { answered, refusals } = story.traffic.side;
    t.diagnostic(`${answered} requests answered, ${refusals} not, or refused`);
  } catch (error) {
    for (const member of story.cluster.members) {
      t.diagnostic(`${member.name}:\n${member.server.tail(15)}`);
    }
    throw error;
  } finally {
    await story.dispose();
  }
}
