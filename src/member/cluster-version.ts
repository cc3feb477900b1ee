/**
 * The version that the whole cluster may speak: the lowest minor version of its members, decided by
 * the leader and kept in the log (PV-01, PV-02), and the way down to the one before (MA-09).
 *
 * The decision is a pure function; `ClusterVersionMonitor` asks the members for their versions and
 * proposes what was decided.
 */
import type { ApplyResponse, DowngradeInfo } from "../apply/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import type { Entropy, Logger, PeerNetwork, PeerVersions, Timer, Timers } from "../seam/index.ts";
import type { RaftOperation } from "../wire/index.ts";
import type { ClusterMember, Waiter } from "./types.ts";

/** What a cluster decides when it does not know all its members' versions. */
const VERSION_MIN = "3.0.0";
/** Between two looks at the members' versions. */
const MONITOR_PERIOD_MS = 4_000;
const ANSWER_TIMEOUT_MS = 3_000;
/** A first decision without all members is put off for this long. */
const FIRST_DECISION_DELAY_MS = 1_000;
const VERSION = /^(\d{1,5})\.(\d{1,5})(?:\.\d{1,5})?(?:[-+].*)?$/;

interface Minor {
  readonly major: number;
  readonly minor: number;
}

function parseMinor(version: string): Minor | undefined {
  const match = VERSION.exec(version);
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) };
}

/** Negative when `a` is lower. */
function compare(a: Minor, b: Minor): number {
  return a.major - b.major || a.minor - b.minor;
}

function textOf({ major, minor }: Minor): string {
  return `${major}.${minor}.0`;
}

export interface VersionFacts {
  /** As the log has it; undefined = not decided yet. */
  readonly clusterVersion: string | undefined;
  readonly downgrade: DowngradeInfo;
  /** Server version of each member, this one too; undefined = could not be asked. */
  readonly versions: readonly (string | undefined)[];
}

/**
 * The cluster version to propose; undefined = leave it. It only rises (PV-01), and not while a
 * member's version is unknown (PV-02), except down by one minor version to a downgrade's target.
 */
export function decideClusterVersion(facts: VersionFacts): string | undefined {
  const lowest = lowestOf(facts.versions);
  if (facts.clusterVersion === undefined)
    return lowest === undefined ? VERSION_MIN : textOf(lowest);
  const current = parseMinor(facts.clusterVersion);
  if (current === undefined) return undefined;
  const { enabled, targetVersion } = facts.downgrade;
  if (enabled) {
    const target = parseMinor(targetVersion);
    const isNext = target !== undefined && targetVersion === minorBefore(facts.clusterVersion);
    return isNext ? targetVersion : undefined;
  }
  if (lowest === undefined || compare(lowest, current) <= 0) return undefined;
  return textOf(lowest);
}

function lowestOf(versions: readonly (string | undefined)[]): Minor | undefined {
  let lowest: Minor | undefined;
  for (const version of versions) {
    const minor = version === undefined ? undefined : parseMinor(version);
    if (minor === undefined) return undefined;
    if (lowest === undefined || compare(minor, lowest) < 0) lowest = minor;
  }
  return lowest;
}

/** "3.7.0" -> "3.6.0"; undefined where nothing comes before. */
function minorBefore(version: string): string | undefined {
  const parsed = parseMinor(version);
  if (parsed === undefined || parsed.minor === 0) return undefined;
  return textOf({ major: parsed.major, minor: parsed.minor - 1 });
}

/** Whether all members run the target of the downgrade: it is done. */
export function isDowngradeDone({ downgrade, versions }: VersionFacts): boolean {
  if (!downgrade.enabled) return false;
  const target = parseMinor(downgrade.targetVersion);
  return versions.every((version) => {
    const minor = version === undefined ? undefined : parseMinor(version);
    return target !== undefined && minor !== undefined && compare(minor, target) === 0;
  });
}

/** "3.6" and "3.6.11" -> "3.6.0"; an EtcdError when it is no version. */
export function parseDowngradeTarget(version: string): string | EtcdError {
  const strict = /^\d{1,5}\.\d{1,5}(?:\.\d{1,5})?(?:[-+][0-9A-Za-z.+-]*)?$/.test(version);
  const minor = strict ? parseMinor(version) : undefined;
  return minor === undefined ? errors.WrongDowngradeVersionFormat : textOf(minor);
}

/** Whether the cluster may go to `target` (MA-09), as parsed; undefined = it may. */
export function checkDowngrade(
  target: string,
  clusterVersion: string | undefined,
  downgrade: DowngradeInfo,
): EtcdError | undefined {
  if (clusterVersion === undefined) return errors.ClusterVersionUnavailable;
  if (target !== minorBefore(clusterVersion)) return errors.InvalidDowngradeTargetVersion;
  return downgrade.enabled ? errors.DowngradeInProcess : undefined;
}

export interface ClusterVersionMonitorOptions {
  readonly selfId: bigint;
  /** "3.7.1" */
  readonly serverVersion: string;
  readonly members: () => readonly ClusterMember[];
  readonly clusterVersion: () => string | undefined;
  readonly downgrade: () => DowngradeInfo;
  /** Of the cluster; undefined = not decided yet. */
  readonly incarnation: () => string | undefined;
  readonly entropy: Entropy;
  readonly isLeader: () => boolean;
  readonly network: Pick<PeerNetwork, "versions">;
  readonly propose: (operation: RaftOperation, waiter: Waiter<ApplyResponse>) => void;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** Looks at the members every few seconds while this member leads, and whenever it is woken. */
export class ClusterVersionMonitor {
  readonly #options: ClusterVersionMonitorOptions;
  readonly #timer: Timer;
  #retry: Timer | undefined = undefined;
  #isLooking = false;
  #wasWoken = false;
  /** The first decision was put off already. */
  #hasWaited = false;
  #isClosed = false;

  constructor(options: ClusterVersionMonitorOptions) {
    this.#options = options;
    this.#timer = options.timers.every(MONITOR_PERIOD_MS, () => this.wake());
  }

  /** Looks now: this member became leader, or the membership or the downgrade changed. */
  wake(): void {
    if (this.#isClosed || !this.#options.isLeader()) return;
    if (this.#isLooking) {
      this.#wasWoken = true;
      return;
    }
    this.#isLooking = true;
    void this.#look();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer.cancel();
    this.#retry?.cancel();
  }

  async #look(): Promise<void> {
    const versions = await this.#askAll();
    if (this.#isClosed || !this.#options.isLeader()) return this.#looked();
    const { clusterVersion, downgrade } = this.#options;
    const facts = { clusterVersion: clusterVersion(), downgrade: downgrade(), versions };
    if (isDowngradeDone(facts)) {
      this.#options.logger.info("every member runs the target of the downgrade; it is done", {
        "target-version": facts.downgrade.targetVersion,
      });
      return this.#propose({ kind: "downgradeInfoSet", enabled: false, version: "" });
    }
    const version = decideClusterVersion(facts) ?? this.#versionToRepeat(facts.clusterVersion);
    if (version === undefined || this.#putsOff(facts)) return this.#looked();
    this.#options.logger.info("setting the cluster version", {
      from: facts.clusterVersion ?? "not decided",
      to: version,
    });
    this.#propose({ kind: "clusterVersionSet", version, ...this.#newIncarnation() });
  }

  /** A cluster from before there were incarnations is given one, with the version that it has. */
  #versionToRepeat(version: string | undefined): string | undefined {
    return this.#options.incarnation() === undefined ? version : undefined;
  }

  #newIncarnation(): { incarnation?: string } {
    const { incarnation, entropy } = this.#options;
    return incarnation() === undefined ? { incarnation: entropy.bytes(8).toString("hex") } : {};
  }

  /** A new cluster's members come up at about the same time: once, the late ones are waited for. */
  #putsOff(facts: VersionFacts): boolean {
    const isFirst = facts.clusterVersion === undefined && facts.versions.includes(undefined);
    if (!isFirst || this.#hasWaited) return false;
    this.#hasWaited = true;
    this.#retry = this.#options.timers.after(FIRST_DECISION_DELAY_MS, () => this.wake());
    return true;
  }

  #askAll(): Promise<(string | undefined)[]> {
    const { members, selfId, serverVersion, network } = this.#options;
    const answers = members().map(({ id }): Promise<string | undefined> => {
      if (id === selfId) return Promise.resolve(serverVersion);
      return this.#bounded(network.versions(id));
    });
    return Promise.all(answers);
  }

  /** A peer that says nothing must not hold up the next look. */
  #bounded(answer: Promise<PeerVersions>): Promise<string | undefined> {
    return new Promise((resolve) => {
      const timer = this.#options.timers.after(ANSWER_TIMEOUT_MS, () => resolve(undefined));
      const settle = (version: string | undefined) => {
        timer.cancel();
        resolve(version);
      };
      answer.then(
        ({ server }) => settle(server),
        () => settle(undefined),
      );
    });
  }

  /** A refusal needs no answer: the next look decides anew. */
  #propose(operation: RaftOperation): void {
    const settled = () => this.#looked();
    this.#options.propose(operation, { done: settled, refused: settled });
  }

  #looked(): void {
    this.#isLooking = false;
    if (!this.#wasWoken) return;
    this.#wasWoken = false;
    this.wake();
  }
}
