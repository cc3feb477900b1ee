/** What a member holds: everything that was acknowledged, at every revision that it still has. */
import type { Pair, Problem } from "./history.ts";
import { type Replay, samePair } from "./replay.ts";

export interface StoreContent {
  readonly member: string;
  /** All keys at a revision, or why they cannot be read. */
  readonly states: ReadonlyMap<number, readonly Pair[] | string>;
}

export function storeProblems(stores: readonly StoreContent[], replay: Replay): Problem[] {
  const problems: Problem[] = [];
  for (const { member, states } of stores) {
    for (const [revision, pairs] of states) {
      const text = difference(pairs, replay.range("a", "z", revision));
      if (text === undefined) continue;
      problems.push({ check: "durable", text: `${member} at revision ${revision}: ${text}` });
    }
  }
  return problems.slice(0, 10);
}

function difference(found: readonly Pair[] | string, due: readonly Pair[]): string | undefined {
  if (typeof found === "string") return found;
  const at = due.findIndex((pair, index) => !samePair(pair, found[index]));
  if (at < 0 && found.length === due.length) return undefined;
  const place = at < 0 ? due.length : at;
  return `holds ${JSON.stringify(found[place])}, not ${JSON.stringify(due[place])}`;
}
