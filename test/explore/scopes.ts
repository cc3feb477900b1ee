/** What may happen in an exploration: small enough to see everything, large enough to go wrong. */
import { ConfChangeTransition } from "../../src/raft/index.ts";
import type { ExploreOptions } from "./explorer.ts";

export interface Scope {
  readonly name: string;
  readonly options: Omit<ExploreOptions, "depthMax" | "statesMax" | "secondsMax">;
}

const NOTHING = {
  termMax: 2,
  proposalsMax: 0,
  crashesMax: 0,
  duplicatesMax: 0,
  beatsMax: 0,
  separateWrites: false,
  preVote: false,
  appendBytesMax: 1_000,
  disks: [],
};

/** Two of three members are to go at once: for a while both majorities are needed. */
const LEAVING = {
  term: 2,
  change: {
    transition: ConfChangeTransition.JOINT_EXPLICIT,
    changes: [2n, 3n].map((nodeId) => ({ type: 1, nodeId })),
    context: Buffer.alloc(0),
  },
};

export const SCOPES: readonly Scope[] = [
  /** Votes: members that crash and forget, candidates at the same time, answers that come twice. */
  { name: "votes", options: { ...NOTHING, termMax: 3, crashesMax: 2, duplicatesMax: 1 } },
  /** Logs: two leaders of old have left entries that nobody else has (thesis 3.6.2). */
  {
    name: "logs",
    options: {
      ...NOTHING,
      termMax: 5,
      appendBytesMax: 1,
      disks: [
        { term: 3, log: [2] },
        { term: 3, log: [] },
        { term: 3, log: [3] },
      ],
    },
  },
  /** Joint configurations: one member knows that it holds, one has the change, one has not. */
  {
    name: "joint",
    options: {
      ...NOTHING,
      termMax: 4,
      crashesMax: 1,
      disks: [
        {
          term: 2,
          log: [LEAVING],
          applied: 1,
          config: { voters: [1n], votersOutgoing: [1n, 2n, 3n] },
        },
        { term: 2, log: [LEAVING] },
        { term: 2, log: [] },
      ],
    },
  },
  /** Writes that are lost with the member before they reach its disk. */
  {
    name: "writes",
    options: { ...NOTHING, termMax: 2, proposalsMax: 1, crashesMax: 1, separateWrites: true },
  },
  /** Everything at once, not as deep. */
  {
    name: "mixed",
    options: {
      ...NOTHING,
      termMax: 3,
      proposalsMax: 2,
      crashesMax: 1,
      duplicatesMax: 1,
      beatsMax: 1,
      preVote: true,
    },
  },
];
