/**
 * Histories of disks that go back in time, one after the other, each from a seed. A process by
 * itself: the test runner follows every promise there is, which costs a fifth of the time.
 *
 *   node time-travel-process.ts    seeds on standard input, one a line
 *
 * One line each: the seed and `<count> disks put back`, or `failed` and why.
 */
import { answerEach } from "../harness/feed.ts";
import { history } from "./time-travel-history.ts";

await answerEach(async (seed) => `${await history(Number(seed))} disks put back`);
