/** Mistakes that implementations of Raft make. */
import type { Mutant } from "./mutant.ts";

const RAFT = "src/raft/raft.ts";

export const CONSENSUS: readonly Mutant[] = [
  {
    name: "vote-not-persisted",
    story: "A member votes, crashes, has forgotten it and votes for another one in the same term.",
    patches: [
      {
        file: "src/raft/raw-node.ts",
        search: "        message.vote = hardState.vote;",
        replace: "        message.vote = NONE;",
      },
    ],
    trial: { kind: "explore", scope: "votes" },
  },
  {
    name: "vote-forgotten-in-storm",
    story: "The same in whole clusters: the log does not write votes down.",
    patches: [
      {
        file: "src/member/storage-queue.ts",
        search: "vote: message.vote, commit",
        replace: "vote: 0n, commit",
      },
    ],
    trial: { kind: "simulate", members: 3, faults: ["electionStorm", "blink", "crash"] },
  },
  {
    name: "vote-twice",
    story: "A member votes for whoever asks last.",
    patches: [
      {
        file: RAFT,
        search: "      (this.vote === NONE && this.lead === NONE) ||",
        replace: "      this.lead === NONE ||",
      },
    ],
    trial: { kind: "explore", scope: "votes" },
  },
  {
    name: "vote-for-older-log",
    story: "A candidate wins that lacks committed entries.",
    patches: [
      {
        file: RAFT,
        search: "const grants = canVote && this.log.isUpToDate(message.index, message.logTerm);",
        replace: "const grants = canVote;",
      },
    ],
    trial: { kind: "simulate", members: 3 },
  },
  {
    name: "commit-old-term-by-counting",
    story:
      "A leader counts copies of an earlier term's entry as a commit (thesis 3.6.2, figure 3.7).",
    patches: [
      {
        file: "src/raft/log.ts",
        search: "if (index <= this.committed || !this.matchesTerm(index, term)) return false;",
        replace: "if (index <= this.committed) return false;",
      },
    ],
    trial: { kind: "explore", scope: "logs" },
  },
  {
    name: "no-step-down-for-higher-term",
    story:
      "A member whose term ran ahead while it was cut off gets no answer that would make the leader step down: it never follows again.",
    patches: [
      {
        file: RAFT,
        search: "if (fromLeader && (this.#checkQuorum || this.#options.preVote === true)) {",
        replace: "if (fromLeader && this.term < 0) {",
      },
    ],
    trial: {
      kind: "simulate",
      members: 3,
      faults: ["isolate", "isolateLeader", "oneWay"],
      settings: { preVote: false },
    },
  },
  {
    name: "read-index-without-quorum",
    story: "A leader that was replaced without its knowledge answers linearizable reads.",
    patches: [
      {
        file: RAFT,
        search: "if (this.#isLeaseBased || isAlone) {",
        replace: "if (this.id !== 0n) {",
      },
    ],
    trial: { kind: "simulate", members: 3 },
  },
  {
    name: "read-before-own-term",
    story:
      "A new leader answers reads before it has committed an entry of its term: it does not know yet what is committed.",
    patches: [
      {
        file: RAFT,
        search: `    if (!this.log.matchesTerm(this.log.committed, this.term)) {
      if (this.#earlyReads`,
        replace: `    if (this.id === 0n) {
      if (this.#earlyReads`,
      },
    ],
    trial: { kind: "simulate", members: 3, faults: ["crashLeader", "moveLeader", "isolateLeader"] },
  },
  {
    name: "stale-snapshot",
    story: "A snapshot that is older than what the member has committed replaces it.",
    patches: [
      {
        file: RAFT,
        search: "    if (index <= this.log.committed) return false;\n    const isMember",
        replace: "    const isMember",
      },
    ],
    trial: { kind: "test", file: "src/raft/safety.prop.test.ts" },
  },
  {
    name: "learner-counts-as-voter",
    story: "What a learner has acknowledged is counted towards the majority.",
    patches: [
      {
        file: "src/raft/tracker.ts",
        search: "    return jointCommitted(this.config, this);",
        replace: `    const all = new Set([...this.config.incoming, ...this.config.learners]);
    const most = [...all].map((id) => this.acknowledged(id) ?? 0).sort((a, b) => b - a);
    return most[Math.floor(this.config.incoming.size / 2)] ?? 0;`,
      },
    ],
    trial: {
      kind: "simulate",
      members: 3,
      faults: ["changeMembers", "changeMembers", "split", "cuts", "bridge"],
      settings: { electionTimeoutMs: 2_000, heartbeatMs: 100 },
      traffic: { profile: "put", restMaxMs: 60 },
    },
  },
  {
    name: "joint-quorum-of-one-half",
    story: "While two configurations hold, a majority of the new one is enough.",
    patches: [
      {
        file: "src/raft/quorum.ts",
        search: "return Math.min(incoming, majorityCommitted(voters.outgoing, by));",
        replace: "return incoming;",
      },
    ],
    trial: { kind: "explore", scope: "joint" },
  },
  {
    name: "append-without-previous",
    story: "A follower takes entries without having what they follow.",
    patches: [
      {
        file: "src/raft/log.ts",
        search: "if (!this.matchesTerm(prevIndex, prevTerm)) return undefined;",
        replace: "if (prevIndex > this.lastIndex()) return undefined;",
      },
    ],
    trial: { kind: "explore", scope: "logs" },
  },
  {
    name: "heartbeat-commits-too-much",
    story:
      "Heartbeats tell the leader's whole commit index, to members that may hold other entries there.",
    patches: [
      {
        file: RAFT,
        search: "message.commit = Math.min(progress.match, this.log.committed);",
        replace: "message.commit = this.log.committed;",
      },
    ],
    trial: { kind: "simulate", members: 3 },
  },
];
