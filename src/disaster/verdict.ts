/**
 * What the survivors say together: which of them is the most advanced, and what may be missing from
 * it. Pure.
 *
 * Why the newest (last term, last index) is the one to take: the leader of that term had every
 * entry that was committed before it, and this log is a beginning of that leader's. What another
 * survivor has beyond it was never committed (Raft, section 5.4.1, for votes).
 *
 * An acknowledged write is on a majority of the voters. So when fewer are lost than a majority, one
 * of the survivors has it, and the most advanced of them has all of them.
 */
import type { MemberRecord } from "../apply/index.ts";
import { formatId } from "../datadir/index.ts";
import type { LogFacts, StoreFacts, Survivor } from "./survivor.ts";

export interface IntactSurvivor extends Survivor {
  readonly log: LogFacts;
  readonly store: StoreFacts;
}

export interface Verdict {
  /** The most advanced of those that are intact; undefined when none is. */
  readonly chosen: IntactSurvivor | undefined;
  /** Why nothing can be recovered from these directories together; each says what to do. */
  readonly refusals: readonly string[];
  /** What is to be known before it is done. */
  readonly warnings: readonly string[];
  readonly missing: Missing | undefined;
}

export interface Missing {
  readonly voters: number;
  /** Voters whose intact data is among the directories. */
  readonly present: number;
  /** Names, or ids, of the voters that are lost. */
  readonly lost: readonly string[];
  /** The lost are a majority: what only they had acknowledged is gone; or `known` says so. */
  readonly mayBeMissing: boolean;
  /** Committed entries of which a survivor knows, and which the chosen one has not. */
  readonly known: number;
  /** Entries of the chosen one that are kept, though it does not know them as committed. */
  readonly unconfirmed: number;
}

/** A survivor's state that differs from the others' at the same revision. */
export interface HashDisagreement {
  readonly revision: number;
  readonly hashes: ReadonlyMap<Survivor, number>;
}

/** Why there is none to choose, and what to do. */
function noneText(survivors: readonly Survivor[]): string {
  if (survivors.some(({ isLocked }) => isLocked)) {
    return "what is in use cannot be looked into, see FAULT; stop that member, and look again";
  }
  return (
    "none of the directories can be used, see FAULT; when they cannot be mended, restore a backup " +
    "(holdfast utl snapshot restore)"
  );
}

export function judge(
  survivors: readonly Survivor[],
  disagreement: HashDisagreement | undefined,
): Verdict {
  const intact = survivors.filter(isIntact);
  const refusals = [...refuseStrangers(survivors), ...refuseDisagreement(disagreement)];
  const chosen = intact.toSorted(byProgress)[0];
  if (chosen === undefined) {
    return {
      chosen,
      refusals: [...refusals, noneText(survivors)],
      warnings: [],
      missing: undefined,
    };
  }
  const missing = missingFrom(chosen, intact);
  const majority = majorityOf(missing.voters);
  if (missing.present >= majority) refusals.push(noNeed(missing));
  return { chosen, refusals, warnings: warningsOf(chosen, survivors), missing };
}

export function isIntact(survivor: Survivor): survivor is IntactSurvivor {
  return survivor.faults.length === 0 && survivor.log !== undefined && survivor.store !== undefined;
}

function noNeed({ present, voters }: Missing): string {
  if (voters === 1) return "it is a cluster of one member already: start it as it is";
  return (
    `these are ${present} of ${voters} voting members, a majority: no recovery is needed; start them ` +
    "as they are (on other hosts: with the same addresses). To make a cluster of one of them all " +
    "the same, give its directory alone"
  );
}

/** The most advanced first. */
function byProgress(a: IntactSurvivor, b: IntactSurvivor): number {
  return compareProgress(b.log, a.log) || b.log.commit - a.log.commit;
}

function compareProgress(a: LogFacts, b: LogFacts): number {
  return a.lastTerm - b.lastTerm || a.lastIndex - b.lastIndex;
}

function majorityOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

function missingFrom(chosen: IntactSurvivor, intact: readonly IntactSurvivor[]): Missing {
  const voters = chosen.members.filter(({ isLearner }) => !isLearner);
  const ids = new Set(intact.map(({ log }) => log.memberId));
  const lost = voters.filter(({ id }) => !ids.has(id));
  const committed = Math.max(...intact.map(({ care }) => care.committed));
  const known = Math.max(0, committed - chosen.log.lastIndex);
  return {
    voters: voters.length,
    present: voters.length - lost.length,
    lost: lost.map(nameOf).sort(),
    mayBeMissing: lost.length >= majorityOf(voters.length) || known > 0,
    known,
    unconfirmed: chosen.log.lastIndex - chosen.log.commit,
  };
}

/** Its id until it has told its name. */
export function nameOf({ id, name }: MemberRecord): string {
  return name === "" ? formatId(id) : name;
}

function refuseStrangers(survivors: readonly Survivor[]): string[] {
  const clusters = new Map<bigint, string>();
  const members = new Map<bigint, string>();
  const refusals: string[] = [];
  for (const { log, directory } of survivors) {
    if (log === undefined) continue;
    clusters.set(log.clusterId, directory);
    const twin = members.get(log.memberId);
    if (twin !== undefined) {
      refusals.push(`${twin} and ${directory} are of the same member: give the newer one alone`);
    }
    members.set(log.memberId, directory);
  }
  if (clusters.size > 1) {
    const shown = [...clusters].map(([id, directory]) => `${directory} of ${id.toString(16)}`);
    refusals.push(`the directories are of different clusters: ${shown.join(", ")}`);
  }
  return refusals;
}

function refuseDisagreement(disagreement: HashDisagreement | undefined): string[] {
  if (disagreement === undefined) return [];
  const shown = [...disagreement.hashes].map(([{ directory }, hash]) => `${directory} ${hash}`);
  return [
    `at revision ${disagreement.revision} the data is not the same everywhere (hash of ` +
      `${shown.join(", of ")}): one of them has gone wrong. Give the directory that you trust alone`,
  ];
}

function warningsOf(chosen: IntactSurvivor, survivors: readonly Survivor[]): string[] {
  const warnings: string[] = [];
  for (const { directory, log, faults } of survivors) {
    if (faults.length === 0 || log === undefined) continue;
    if (compareProgress(log, chosen.log) <= 0) continue;
    const entries = log.lastIndex - chosen.log.lastIndex;
    warnings.push(
      `${directory} is further (last term ${log.lastTerm}, index ${log.lastIndex}), but damaged: ` +
        (entries > 0 ? `${entries} entries of its log are left behind` : "it is left behind"),
    );
  }
  if (chosen.store.isCorruptAlarmed) {
    warnings.push(
      "its cluster had raised the alarm CORRUPT, for this member or another: compare its hash with a " +
        "backup's. The recovery drops all alarms",
    );
  }
  if (chosen.care.quarantine !== undefined) {
    warnings.push(
      `${chosen.directory} had been kept out of its cluster: ${chosen.care.quarantine}`,
    );
  }
  if (chosen.care.isRejoining) {
    warnings.push(
      `${chosen.directory} was being rebuilt from the other members, and may have only a part; what it ` +
        `had before is in ${chosen.directory}/member.quarantine-*`,
    );
  }
  const own = chosen.members.find(({ id }) => id === chosen.log.memberId);
  if (own === undefined) {
    warnings.push(`member ${chosen.log.memberId.toString(16)} had been removed from its cluster`);
  } else if (own.isLearner) {
    warnings.push(`${own.name} was a learner: it may be far behind the voting members`);
  }
  return warnings;
}
