/** All mutants. */
import { CONSENSUS } from "./consensus.ts";
import { MEMBER } from "./member.ts";
import type { Mutant } from "./mutant.ts";
import { STORE } from "./store.ts";
import { WATCH } from "./watch.ts";

export const MUTANTS: readonly Mutant[] = [...CONSENSUS, ...MEMBER, ...STORE, ...WATCH];

export function mutantNamed(name: string): Mutant {
  const found = MUTANTS.find((mutant) => mutant.name === name);
  if (found === undefined) throw new RangeError(`there is no mutant "${name}"`);
  return found;
}
