/** What may happen in an exploration: small enough to see everything, large enough to go wrong. */
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

export const SCOPES: readonly Scope[] = [
  /** Votes: members that crash and forget, candidates at the same time, answers that come twice. */
  { name: "votes", options: { ...NOTHING, termMax: 3, crashesMax: 2, duplicatesMax: 1 } },
  /** Logs: two leaders of old have left entries that nobody else has; one comes back (thesis 3.6.2). */
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
