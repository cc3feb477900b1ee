/** What an operator is shown of the survivors. Pure: text from facts. */
import { formatId } from "../datadir/index.ts";
import type { Survivor } from "./survivor.ts";
import { type IntactSurvivor, isIntact, nameOf, type Verdict } from "./verdict.ts";

export function survivorText(survivor: Survivor): string {
  const { directory, walDirectory, log, store, members, faults } = survivor;
  const rows: [string, string][] = [];
  if (walDirectory !== undefined) rows.push(["log directory", walDirectory]);
  if (log !== undefined) {
    const own = members.find(({ id }) => id === log.memberId);
    const name = own === undefined || own.name === "" ? "(no name yet)" : own.name;
    const role = own === undefined ? ", removed" : own.isLearner ? ", a learner" : "";
    rows.push(
      ["member", `${name}, id ${formatId(log.memberId)}${role}`],
      ["cluster", `${formatId(log.clusterId)}${incarnationOf(survivor)}`],
      ["members", members.map(nameOf).sort().join(", ")],
      ["term", String(log.term)],
      ["last entry", `index ${log.lastIndex}, term ${log.lastTerm}`],
      ["committed", `index ${log.commit}, as far as it knows`],
    );
  }
  if (store !== undefined) {
    rows.push(
      ["applied", `index ${store.applied.index}, in the store`],
      ["revision", `${store.revision} there, ${store.keys} keys, hash ${store.hash}`],
    );
  }
  if (log !== undefined)
    rows.push(["last write", `${timeText(log.lastWriteMs)}, by its log's file`]);
  rows.push(["integrity", integrityOf(survivor)]);
  if (store?.mark !== undefined) rows.push(["recovered", "already, and not started since"]);
  const lines = rows.map(([name, value]) => `  ${name.padEnd(13)} ${value}`);
  return [directory, ...lines, ...faults.map((fault) => `  FAULT         ${fault}`), ""].join("\n");
}

function incarnationOf({ store }: Survivor): string {
  return store?.incarnation === undefined ? "" : `, incarnation ${store.incarnation}`;
}

function integrityOf(survivor: Survivor): string {
  if (survivor.isUnfinished) return "a recovery was begun here and is to be finished";
  if (!isIntact(survivor)) return "not fit";
  const { log } = survivor;
  const end = log.torn === undefined ? "" : `; the log's end was torn by a crash (${log.torn})`;
  return `intact: every record of store and log read and its checksum right${end}`;
}

export function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

export function verdictText({ chosen, refusals, warnings, missing }: Verdict): string {
  const lines: string[] = [];
  if (chosen !== undefined && missing !== undefined) {
    const { log } = chosen;
    lines.push(
      `Most advanced: ${chosen.directory} (last term ${log.lastTerm}, index ${log.lastIndex})`,
      "",
      "What may be missing at most:",
      ...missingLines({ chosen, missing }).map((line) => `  ${line}`),
      "",
    );
  }
  lines.push(...warnings.map((text) => `WARNING: ${text}`));
  lines.push(...refusals.map((text) => `NO: ${text}`));
  if (warnings.length + refusals.length > 0) lines.push("");
  lines.push("");
  return lines.join("\n");
}

function missingLines({
  chosen,
  missing,
}: {
  chosen: NonNullable<Verdict["chosen"]>;
  missing: NonNullable<Verdict["missing"]>;
}): string[] {
  const { log } = chosen;
  const lost = missing.lost.length === 0 ? "none" : missing.lost.join(", ");
  const lines = missing.mayBeMissing
    ? [
        `every acknowledged write after index ${log.lastIndex}: ${missing.lost.length} of ` +
          `${missing.voters} voting members are lost (${lost}),`,
        "a majority, which may have acknowledged among themselves what never came here. How many",
        `these are no file here can tell; the last entry came at ${timeText(log.lastWriteMs)}`,
      ]
    : [
        `nothing: ${missing.present} of ${missing.voters} voting members are here (lost: ${lost}), so ` +
          "every acknowledged",
        "write is on at least one of them, and the most advanced one has them all",
      ];
  if (missing.known > 0) {
    lines.push(
      `At least ${missing.known} entries are missing: index ${log.lastIndex + missing.known} is known ` +
        "to have been",
      "acknowledged by a member and committed",
    );
  }
  if (missing.unconfirmed > 0) {
    lines.push(
      `Kept, though it is not known whether they were acknowledged: the last ${missing.unconfirmed} ` +
        "entries",
    );
  }
  return lines;
}

/** After a recovery. */
export function recoveredText(survivor: IntactSurvivor): string {
  const { directory, log, store } = survivor;
  const mark = store.mark;
  const before = mark?.before;
  const kept = [mark?.keptDirectory, mark?.keptWalDirectory].filter((path) => path !== undefined);
  const rows = [
    ["cluster", `${formatId(log.clusterId)} (was ${formatId(before?.clusterId ?? 0n)})`],
    ["member", `${formatId(log.memberId)} (was ${formatId(before?.memberId ?? 0n)})`],
    ["incarnation", store.incarnation ?? ""],
    ["keys", `${before?.keys}, all of them`],
    ["revision", `${store.revision} (was ${before?.revision}); what is older counts as compacted`],
    ["kept", kept.join(", ")],
  ] as const;
  const lines = rows.map(([name, value]) => `  ${name.padEnd(13)} ${value}`);
  return [`${directory} is a cluster of its own now.`, ...lines, ""].join("\n");
}
