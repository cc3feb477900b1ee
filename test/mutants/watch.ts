/** Watches: what is shown, when, and after what. */
import type { Mutant } from "./mutant.ts";

const HUB = "src/watch/hub.ts";
const SHORT_LOGS = { snapshotCount: 5, snapshotCatchUpEntries: 0 };
const SNAPSHOTS = ["fallBehind", "isolate"] as const;

export const WATCH: readonly Mutant[] = [
  {
    name: "15220-progress-ahead-of-events",
    story:
      "etcd 3.5.7: a progress notification that was asked for told a revision whose events had not been sent.",
    patches: [
      {
        file: HUB,
        search: `    const revision = this.#live.deliveredRevision;
    if (stream.behind.length > 0 || stream.isBlocked) return false;
    if (revision < stream.progressTarget || revision < stream.sentRevision) return false;`,
        replace: "    const revision = this.#store.currentRevision;",
      },
    ],
    trial: { kind: "simulate", traffic: { slowness: 0.4 } },
  },
  {
    name: "15271-back-in-time-after-snapshot",
    story:
      "etcd 3.5.7: on a member that took in a snapshot, watches were shown again what they had seen.",
    patches: [
      {
        file: HUB,
        search: `        if (watch.nextRevision < lo) watch.nextRevision = lo;
        if (watch.nextRevision <= this.#live.handedRevision) this.#fallBehind(watch);`,
        replace: `        watch.nextRevision = Math.max(1, Math.min(watch.nextRevision, lo) - 10);
        this.#fallBehind(watch);`,
      },
    ],
    trial: { kind: "simulate", members: 3, faults: SNAPSHOTS, settings: SHORT_LOGS },
  },
  {
    name: "20221-future-watch-lowered-by-snapshot",
    story: "etcd: a watch of a future revision began too early when its member took in a snapshot.",
    patches: [
      {
        file: HUB,
        search: "if (watch.nextRevision < lo) watch.nextRevision = lo;",
        replace: "watch.nextRevision = lo;",
      },
    ],
    trial: {
      kind: "simulate",
      members: 3,
      faults: SNAPSHOTS,
      settings: SHORT_LOGS,
      profile: { watchOffsetMin: 50, watchOffsetMax: 100, watchers: 8 },
    },
  },
  {
    name: "watch-not-told-of-snapshot",
    story:
      "Watches are not told that a snapshot has replaced the store: what it brought is never shown (etcd 8411).",
    patches: [
      {
        file: HUB,
        search: "    this.#sendBehind(lo);\n    this.#announce();",
        replace: "    if (lo < 0) this.#announce();",
      },
    ],
    trial: { kind: "simulate", members: 3, faults: SNAPSHOTS, settings: SHORT_LOGS },
  },
  {
    name: "17529-slow-reader-loses-events",
    story:
      "etcd 3.5.12: a watch whose stream was full for a while went on behind events that it had not been sent.",
    patches: [
      {
        file: "src/watch/live.ts",
        search:
          "      if (watch.nextRevision < list.firstRevision) watch.nextRevision = list.firstRevision;\n",
        replace: "      watch.nextRevision = revision + 1;\n",
      },
    ],
    trial: { kind: "simulate", traffic: { profile: "kubernetes", slowness: 0.4 } },
  },
  {
    name: "watch-twice-after-catching-up",
    story: "A watch that has caught up is shown the last events once more by the live queue.",
    patches: [
      {
        file: "src/watch/delivery.ts",
        search: "    if (watch.nextRevision > list.firstRevision) {",
        replace: "    if (watch.nextRevision > list.firstRevision + 1_000_000) {",
      },
    ],
    trial: { kind: "simulate", traffic: { slowness: 0.4 } },
  },
  {
    name: "watch-transaction-torn",
    story: "History is read in slices that end in the middle of a transaction.",
    patches: [
      {
        file: "src/mvcc/store.ts",
        search: `        if (next !== main) {
          if (count >= maxChanges || bytes >= CHANGES_BYTES_MAX) return found;`,
        replace: `        if (count >= maxChanges || bytes >= CHANGES_BYTES_MAX) return found;
        if (next !== main) {`,
      },
    ],
    trial: {
      kind: "simulate",
      traffic: { profile: "txn", restMaxMs: 60, keys: 30 },
      profile: { watchOffsetMin: -2_000, watchers: 6, compactEveryMs: 0, clients: 8 },
    },
  },
  {
    name: "watch-previous-is-present",
    story: "prev_kv is the pair as it is now, not as it was before.",
    patches: [
      {
        file: "src/watch/events.ts",
        search: "    const before = this.revision - 1;\n",
        replace: "    const before = this.revision;\n",
      },
    ],
    trial: { kind: "simulate" },
  },
];
