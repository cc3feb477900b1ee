/**
 * The thread behind caught-up-watch.ts: asks every voter what it has applied, and tells at each
 * sample how far the majority that is least behind is behind. It does nothing else, so that what it
 * sees is as old as it says.
 */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { METHODS, TestClient } from "./client.ts";
import type { CaughtUpReport, WatchedVoter } from "./caught-up-watch.ts";

const SAMPLE_MS = 10;
/**
 * A voter that does not answer for so long is down. It is an election timeout: the members
 * themselves do not think otherwise of it before.
 */
const ANSWER_MS_MAX = 1_000;
/** After a longer pause of this thread nothing is known until all were asked again. */
const LATE_MS = 100;

interface Voter extends WatchedVoter {
  readonly client: TestClient;
  /** When the question was put that is not answered yet. */
  askedMs: number | undefined;
  applied: bigint;
  /** How long something had been committed that it had not applied, when it was asked last. */
  behindMs: number;
  /** When the question was put that was answered last. */
  answeredAskedMs: number;
  isUp: boolean;
}

const port = parentPort as MessagePort;
const report: CaughtUpReport = { behindMs: [], voids: 0 };
/** What any voter was first seen to know as committed, and when; ascending. */
const commits: { readonly atMs: number; readonly index: bigint }[] = [];
let tickMs = performance.now();
let lateMs = tickMs;

const voters = (workerData as readonly WatchedVoter[]).map(
  (voter): Voter => ({
    ...voter,
    client: new TestClient(voter.address),
    askedMs: undefined,
    applied: 0n,
    behindMs: Number.POSITIVE_INFINITY,
    answeredAskedMs: Number.NEGATIVE_INFINITY,
    isUp: false,
  }),
);

async function ask(voter: Voter): Promise<void> {
  const askedMs = performance.now();
  voter.askedMs = askedMs;
  const answer = await voter.client.call(METHODS.status, {}, { deadlineMs: ANSWER_MS_MAX });
  voter.askedMs = undefined;
  voter.isUp = answer.ok;
  if (!answer.ok) return;
  const { raftAppliedIndex: applied, raftIndex } = answer.value;
  voter.applied = applied;
  voter.answeredAskedMs = askedMs;
  const missing = commits.find(({ index }) => index > applied);
  voter.behindMs = missing === undefined ? 0 : Math.max(0, askedMs - missing.atMs);
  if (raftIndex > (commits.at(-1)?.index ?? 0n)) {
    commits.push({ atMs: performance.now(), index: raftIndex });
  }
  const isPast = (index: bigint): boolean => voters.every((one) => one.applied >= index);
  while (commits[1] !== undefined && isPast(commits[0]?.index ?? 0n)) commits.shift();
}

function behindOf({ isUp, askedMs, behindMs }: Voter, nowMs: number): number {
  const isAnswering = isUp && nowMs - (askedMs ?? nowMs) < ANSWER_MS_MAX;
  return isAnswering ? behindMs : Number.POSITIVE_INFINITY;
}

function sample(nowMs: number): void {
  // What was asked before a pause of this thread may have been answered long before now.
  if (voters.some(({ isUp, answeredAskedMs }) => isUp && answeredAskedMs < lateMs)) {
    report.voids += 1;
    return;
  }
  const behind = voters.map((voter) => behindOf(voter, nowMs)).toSorted((a, b) => a - b);
  report.behindMs.push(behind[Math.floor(voters.length / 2)] as number);
}

let isKnown = false;
const timer = setInterval(() => {
  const nowMs = performance.now();
  if (nowMs - tickMs > LATE_MS) lateMs = nowMs;
  tickMs = nowMs;
  for (const voter of voters) if (voter.askedMs === undefined) void ask(voter);
  if (isKnown) return sample(nowMs);
  // It begins when all three are known to have caught up.
  isKnown = voters.every((voter) => behindOf(voter, nowMs) === 0);
  if (isKnown) port.postMessage("begun");
}, SAMPLE_MS);

port.once("message", () => {
  clearInterval(timer);
  for (const { client } of voters) client.close();
  port.postMessage(report);
  port.close();
});
