/**
 * Leases under elections, restarts and lost proposals, against what clients were told.
 *
 * A toy cluster: a log that commits in order and late, a leader that does what member/ does, and
 * failovers that lose the proposals not yet committed. Each failover opens the state anew from the
 * backend, as another member or a restarted one would have it, with a clock of its own.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { Prng } from "../base/index.ts";
import type { LeaseCheckpoint } from "../wire/index.ts";
import { checkpointIntervalMs, REVOKE_RETRY_MS } from "./deadlines.ts";
import { openLessor } from "./lessor.ts";
import type { Lessor } from "./types.ts";

const RUNS = Number(process.env["PROP_RUNS"] ?? 60);
/** None: nothing may hide behind the extra time that a new leader gives. */
const EXTEND_MS = 0;
const SCAN_MS = 500;
const COMMIT_MS_MAX = 3_000;
const DOWNTIME_MS_MAX = 3_000;

type Entry =
  | { readonly kind: "grant"; readonly id: bigint; readonly ttlSeconds: number }
  | { readonly kind: "revoke"; readonly id: bigint }
  | { readonly kind: "checkpoint"; readonly checkpoints: readonly LeaseCheckpoint[] };

interface Proposal {
  readonly entry: Entry;
  readonly commitMs: number;
  readonly onApplied: () => void;
}

/** What a client knows, and what it may rely on. */
interface Told {
  readonly ttlSeconds: number;
  /** The lease must not end before this. */
  deadlineMs: number;
  /** The longest time between two of its renewals, as long as it renews. */
  renewalGapMs: number;
  failovers: number;
}

class Cluster {
  readonly prng: Prng;
  nowMs = 0;
  readonly told = new Map<bigint, Told>();
  /** How long after its deadline each lease was revoked. */
  readonly lateMs: { id: bigint; lateMs: number; told: Told }[] = [];
  #backend = new MemoryBackend();
  #lessor: Lessor;
  #clockOffsetMs = 0;
  #log: Proposal[] = [];
  #lastCommitMs = 0;
  #nextScanMs = 0;

  constructor(seed: number) {
    this.prng = new Prng(seed);
    this.#lessor = openLessor(this.#backend);
    this.#lessor.promote(this.#clockMs, EXTEND_MS);
  }

  get #clockMs(): number {
    return this.nowMs + this.#clockOffsetMs;
  }

  grant(id: bigint, ttlSeconds: number): void {
    this.#propose({ kind: "grant", id, ttlSeconds }, () => {
      this.told.set(id, {
        ttlSeconds,
        deadlineMs: this.nowMs + ttlSeconds * 1_000,
        renewalGapMs: 0,
        failovers: 0,
      });
    });
  }

  keepAlive(id: bigint): void {
    const renewedMs = this.nowMs;
    const ttlSeconds = this.#lessor.renew(id, this.#clockMs);
    if (ttlSeconds === 0) return;
    const answer = () => {
      const told = this.told.get(id);
      if (told === undefined) return;
      const deadlineMs = renewedMs + ttlSeconds * 1_000;
      told.renewalGapMs = Math.max(told.renewalGapMs, deadlineMs - told.deadlineMs);
      told.deadlineMs = Math.max(told.deadlineMs, deadlineMs);
    };
    if (!this.#lessor.needsCheckpointClear(id)) return answer();
    const checkpoints = [{ id, remainingTtlSeconds: 0 }];
    this.#propose({ kind: "checkpoint", checkpoints }, answer);
  }

  /** The leader is lost: a part of what it proposed commits before the next one takes over. */
  async failover(): Promise<void> {
    const survivors = this.prng.below(this.#log.length + 1);
    const kept = this.#log.slice(0, survivors);
    this.#log = [];
    if (this.prng.chance(0.3)) this.nowMs += this.prng.below(DOWNTIME_MS_MAX);
    for (const proposal of kept) this.#apply(proposal);
    await this.#backend.commit();
    this.#backend = this.#backend.crash();
    this.#lessor = openLessor(this.#backend);
    this.#clockOffsetMs = this.prng.below(1_000_000) - this.nowMs;
    this.#lessor.promote(this.#clockMs, EXTEND_MS);
    this.#lastCommitMs = this.nowMs;
    for (const told of this.told.values()) told.failovers += 1;
  }

  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.nowMs < untilMs) {
      const nextCommitMs = this.#log[0]?.commitMs ?? Number.POSITIVE_INFINITY;
      this.nowMs = Math.max(this.nowMs, Math.min(untilMs, nextCommitMs, this.#nextScanMs));
      while (this.#log[0] !== undefined && this.#log[0].commitMs <= this.nowMs) {
        this.#apply(this.#log.shift() as Proposal);
      }
      if (this.nowMs >= this.#nextScanMs) this.#scan();
    }
  }

  #scan(): void {
    this.#nextScanMs = this.nowMs + SCAN_MS;
    for (const id of this.#lessor.expired(this.#clockMs, 500)) {
      this.#checkNotEarly(id);
      if (!this.prng.chance(0.1)) this.#propose({ kind: "revoke", id }, () => {});
    }
    const checkpoints = this.#lessor.dueCheckpoints(this.#clockMs, 1_000);
    if (checkpoints.length === 0) return;
    if (this.prng.chance(0.1)) this.#lessor.checkpointsDropped(checkpoints);
    else this.#propose({ kind: "checkpoint", checkpoints }, () => {});
  }

  /** The client of a grant that was never answered knows of no deadline. */
  #checkNotEarly(id: bigint): void {
    const early = (this.told.get(id)?.deadlineMs ?? 0) - this.nowMs;
    assert.ok(early <= 0, `lease ${id} ends ${early} ms early`);
  }

  #propose(entry: Entry, onApplied: () => void): void {
    const commitMs = Math.max(this.#lastCommitMs, this.nowMs + this.prng.below(COMMIT_MS_MAX));
    this.#lastCommitMs = commitMs;
    this.#log.push({ entry, commitMs, onApplied });
  }

  #apply({ entry, onApplied }: Proposal): void {
    switch (entry.kind) {
      case "grant":
        if (this.#lessor.grant(entry.id, entry.ttlSeconds) !== undefined) return;
        break;
      case "checkpoint":
        this.#lessor.checkpoint(entry.checkpoints);
        break;
      case "revoke": {
        const told = this.told.get(entry.id);
        this.#checkNotEarly(entry.id);
        if (this.#lessor.revoke(entry.id) === undefined) return;
        this.told.delete(entry.id);
        if (told !== undefined) {
          this.lateMs.push({ id: entry.id, lateMs: this.nowMs - told.deadlineMs, told });
        }
      }
    }
    onApplied();
  }
}

/**
 * A failover may lengthen a lease by what was not replicated of its age, and by the wait itself.
 */
function lateMsMax(told: Told): number {
  const unreplicatedMs = Math.max(
    checkpointIntervalMs(told.ttlSeconds),
    // A lease that was renewed regularly is checkpointed only once a renewal is overdue.
    Math.min(told.renewalGapMs * 1.25, told.ttlSeconds * 500),
  );
  // A checkpoint may have been dropped, or lost with the leader: then the next one has to do.
  const perFailoverMs =
    3 * unreplicatedMs + SCAN_MS * 2 + COMMIT_MS_MAX * 2 + DOWNTIME_MS_MAX + EXTEND_MS + 1_000;
  const retriesMs = 5 * (REVOKE_RETRY_MS + SCAN_MS);
  return retriesMs + COMMIT_MS_MAX * 2 + (told.failovers + 1) * perFailoverMs;
}

test("lease: never early, never forgotten, whatever happens to leaders and proposals (LE-08, LE-09, LE-07)", async () => {
  let revoked = 0;
  for (let run = 0; run < RUNS; run += 1) {
    const seed = 7_000 + run;
    const cluster = new Cluster(seed);
    const { prng } = cluster;
    const alive = new Set<bigint>();
    for (let step = 0; step < 400; step += 1) {
      const choice = prng.below(100);
      const id = BigInt(1 + prng.below(30));
      if (choice < 15) {
        cluster.grant(id, 2 + prng.below(prng.chance(0.3) ? 300 : 20));
        if (prng.chance(0.5)) alive.add(id);
      } else if (choice < 20) alive.delete(id);
      else if (choice < 22) await cluster.failover();
      else if (choice < 40) cluster.keepAlive(id);
      for (const each of alive) if (prng.chance(0.3)) cluster.keepAlive(each);
      cluster.advance(prng.below(1_500));
    }
    for (let step = 0; step < 3; step += 1) {
      cluster.advance(prng.below(30_000));
      if (prng.chance(0.5)) await cluster.failover();
    }
    cluster.advance(700_000);
    assert.deepEqual([...cluster.told.keys()], [], `seed ${seed}: leases were forgotten`);
    for (const { id, lateMs, told } of cluster.lateMs) {
      assert.ok(lateMs <= lateMsMax(told), `seed ${seed}: lease ${id} ends ${lateMs} ms late`);
    }
    revoked += cluster.lateMs.length;
  }
  assert.ok(revoked > RUNS * 20, "the runs are too tame to mean something");
});
