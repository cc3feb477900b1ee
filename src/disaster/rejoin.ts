/**
 * The commands by which the service comes back and hosts join it again, with this cluster's names
 * and URLs. Pure: text from facts, ready to be pasted into a shell.
 */
import type { MemberRecord } from "../apply/index.ts";
import { nameOf } from "./verdict.ts";

export interface RejoinFacts {
  readonly directory: string;
  readonly walDirectory: string | undefined;
  /** The one that was recovered, as it is now. */
  readonly own: MemberRecord;
  /** All members that the cluster had, by id; the recovered one is known by its peer URLs. */
  readonly former: readonly MemberRecord[];
}

export function rejoinText(facts: RejoinFacts): string {
  const { own, former } = facts;
  const others = former
    .filter((member) => !sharesUrl(member, own))
    .sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const lines = [
    "1. Start the service as it was always started (systemctl start etcd). By hand:",
    "",
    ...startLines(own, facts.directory, facts.walDirectory),
    "",
    "   It has the same addresses as before. Clients go on; whoever watches from an old revision is",
    "   told that it is compacted, and reads anew.",
    "",
    `2. ${checkText(own)}`,
    "",
  ];
  let known = [own];
  for (const [position, other] of others.entries()) {
    known = [...known, other];
    lines.push(...joinLines(position + 3, own, other, known));
  }
  return lines.join("\n");
}

function checkText(own: MemberRecord): string {
  return `See that it is healthy:\n\n   ${ctl(own)} endpoint health`;
}

function joinLines(
  step: number,
  own: MemberRecord,
  other: MemberRecord,
  known: readonly MemberRecord[],
): string[] {
  const name = nameOf(other);
  // By its URLs: it has a name only once it was started.
  const listed = other.peerUrls.join(",");
  return [
    `${step}. Add ${name}. Anywhere:`,
    "",
    `   ${ctl(own)} member add ${quote(name)} --learner --peer-urls=${urls(other.peerUrls)}`,
    "",
    `   On the host of ${name}, with an empty data directory:`,
    "",
    ...startLines(other, undefined, undefined, known),
    "",
    `   When it has caught up (until then the answer is an error; ask again):`,
    "",
    `   ${ctl(own)} member promote $(${ctl(own)} member list | awk -F', ' '$4=="${listed}"{print $1}')`,
    "",
  ];
}

/** `known`: the members that a joining one must name. */
function startLines(
  member: MemberRecord,
  directory: string | undefined,
  walDirectory?: string,
  known?: readonly MemberRecord[],
): string[] {
  const { peerUrls, clientUrls } = member;
  const name = nameOf(member);
  const flags = [
    `--name ${quote(name)} --data-dir ${quote(directory ?? `${name}.etcd`)}`,
    ...(walDirectory === undefined ? [] : [`--wal-dir ${quote(walDirectory)}`]),
  ];
  if (clientUrls.length > 0) {
    const list = urls(clientUrls);
    flags.push(`--listen-client-urls ${list} --advertise-client-urls ${list}`);
  }
  const peers = urls(peerUrls);
  flags.push(`--listen-peer-urls ${peers} --initial-advertise-peer-urls ${peers}`);
  if (known !== undefined) {
    const cluster = known.flatMap((row) => row.peerUrls.map((url) => `${nameOf(row)}=${url}`));
    flags.push(`--initial-cluster ${quote(cluster.join(","))}`, "--initial-cluster-state existing");
  }
  const lines = ["holdfast", ...flags].map((part, at) =>
    at === 0 ? `   ${part}` : `     ${part}`,
  );
  return lines.map((line, at) => (at === lines.length - 1 ? line : `${line} \\`));
}

function ctl(own: MemberRecord): string {
  return `holdfast ctl --endpoints=${urls(own.clientUrls)}`;
}

function sharesUrl(a: MemberRecord, b: MemberRecord): boolean {
  return a.peerUrls.some((url) => b.peerUrls.includes(url));
}

function urls(list: readonly string[]): string {
  return quote(list.join(","));
}

/** As a word of a shell. */
export function quote(text: string): string {
  return /^[\w./:=,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
