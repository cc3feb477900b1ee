/** What a member does around the consensus: the disk, reads, proposals, snapshots, leases. */
import type { Mutant } from "./mutant.ts";

const ACKNOWLEDGED_EARLY = {
  file: "src/member/storage-queue.ts",
  search: `      .then(() => this.#done(write))
      .catch(this.#broken);
  }`,
  replace: `      .catch(this.#broken);
    this.#done(write);
  }`,
};

export const MEMBER: readonly Mutant[] = [
  {
    name: "ack-before-fsync",
    story: "A follower acknowledges entries that are not on its disk yet.",
    patches: [ACKNOWLEDGED_EARLY],
    trial: { kind: "simulate", members: 3, faults: ["crash", "crashLeader", "crashAll", "blink"] },
  },
  {
    name: "14370-one-member-ack-before-fsync",
    story:
      "etcd 3.4 to 3.5.4: with one member an entry was applied, and its client answered, while it was still being written.",
    patches: [ACKNOWLEDGED_EARLY],
    trial: {
      kind: "simulate",
      members: 1,
      faults: ["crash", "crashInWrite"],
      traffic: { profile: "put-delete-lease" },
    },
  },
  {
    name: "read-before-applied",
    story: "A linearizable read does not wait until what it must see is applied.",
    patches: [
      {
        file: "src/member/read-rounds.ts",
        search: "if (index <= this.#options.applied()) return this.#answer(round.reads);",
        replace: "if (index >= 0) return this.#answer(round.reads);",
      },
    ],
    trial: { kind: "simulate", members: 3 },
  },
  {
    name: "20418-read-confirmed-by-another-round",
    story:
      "etcd: after a pause of the process, an answer to an earlier question confirmed a later read.",
    patches: [
      {
        file: "src/member/read-rounds.ts",
        search: "if (round === undefined || !round.context.equals(context)) return;",
        replace: "if (round === undefined) return;",
      },
    ],
    trial: {
      kind: "simulate",
      members: 3,
      faults: ["pause", "pauseLeader", "isolate", "slowLink"],
    },
  },
  {
    name: "proposed-again",
    story:
      "What was handed to a leader of old is proposed once more under the new one: it may be done twice.",
    patches: [
      {
        file: "src/member/proposals.ts",
        search: "if (proposal.term !== 0 && proposal.term < term) this.#refuse(proposal, error);",
        replace: `if (proposal.term === 0 || proposal.term >= term || error === undefined) continue;
      proposal.term = 0;
      this.#waiting.push(proposal);`,
      },
    ],
    trial: { kind: "simulate", members: 3 },
  },
  {
    name: "18055-two-snapshots-at-once",
    story:
      "etcd: a second snapshot arrived while the first was being taken over, and the member failed.",
    patches: [
      {
        file: "src/member/snapshots.ts",
        search: 'if (this.#isTaken) throw new Error("another snapshot is being taken over");',
        replace: "",
      },
    ],
    trial: {
      kind: "simulate",
      members: 3,
      faults: ["fallBehind", "moveLeader", "isolateLeader", "crashLeader"],
      settings: {
        snapshotCount: 5,
        snapshotCatchUpEntries: 0,
        electionTimeoutMs: 300,
        heartbeatMs: 30,
      },
      diskDelayMaxMs: 400,
    },
  },
  {
    name: "13933-index-of-the-old-store",
    story:
      "etcd 3.5.0 to 3.5.2: the index that came with a snapshot was overwritten by the member's own older one.",
    patches: [
      {
        file: "src/member/snapshots.ts",
        search: "storage.installSnapshot({ index, term });",
        replace: "storage.installSnapshot({ index: index - 1, term });",
      },
    ],
    trial: {
      kind: "simulate",
      members: 3,
      faults: ["fallBehind", "isolate"],
      settings: { snapshotCount: 5, snapshotCatchUpEntries: 0 },
    },
  },
  {
    name: "lease-early-after-election",
    story:
      "A new leader does not give leases their full time again: it does not know when they were renewed.",
    patches: [
      {
        file: "src/lease/deadlines.ts",
        search: "let expiryMs = nowMs + extendMs + seconds * 1_000;",
        replace: "let expiryMs = nowMs + (seconds * 1_000) / 4;",
      },
    ],
    trial: {
      kind: "simulate",
      members: 3,
      faults: ["crashLeader", "moveLeader", "isolateLeader"],
      traffic: { profile: "put-delete-lease" },
    },
  },
  {
    name: "lease-ended-by-deposed-leader",
    story:
      "A leader of old goes on ending leases, of whose renewals under the new one it knows nothing.",
    patches: [
      {
        file: "src/member/raft-member.ts",
        search:
          "if (!this.driver.isLeader && this.local.lessor.isPrimary) this.local.lessor.demote();",
        replace: "",
      },
      {
        file: "src/member/proposals.ts",
        search: "if (proposal.isLeaders && !isLeader) {",
        replace: "if (proposal.isLeaders && !isLeader && refusal === undefined) {",
      },
    ],
    trial: {
      kind: "simulate",
      members: 3,
      faults: ["moveLeader", "isolateLeader", "pauseLeader"],
      traffic: { profile: "put-delete-lease" },
    },
  },
  {
    name: "lease-keys-forgotten-by-restart",
    story:
      "After a restart a lease does not know its keys: its end leaves them behind on that member.",
    patches: [
      {
        file: "src/mvcc/restore.ts",
        search: "if (lease !== 0n) onLease(key, lease);",
        replace: "if (lease === -1n) onLease(key, lease);",
      },
    ],
    trial: { kind: "simulate", members: 3, traffic: { profile: "put-delete-lease" } },
  },
  {
    name: "lease-never-expires-under-new-leader",
    story: "A new leader does not take over the deadlines of leases.",
    patches: [
      {
        file: "src/lease/lessor.ts",
        search: "    this.#deadlines.startAll(this.#leases.values(), nowMs, extendMs);\n",
        replace: "",
      },
    ],
    trial: { kind: "simulate", members: 3, traffic: { profile: "put-delete-lease" } },
  },
];
