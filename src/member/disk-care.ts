/**
 * What becomes of a member whose disk is nearly full, or slower than the others': care/ and the
 * consensus notice, the alarms and the leadership are what is done about it.
 */
import { DiskSpace, type Journal } from "../care/index.ts";
import { NONE } from "../raft/index.ts";
import type { Disk, Timers } from "../seam/index.ts";
import type { AlarmRaiser } from "./alarm-raiser.ts";
import type { Driver } from "./driver.ts";

/** A leader whose own write takes this many election timeouts, while others go on, hands over. */
const SLOW_ELECTION_TIMEOUTS = 2;
/** Not again before this: the others' disks may be the same one. */
const HAND_OVER_REST_MS = 60_000;
/** An alarm whose raising was given up may still come: it is looked for so long, under a leader. */
const LATE_ALARM_MS = 10_000;

export interface DiskCareOptions {
  readonly disk: Disk;
  readonly paths: readonly string[];
  readonly timers: Timers;
  readonly driver: () => Driver;
  readonly alarms: () => AlarmRaiser;
  /** Whether the quota leaves room; else the alarm is not this one's to clear. */
  readonly hasQuota: () => boolean;
  readonly stepAside: () => Promise<void>;
  readonly electionTimeoutMs: number;
  readonly journal: Journal;
}

export class DiskCare {
  readonly #options: DiskCareOptions;
  readonly #space: DiskSpace;
  #isLow: boolean;
  /** The alarm is to go. */
  #isClearing = false;
  /** Since when it is gone. */
  #goneSinceMs: number | undefined;
  #handedOverAtMs = Number.NEGATIVE_INFINITY;
  /** What was durable here when it was looked at last, and since when it is that. */
  #durable = { index: 0, sinceMs: 0 };

  constructor(options: DiskCareOptions) {
    this.#options = options;
    const { disk, paths, timers, journal } = options;
    const last = journal.rows.findLast(({ kind }) => kind === "space" || kind === "room");
    this.#isLow = last?.kind === "space";
    this.#space = new DiskSpace({
      disk,
      paths,
      timers,
      // On a full disk the journal may not have taken it.
      wasLow: true,
      onLow: (path, freeBytes, reserveBytes) => this.#low(path, freeBytes, reserveBytes),
      onBack: () => this.#back(),
    });
  }

  /** Several times a second. */
  tick(nowMs: number): void {
    if (this.#isClearing) this.#clear(nowMs);
    this.#watchLeader(nowMs);
  }

  #clear(nowMs: number): void {
    const { alarms, driver } = this.#options;
    // While nobody leads, what is on its way stays there.
    if (!alarms().roomBack() || driver().leader === NONE) {
      this.#goneSinceMs = undefined;
      return;
    }
    this.#goneSinceMs ??= nowMs;
    this.#isClearing = nowMs - this.#goneSinceMs < LATE_ALARM_MS;
  }

  #watchLeader(nowMs: number): void {
    const { driver, electionTimeoutMs, journal, stepAside } = this.#options;
    const { isLeader, committed, ownMatch } = driver();
    if (!isLeader || ownMatch !== this.#durable.index || ownMatch >= committed) {
      this.#durable = { index: ownMatch, sinceMs: nowMs };
      return;
    }
    // A majority without this member has more than this one has written.
    const heldMs = nowMs - this.#durable.sinceMs;
    if (heldMs < SLOW_ELECTION_TIMEOUTS * electionTimeoutMs) return;
    if (nowMs - this.#handedOverAtMs < HAND_OVER_REST_MS) return;
    this.#handedOverAtMs = nowMs;
    journal.note({
      kind: "slow disk",
      found: `a write of this leader's log takes ${heldMs} ms and goes on`,
      why: `the others have written up to index ${committed}, this member up to ${ownMatch}`,
      done: "the leadership is handed over",
    });
    void stepAside();
  }

  close(): void {
    this.#space.close();
  }

  #low(path: string, freeBytes: number, reserveBytes: number): void {
    const { alarms, journal } = this.#options;
    this.#isClearing = false;
    if (!this.#isLow) {
      this.#isLow = true;
      journal.note({
        kind: "space",
        found: `${freeBytes} bytes are free on the disk of ${path}`,
        why: `${reserveBytes} are kept for deletes, compactions and leases`,
        done: "the NOSPACE alarm is raised: what costs space is refused",
      });
    }
    alarms().noRoom();
  }

  #back(): void {
    const { hasQuota, journal, alarms } = this.#options;
    if (!this.#isLow && !alarms().hasNoSpace) return;
    const isOurs = hasQuota();
    this.#isClearing = isOurs;
    this.#goneSinceMs = undefined;
    this.#isLow = false;
    journal.note({
      kind: "room",
      found: "there is room on the disk again",
      why: "it is half as much again as what is kept",
      done: isOurs
        ? "the NOSPACE alarm is cleared"
        : "the NOSPACE alarm stays: the quota is used up",
    });
  }
}
