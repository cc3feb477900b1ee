/** Replays etcd's quorum tables, and tries each case in the ways that must not matter. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Acknowledged,
  jointCommitted,
  type JointVoters,
  jointVote,
  majorityCommitted,
  majorityVote,
} from "./quorum.ts";
import { type Directive, readScenario, scenarioFiles } from "./testdata.test.ts";

const NOBODY: ReadonlySet<bigint> = new Set();

class Known implements Acknowledged {
  readonly indexes = new Map<bigint, number>();

  acknowledged(id: bigint): number | undefined {
    return this.indexes.get(id);
  }
}

function idsOf(directive: Directive, key: string): bigint[] {
  const values = directive.named.get(key) ?? [];
  return values.filter((value) => value !== "zero").map(BigInt);
}

function votersOf(directive: Directive): JointVoters {
  return {
    incoming: new Set(idsOf(directive, "cfg")),
    outgoing: new Set(idsOf(directive, "cfgj")),
  };
}

/** Values in the order of the ids, first those of cfg and then those that only cfgj has. */
function byVoter<T>(directive: Directive, key: string, parse: (text: string) => T): Map<bigint, T> {
  const ids = [...new Set([...idsOf(directive, "cfg"), ...idsOf(directive, "cfgj")])];
  const values = directive.named.get(key) ?? [];
  const parsed = new Map<bigint, T>();
  values.forEach((value, at) => {
    if (value !== "_") parsed.set(ids[at] as bigint, parse(value));
  });
  return parsed;
}

/** Each voter with a bar as long as there are voters that are known to be behind it. */
function tableLines(voters: JointVoters, known: Known): string[] {
  const ids = [...new Set([...voters.incoming, ...voters.outgoing])].sort((a, b) => Number(a - b));
  if (ids.length === 0) return [];
  const lines = [`${" ".repeat(ids.length)}    idx`];
  for (const id of ids) {
    const index = known.acknowledged(id);
    const behind = ids.filter((other) => (known.acknowledged(other) ?? 0) < (index ?? 0)).length;
    const bar = index === undefined ? "?" : `${"x".repeat(behind)}>`;
    const value = String(index ?? 0).padStart(5);
    lines.push(`${bar.padEnd(ids.length + 1)} ${value}    (id=${id})`);
  }
  return lines;
}

function committedLines(directive: Directive): string[] {
  const voters = votersOf(directive);
  const known = new Known();
  for (const [id, index] of byVoter(directive, "idx", Number)) known.indexes.set(id, index);
  const { incoming, outgoing } = voters;
  const index = jointCommitted(voters, known);
  if (!directive.named.has("cfgj")) {
    assert.equal(majorityCommitted(incoming, known), index, "a zero joint half changes nothing");
    const self = { incoming, outgoing: incoming };
    assert.equal(jointCommitted(self, known), index, "joint with itself changes nothing");
  }
  const swapped = { incoming: outgoing, outgoing: incoming };
  assert.equal(jointCommitted(swapped, known), index, "the halves are alike");
  const table = tableLines(voters, known);
  const text = index === Number.POSITIVE_INFINITY ? "∞" : String(index);
  return table.length === 0 ? [`<empty majority quorum>${text}`] : [...table, text];
}

function voteLines(directive: Directive): string[] {
  const voters = votersOf(directive);
  const votes = byVoter(directive, "votes", (text) => text === "y");
  const result = jointVote(voters, votes);
  if (!directive.named.has("cfgj")) {
    assert.equal(majorityVote(voters.incoming, votes), result);
    assert.equal(jointVote({ incoming: voters.incoming, outgoing: NOBODY }, votes), result);
  }
  assert.equal(jointVote({ incoming: voters.outgoing, outgoing: voters.incoming }, votes), result);
  return [`Vote${result[0]?.toUpperCase()}${result.slice(1)}`];
}

for (const name of scenarioFiles("quorum")) {
  test(`quorum scenario ${name}: every table and result is etcd's`, () => {
    for (const directive of readScenario("quorum", name)) {
      const lines = directive.command === "vote" ? voteLines(directive) : committedLines(directive);
      assert.deepEqual(lines, directive.expected, directive.at);
    }
  });
}
