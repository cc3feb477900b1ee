/** Keys on the terminal: one letter, then the number of a member. */

export type Command =
  | { readonly kind: "member"; readonly verb: Verb; readonly member: number }
  | { readonly kind: "killLeader" }
  | { readonly kind: "stop" };

export type Verb = "kill" | "freeze" | "start";

export const KEYS_HELP =
  "keys: k1 kill -9 · s1 start · f1 freeze, thaw (1 = m1) · l kill leader · q stop";

const VERBS: Readonly<Record<string, Verb>> = {
  k: "kill",
  f: "freeze",
  s: "start",
};
const CTRL_C = "\x03";
const CTRL_D = "\x04";

export class KeyReader {
  #verb: Verb | undefined;

  /** The letter that waits for its number, to be shown. */
  get pending(): string | undefined {
    return this.#verb;
  }

  /** What the key completes, if anything. */
  press(key: string): Command | undefined {
    if (key === CTRL_C || key === CTRL_D || key === "q") return { kind: "stop" };
    const verb = this.#verb;
    this.#verb = VERBS[key];
    if (key === "l") return { kind: "killLeader" };
    if (verb === undefined || !/^[1-9]$/.test(key)) return undefined;
    return { kind: "member", verb, member: Number(key) };
  }
}
