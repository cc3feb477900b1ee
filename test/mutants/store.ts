/** The state and its file: what is written when, applied how often, compacted to where. */
import type { Mutant } from "./mutant.ts";

const MEDIUM = "src/backend/memory-backend.ts";
const CRASHES = ["crash", "crashLeader", "blink", "crashAll", "kill"] as const;

const DELETION_DROPPED = {
  file: "src/mvcc/key-index.ts",
  search: "const isGone = slots.version(slot) === 0 && main < revision;",
  replace: "const isGone = slots.version(slot) === 0 && main <= revision;",
};

export const STORE: readonly Mutant[] = [
  {
    name: "13766-index-before-its-effects",
    story:
      "etcd 3.5.0 to 3.5.2: a commit wrote the newest applied index, with the effects of an older one. After a crash the entries between were never applied on that member.",
    patches: [
      {
        file: MEDIUM,
        search: "this.medium.write(batch.operations, batch.applied);",
        replace: "this.medium.write(batch.operations, this.applied);",
      },
    ],
    trial: { kind: "simulate", members: 3, faults: CRASHES, traffic: { restMaxMs: 60 } },
  },
  {
    name: "14685-defragment-without-index",
    story:
      "etcd 3.5.0 to 3.5.5: a defragmentation wrote effects without their index. After a crash they were applied twice.",
    patches: [
      {
        file: MEDIUM,
        search: "async defragment(): Promise<void> {}",
        replace: `async defragment(): Promise<void> {
    for (const batch of this.#sealed) this.medium.write(batch.operations, this.medium.applied);
    this.medium.write(this.#operations, this.medium.applied);
  }`,
      },
    ],
    trial: { kind: "simulate", faults: ["defragment", ...CRASHES], traffic: { restMaxMs: 60 } },
  },
  {
    name: "14382-alarm-without-index",
    story:
      "etcd 3.5.3 and 3.5.4: entries about alarms did not move the applied index, and were applied again.",
    patches: [
      {
        file: "src/apply/machine.ts",
        search: `    this.#backend.setApplied({ index, term });
    return outcome;`,
        replace: `    if (request.operation.kind !== "alarm") this.#backend.setApplied({ index, term });
    return outcome;`,
      },
    ],
    trial: { kind: "simulate", members: 3 },
  },
  {
    name: "index-behind-its-effects",
    story:
      "A commit writes an index that is older than the effects: after a crash an entry is applied twice.",
    patches: [
      {
        file: MEDIUM,
        search: "this.medium.write(batch.operations, batch.applied);",
        replace: `const { index, term } = batch.applied;
    this.medium.write(batch.operations, { index: Math.max(0, index - 1), term });`,
      },
    ],
    trial: { kind: "simulate", faults: CRASHES },
  },
  {
    name: "apply-depends-on-who-asked",
    story:
      "The member whose client waits does something that the others do not: applying is no pure function.",
    patches: [
      {
        file: "src/apply/machine.ts",
        search:
          "if (put.lease !== 0n && !this.#lessor.has(put.lease)) return errors.LeaseNotFound;",
        replace: `if (put.lease !== 0n && (!isWaited || !this.#lessor.has(put.lease))) {
      return errors.LeaseNotFound;
    }`,
      },
    ],
    trial: { kind: "simulate", members: 3, traffic: { profile: "put-delete-lease" } },
  },
  {
    name: "17780-revision-lowered-by-compaction",
    story:
      "etcd 3.5.13: the newest revisions were deletions, and compacted; after a crash the store took a lower revision for its newest.",
    patches: [
      DELETION_DROPPED,
      {
        file: "src/mvcc/restore.ts",
        search: "currentRevision: Math.max(1, restored.lastRevision, compaction.revision),",
        replace: "currentRevision: Math.max(1, restored.lastRevision),",
      },
    ],
    trial: {
      kind: "simulate",
      members: 1,
      faults: ["crash", "kill", "blink"],
      traffic: { profile: "delete", keys: 3, restMaxMs: 500 },
      // Watches would find the dropped deletion first.
      profile: { compactKeep: 1, compactEveryMs: 200, watchers: 0, clients: 2 },
    },
  },
  {
    name: "19179-unfinished-compaction-forgotten",
    story:
      "etcd 3.5.17: after a crash in the middle of a compaction the member knew no more what was compacted.",
    patches: [
      {
        file: "src/mvcc/compaction.ts",
        search: `    this.revision = Math.max(scheduled, finished);
    this.isRunning = scheduled > finished;`,
        replace: "    this.revision = finished;",
      },
    ],
    trial: {
      kind: "simulate",
      members: 3,
      faults: ["crash", "kill", "blink", "crashAll"],
      settings: { compactStepRecords: 1, compactRestMs: 200 },
      traffic: { profile: "kubernetes-create-delete", keys: 10 },
    },
  },
  {
    name: "18089-deletion-dropped-at-its-revision",
    story:
      "etcd 3.5.12: compaction at the revision of a deletion removed it, and a watch from that revision missed it.",
    patches: [DELETION_DROPPED],
    trial: {
      kind: "simulate",
      traffic: { profile: "delete", keys: 3 },
      profile: { compactEveryMs: 100, compactKeep: 1, watchOffsetMin: -5, watchOffsetMax: 5 },
    },
  },
  {
    name: "compacted-revisions-still-served",
    story: "A compaction is acknowledged, and older revisions are read all the same.",
    patches: [
      {
        file: "src/mvcc/range.ts",
        search: '  if (query.revision < compactRevision) return "compacted";\n',
        replace: "",
      },
    ],
    trial: { kind: "simulate", members: 3 },
  },
  {
    name: "18667-compacted-read-in-transaction",
    story:
      "etcd: a transaction that read a compacted revision was refused by one member and applied by another.",
    patches: [
      {
        file: "src/apply/txn.ts",
        search: "return checkRange(this.#store, operation.range);",
        replace: "return this.#isWaited ? checkRange(this.#store, operation.range) : undefined;",
      },
    ],
    trial: { kind: "simulate", members: 3, traffic: { profile: "txn" } },
  },
];
