/** Progress, configurations, messages and Readys as the scenario files write them. */
import {
  type ConfState,
  decodeConfChange,
  decodeConfChangeV2,
  type Entry,
  EntryType,
  type HardState,
  type Message,
  MessageType,
  type Snapshot,
} from "../wire/index.ts";
import { type Config, sortedIds } from "./conf-change.ts";
import type { Progress } from "./progress.ts";
import type { Ready } from "./ready.ts";
import { formatChanges } from "./testdata.test.ts";
import { APPEND_THREAD, APPLY_THREAD, isStorageMessage, type Role } from "./types.ts";

const STATES = { probe: "StateProbe", replicate: "StateReplicate", snapshot: "StateSnapshot" };

const ROLES: Record<Role, string> = {
  follower: "StateFollower",
  preCandidate: "StatePreCandidate",
  candidate: "StateCandidate",
  leader: "StateLeader",
};

const ENTRY_TYPES = new Map<number, string>([
  [EntryType.NORMAL, "EntryNormal"],
  [EntryType.CONF_CHANGE, "EntryConfChange"],
  [EntryType.CONF_CHANGE_V2, "EntryConfChangeV2"],
]);

export const MESSAGE_TYPES = new Map<number, string>(
  Object.entries(MessageType).map(([name, value]) => {
    const words = name.split("_").map((word) => word[0] + word.slice(1).toLowerCase());
    return [value, `Msg${words.join("")}`];
  }),
);

export function roleText(role: Role): string {
  return ROLES[role];
}

export function progressText(progress: Progress): string {
  const { inflights } = progress;
  let text = `${STATES[progress.state]} match=${progress.match} next=${progress.next}`;
  if (progress.isLearner) text += " learner";
  if (progress.isPaused) text += " paused";
  if (progress.pendingSnapshot > 0) text += ` pendingSnap=${progress.pendingSnapshot}`;
  if (!progress.isRecentlyActive) text += " inactive";
  if (inflights.count > 0) {
    text += ` inflight=${inflights.count}`;
    if (inflights.isFull) text += "[full]";
  }
  return text;
}

export function configText(config: Config): string {
  const list = (ids: Iterable<bigint>): string => `(${sortedIds(ids).join(" ")})`;
  let text = `voters=${list(config.incoming)}`;
  if (config.outgoing.size > 0) text += `&&${list(config.outgoing)}`;
  if (config.learners.size > 0) text += ` learners=${list(config.learners)}`;
  if (config.learnersNext.size > 0) text += ` learners_next=${list(config.learnersNext)}`;
  if (config.autoLeave) text += " autoleave";
  return text;
}

export function entryText(entry: Entry): string {
  let data: string;
  if (entry.type === EntryType.NORMAL) {
    data = JSON.stringify(entry.data.toString());
  } else if (entry.type === EntryType.CONF_CHANGE) {
    data = formatChanges([decodeConfChange(entry.data)]);
  } else {
    data = formatChanges(decodeConfChangeV2(entry.data).changes);
  }
  return `${entry.term}/${entry.index} ${ENTRY_TYPES.get(entry.type)} ${data}`.trimEnd();
}

function hardStateText(state: HardState): string {
  const vote = state.vote === 0n ? "" : ` Vote:${state.vote}`;
  return `Term:${state.term}${vote} Commit:${state.commit}`;
}

function confStateText(state: ConfState): string {
  const list = (ids: readonly bigint[]): string => `[${ids.join(" ")}]`;
  return (
    `Voters:${list(state.voters)} VotersOutgoing:${list(state.votersOutgoing)} ` +
    `Learners:${list(state.learners)} LearnersNext:${list(state.learnersNext)} ` +
    `AutoLeave:${state.autoLeave}`
  );
}

function snapshotText({ metadata }: Snapshot): string {
  const state = confStateText(metadata.confState);
  return `Index:${metadata.index} Term:${metadata.term} ConfState:${state}`;
}

function nodeText(id: bigint): string {
  if (id === APPEND_THREAD) return "AppendThread";
  return id === APPLY_THREAD ? "ApplyThread" : String(id);
}

export function messageLines(message: Message, indent = ""): string[] {
  let head =
    `${indent}${nodeText(message.from)}->${nodeText(message.to)} ` +
    `${MESSAGE_TYPES.get(message.type)} Term:${message.term} ` +
    `Log:${message.logTerm}/${message.index}`;
  if (message.reject) head += ` Rejected (Hint: ${message.rejectHint})`;
  if (message.commit !== 0) head += ` Commit:${message.commit}`;
  if (message.vote !== 0n) head += ` Vote:${message.vote}`;
  const lines: string[] = [];
  const [first] = message.entries;
  if (message.entries.length === 1 && first !== undefined) {
    head += ` Entries:[${entryText(first)}]`;
  } else if (message.entries.length > 1) {
    lines.push(`${head} Entries:[`);
    for (const entry of message.entries) lines.push(`${indent}  ${entryText(entry)}`);
    head = `${indent}]`;
  }
  if (message.snapshot !== undefined) {
    lines.push(head);
    head = `${indent}  Snapshot: ${snapshotText(message.snapshot)}`;
  }
  if (isStorageMessage(message) && message.responses.length > 0) {
    lines.push(`${head} Responses:[`);
    for (const response of message.responses) lines.push(...messageLines(response, `${indent}  `));
    head = `${indent}]`;
  }
  return [...lines, head];
}

export function readyLines(ready: Ready): string[] {
  const lines: string[] = [];
  if (ready.softState !== undefined) {
    lines.push(`Lead:${ready.softState.lead} State:${roleText(ready.softState.role)}`);
  }
  if (ready.hardState !== undefined) lines.push(`HardState ${hardStateText(ready.hardState)}`);
  for (const read of ready.readStates) lines.push(`ReadState ${read.index} ${read.context}`);
  if (ready.entries.length > 0) lines.push("Entries:", ...ready.entries.map(entryText));
  if (ready.snapshot !== undefined) lines.push(`Snapshot ${snapshotText(ready.snapshot)}`);
  if (ready.committedEntries.length > 0) {
    lines.push("CommittedEntries:", ...ready.committedEntries.map(entryText));
  }
  if (ready.messages.length > 0) {
    lines.push("Messages:", ...ready.messages.flatMap((message) => messageLines(message)));
  }
  if (lines.length === 0) return ["<empty Ready>"];
  return [`Ready MustSync=${ready.mustSync}:`, ...lines];
}
