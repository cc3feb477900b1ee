/**
 * The format of the scenario files, for the runners beside it: `command args`, input lines, `----`,
 * and what is expected, up to a blank line or between doubled `----`.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ConfChangeType, type ConfChangeV2 } from "../wire/index.ts";

const TESTDATA = join(import.meta.dirname, "testdata");

export interface Directive {
  /** Where it stands: `file:line`. */
  readonly at: string;
  readonly command: string;
  /** Arguments without a value, in order. */
  readonly plain: readonly string[];
  /** `key=value` and `key=(a,b)`, values as a list. */
  readonly named: ReadonlyMap<string, readonly string[]>;
  readonly input: readonly string[];
  readonly expected: readonly string[];
}

export function scenarioFiles(family: string): string[] {
  return readdirSync(join(TESTDATA, family))
    .filter((name) => name.endsWith(".txt"))
    .sort();
}

export function readScenario(family: string, name: string): Directive[] {
  const lines = readFileSync(join(TESTDATA, family, name), "utf8").split("\n");
  const directives: Directive[] = [];
  let at = 0;
  while (at < lines.length) {
    let line = lines[at] as string;
    at += 1;
    if (line.startsWith("#") || line.trim() === "") continue;
    const start = at;
    while (line.endsWith("\\")) {
      line = line.slice(0, -1) + (lines[at] as string);
      at += 1;
    }
    const input: string[] = [];
    while (at < lines.length && lines[at] !== "----") {
      input.push(lines[at] as string);
      at += 1;
    }
    at += 1;
    const isDoubled = lines[at] === "----";
    if (isDoubled) at += 1;
    const expected: string[] = [];
    while (at < lines.length) {
      const next = lines[at] as string;
      if (isDoubled ? next === "----" && lines[at + 1] === "----" : next === "") break;
      expected.push(next);
      at += 1;
    }
    if (isDoubled) at += 2;
    directives.push({ at: `${name}:${start}`, ...parseCommand(line), input, expected });
  }
  return directives;
}

function parseCommand(line: string): Pick<Directive, "command" | "plain" | "named"> {
  const tokens = line.match(/[^\s=]+=\([^)]*\)|[^\s]+/g) ?? [];
  const plain: string[] = [];
  const named = new Map<string, string[]>();
  for (const token of tokens.slice(1)) {
    const equals = token.indexOf("=");
    if (equals < 0) {
      plain.push(token);
      continue;
    }
    const value = token.slice(equals + 1);
    const list = value.startsWith("(") ? value.slice(1, -1) : value;
    const items = list.split(",").map((item) => item.trim());
    named.set(token.slice(0, equals), list === "" ? [] : items);
  }
  return { command: tokens[0] as string, plain, named };
}

const LETTERS = new Map<string, number>([
  ["v", ConfChangeType.ADD_NODE],
  ["l", ConfChangeType.ADD_LEARNER],
  ["r", ConfChangeType.REMOVE_NODE],
  ["u", ConfChangeType.UPDATE_NODE],
]);

/** `v1 l2 r3 u4`: voter, learner, remove, update. */
export function parseChanges(input: readonly string[]): ConfChangeV2["changes"] {
  const tokens = input.join(" ").split(/\s+/).filter(Boolean);
  return tokens.map((token) => {
    const type = LETTERS.get(token[0] as string);
    assert.ok(type !== undefined, `unknown change ${token}`);
    return { type, nodeId: BigInt(token.slice(1)) };
  });
}

export function formatChanges(changes: ConfChangeV2["changes"]): string {
  const letters = new Map([...LETTERS].map(([letter, type]) => [type, letter]));
  return changes.map(({ type, nodeId }) => `${letters.get(type)}${nodeId}`).join(" ");
}
