/**
 * A member whose disk stalls under load. What is slowed is its file system, which is frozen in
 * bursts: writes and fsyncs hang, the process and its network do not. This is a disk that hangs for
 * moments, not one with few operations a second.
 */
import { test } from "node:test";
import { FrozenDisk } from "../harness/frozen-disk.ts";
import { poll } from "../harness/process.ts";
import { RUNS, SEED, tellStory } from "./story.ts";

const skip = FrozenDisk.missing();
const times = `${RUNS} times under load (seed ${SEED})`;
const STALLS = 8;
const STALL_MS = 300;
const PAUSE_MS = 100;

test(`slow disk: a member's disk hangs ${STALLS} times for ${STALL_MS} ms, ${times} → ` +
  "writes go on, nothing acknowledged is lost", { skip }, async (t) => {
  // That of the first member, which leads in even runs and follows in odd ones.
  const disk = FrozenDisk.make();
  const directoryOf = (name: string): string => `${disk.path}/${name}`;
  const options = { directoryOf: (name: string) => (name === "m1" ? directoryOf(name) : "") };
  try {
    await tellStory(t, options, async ({ cluster, load }, run) => {
      const slow = cluster.member(0);
      const wanted = run % 2 === 0 ? slow : cluster.member(1);
      await poll("leadership moves", async () => {
        if ((await cluster.leader()) === wanted) return true;
        await cluster.moveLeader(wanted).catch(() => {});
        return false;
      });
      await load.acknowledged(50);
      await disk.stall(STALLS, STALL_MS, PAUSE_MS);
      await load.acknowledged(50);
    });
  } finally {
    disk.remove();
  }
});
