/**
 * Flips bytes of a member's files, one after the other, each in a cluster of its own. A process by
 * itself: the test runner follows every promise there is, which costs a fifth of the time.
 *
 *   node bytes-process.ts <place> <when>    lines `<path>:<offset>:<bit>` on standard input
 *
 * One line each: the same, and what became of the member, or `failed` and why.
 */
import { answerEach } from "../harness/feed.ts";
import { flipped, placeOf, type PlaceName, type When } from "./bytes-flips.ts";

const [name, when] = process.argv.slice(2) as [PlaceName, When];
const place = await placeOf(name);
await answerEach((line) => {
  const [path = "", offset, bit] = line.split(":");
  return flipped(place, { path, offset: Number(offset), bit: Number(bit) }, when);
});
