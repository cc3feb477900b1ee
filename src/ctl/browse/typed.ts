/** What a terminal sends, as keys. */

export type Typed =
  | "up"
  | "down"
  | "left"
  | "right"
  | "pageUp"
  | "pageDown"
  | "home"
  | "end"
  | "enter"
  | "escape"
  | "backspace"
  | "interrupt"
  | { readonly letter: string };

const SEQUENCES: Readonly<Record<string, Typed>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  H: "home",
  F: "end",
  "1~": "home",
  "4~": "end",
  "5~": "pageUp",
  "6~": "pageDown",
};
const CONTROLS: Readonly<Record<string, Typed>> = {
  "\r": "enter",
  "\n": "enter",
  "\u0003": "interrupt",
  "\u0004": "interrupt",
  "\u0008": "backspace",
  "\u007f": "backspace",
};

/** Keeps the beginning of a sequence that has not come whole. */
export class TypedReader {
  #rest = "";

  read(text: string): Typed[] {
    const found: Typed[] = [];
    let left = this.#rest + text;
    this.#rest = "";
    while (left !== "") {
      const [sequence, name] = /^\x1b[[O]([0-9;]*[A-Za-z~])/.exec(left) ?? [];
      if (sequence !== undefined) {
        const typed = SEQUENCES[name ?? ""];
        if (typed !== undefined) found.push(typed);
        left = left.slice(sequence.length);
        continue;
      }
      if (/^\x1b[[O][0-9;]{0,8}$/.test(left)) {
        this.#rest = left;
        break;
      }
      const letter = String.fromCodePoint(left.codePointAt(0) as number);
      left = left.slice(letter.length);
      if (letter === "\x1b") found.push("escape");
      else if (CONTROLS[letter] !== undefined) found.push(CONTROLS[letter]);
      else if (letter >= " ") found.push({ letter });
    }
    return found;
  }
}
