/** Where one is among the keys, and what each key that is typed does. Knows no terminal. */
import type { KeyValue } from "../../client/index.ts";
import { type KeyReader, Level, type LevelEntry, shown, startsWith } from "../keys/level.ts";
import type { Typed } from "./typed.ts";

/** Entries of one level that are kept; a search begins behind them. */
export const ENTRIES_MAX = 10_000;
const SEARCH_MAX = 256;

export interface BrowserOptions {
  /** A new one sees the keys as they are then. */
  readonly reader: () => KeyReader;
  readonly get: (key: Buffer) => Promise<KeyValue | undefined>;
  /** A value as lines, for people. */
  readonly linesOf: (pair: KeyValue) => readonly string[];
  readonly separator: Buffer;
  readonly root: Buffer;
}

export interface Screen {
  readonly title: string;
  readonly lines: readonly string[];
  /** Which of the lines is chosen; -1 = none. */
  readonly chosen: number;
  readonly foot: string;
}

interface Place {
  readonly path: Buffer;
  readonly level: Level;
  readonly entries: LevelEntry[];
  chosen: number;
  first: number;
}

export class Browser {
  readonly #options: BrowserOptions;
  #reader: KeyReader;
  /** From the root to where one is. */
  #places: Place[] = [];
  #value: { readonly name: string; readonly lines: readonly string[]; first: number } | undefined;
  /** What is being typed behind `/`. */
  #search: string | undefined;
  #note = "";

  constructor(options: BrowserOptions) {
    this.#options = options;
    this.#reader = options.reader();
  }

  async open(): Promise<void> {
    this.#places = [this.#place(this.#options.root)];
    await this.#fill(this.#here, 1);
  }

  /** False: the end is wanted. `height` is that of the list. */
  async type(typed: Typed, height: number): Promise<boolean> {
    this.#note = "";
    if (typed === "interrupt") return false;
    if (this.#search !== undefined) await this.#typeSearch(this.#search, typed);
    else if (this.#value !== undefined) return this.#typeInValue(typed, height);
    else return await this.#typeInList(typed, height);
    return true;
  }

  /** What is to be seen, `height` lines of it at most. */
  async screen(height: number): Promise<Screen> {
    const value = this.#value;
    if (value !== undefined) {
      value.first = Math.max(0, Math.min(value.first, value.lines.length - height));
      const lines = value.lines.slice(value.first, value.first + height);
      const last = value.first + lines.length;
      const foot = `lines ${value.first + 1} to ${last} of ${value.lines.length}  ← back  q quit`;
      return { title: value.name, lines, chosen: -1, foot };
    }
    const here = this.#here;
    await this.#settle(here, height);
    if (here.chosen < here.first) here.first = here.chosen;
    if (here.chosen >= here.first + height) here.first = here.chosen - height + 1;
    const lines = here.entries.slice(here.first, here.first + height).map(({ name }) => name);
    const title = here.path.length === 0 ? "(all keys)" : shown(here.path);
    return { title, lines, chosen: here.chosen - here.first, foot: this.#foot(here) };
  }

  #foot({ entries, chosen, level }: Place): string {
    if (this.#search !== undefined) return `/${this.#search}`;
    if (this.#note !== "") return this.#note;
    if (entries.length === 0) return "no keys  ← back  q quit";
    const all = `${entries.length}${level.isOver ? "" : " or more"}`;
    return `${chosen + 1} of ${all}  ↑↓ choose  → open  ← back  / search  r reload  q quit`;
  }

  get #here(): Place {
    return this.#places.at(-1) as Place;
  }

  #place(path: Buffer, from = path): Place {
    const level = new Level(this.#reader, this.#options.separator, path, from);
    return { path, level, entries: [], chosen: 0, first: 0 };
  }

  async #fill({ level, entries }: Place, count: number): Promise<void> {
    const wanted = Math.min(count, ENTRIES_MAX);
    while (entries.length < wanted && !level.isOver) entries.push(...(await level.more()));
  }

  /** What is chosen is one that is there, and what comes next is read. */
  async #settle(here: Place, height: number): Promise<void> {
    await this.#fill(here, Math.max(here.first, here.chosen) + 2 * height);
    here.chosen = Math.max(0, Math.min(here.chosen, here.entries.length - 1));
  }

  async #typeInList(typed: Typed, height: number): Promise<boolean> {
    const here = this.#here;
    // More may have been typed than was shown.
    await this.#settle(here, height);
    if (typeof typed === "object") return await this.#typeLetter(typed.letter);
    if (typed === "up") here.chosen -= 1;
    else if (typed === "down") here.chosen += 1;
    else if (typed === "pageUp") here.chosen -= height;
    else if (typed === "pageDown") here.chosen += height;
    else if (typed === "home") here.chosen = 0;
    else if (typed === "end") {
      await this.#fill(here, ENTRIES_MAX);
      here.chosen = here.entries.length - 1;
    } else if (typed === "enter" || typed === "right") await this.#enter();
    else if (this.#places.length > 1) this.#places.pop();
    if (here.chosen >= ENTRIES_MAX - 1 && !here.level.isOver) {
      this.#note = `only the first ${ENTRIES_MAX} are listed: search with / for those behind`;
    }
    return true;
  }

  async #typeLetter(letter: string): Promise<boolean> {
    if (letter === "q") return false;
    if (letter === "/") this.#search = "";
    else if (letter === "k") this.#here.chosen -= 1;
    else if (letter === "j") this.#here.chosen += 1;
    else if (letter === "r") await this.#reload();
    return true;
  }

  /** Sees the keys as they are now; those above are read anew when one comes back to them. */
  async #reload(): Promise<void> {
    this.#reader = this.#options.reader();
    const chosen = this.#here.chosen;
    this.#places = this.#places.map(({ path }) => this.#place(path));
    await this.#fill(this.#here, chosen + 1);
    this.#here.chosen = chosen;
  }

  async #enter(): Promise<void> {
    const entry = this.#here.entries[this.#here.chosen];
    if (entry === undefined) return;
    if (entry.isDirectory) {
      this.#places.push(this.#place(entry.path));
      return;
    }
    const pair = await this.#options.get(entry.path);
    if (pair === undefined) this.#note = `${entry.name} is gone`;
    else this.#value = { name: shown(entry.path), lines: this.#options.linesOf(pair), first: 0 };
  }

  #typeInValue(typed: Typed, height: number): boolean {
    const value = this.#value;
    if (value === undefined) return true;
    if (typeof typed === "object") return typed.letter !== "q";
    if (typed === "up") value.first -= 1;
    else if (typed === "down" || typed === "enter") value.first += 1;
    else if (typed === "pageUp") value.first -= height;
    else if (typed === "pageDown") value.first += height;
    else if (typed === "home") value.first = 0;
    else if (typed === "end") value.first = value.lines.length;
    else this.#value = undefined;
    return true;
  }

  async #typeSearch(search: string, typed: Typed): Promise<void> {
    if (typeof typed === "object") this.#search = (search + typed.letter).slice(0, SEARCH_MAX);
    else if (typed === "backspace" && search !== "") {
      this.#search = Array.from(search).slice(0, -1).join("");
    } else {
      this.#search = undefined;
      if (typed === "enter" && search !== "") await this.#find(search);
    }
  }

  /** Goes to the first name at or behind `search`; those before it are read again with `r`. */
  async #find(search: string): Promise<void> {
    const { path } = this.#here;
    const from = Buffer.concat([path, Buffer.from(search)]);
    const place = this.#place(path, from);
    await this.#fill(place, 1);
    const first = place.entries[0];
    if (first === undefined) this.#note = `nothing at or behind ${search}`;
    else {
      this.#places[this.#places.length - 1] = place;
      if (!startsWith(first.path, from)) this.#note = `no ${search}: this is what comes next`;
    }
  }
}
