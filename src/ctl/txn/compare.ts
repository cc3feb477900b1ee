/** Conditions of `txn`: `mod("key") > "0"`. */
import { compare, type Compare, type Relation } from "../../client/index.ts";
import { CtlError, Exit } from "../exit.ts";
import { parseInt64 } from "../go-values.ts";
import { quote } from "../print/quote.ts";
import { shown, unquote } from "./words.ts";

/** `line` is a byte string without space around it. Throws CtlError in etcdctl's words. */
export function parseCompare(line: string): Compare {
  const open = line.indexOf("(");
  if (open === -1) throw invalid(`malformed comparison: ${shown(line)}`);
  const target = line.slice(0, open);
  const { key, relation, value, isWhole } = scan(line.slice(open + 1));
  if (!isWhole) {
    const got = `${shown(target)}(${quoted(key)}) ${shown(relation)} ${quoted(value)}`;
    throw invalid(`malformed comparison: ${shown(line)}; got ${got}`);
  }
  const make = MAKERS[target];
  if (make === undefined) {
    throw invalid(`malformed comparison: ${shown(line)} (unknown target ${shown(target)})`);
  }
  let operand: bigint | string;
  try {
    operand = make.base === undefined ? value : parseInt64(value, make.base);
  } catch {
    throw invalid(`invalid txn compare request: ${shown(line)}`);
  }
  if (!RELATIONS.has(relation)) {
    const known = [...RELATIONS].join(" ");
    throw invalid(
      `malformed comparison: ${shown(line)} (unknown relation ${shown(relation)}, want one of ${known})`,
    );
  }
  return make.build(Buffer.from(key, "latin1"), relation as Relation, operand);
}

const RELATIONS: ReadonlySet<string> = new Set(["=", "!=", ">", "<"]);

interface Maker {
  /** Of the number; undefined where the operand is bytes. */
  readonly base: 10 | 16 | undefined;
  build(key: Buffer, relation: Relation, operand: bigint | string): Compare;
}

const VERSION: Maker = {
  base: 10,
  build: (key, relation, operand) => compare.version(key, relation, Number(operand)),
};
const CREATE: Maker = {
  base: 10,
  build: (key, relation, operand) => compare.createRevision(key, relation, Number(operand)),
};
const MOD: Maker = {
  base: 10,
  build: (key, relation, operand) => compare.modRevision(key, relation, Number(operand)),
};
const VALUE: Maker = {
  base: undefined,
  build: (key, relation, operand) =>
    compare.value(key, relation, Buffer.from(String(operand), "latin1")),
};
const LEASE: Maker = {
  base: 16,
  build: (key, relation, operand) => compare.lease(key, relation, BigInt(operand)),
};
const MAKERS: Readonly<Record<string, Maker>> = {
  ver: VERSION,
  version: VERSION,
  c: CREATE,
  create: CREATE,
  m: MOD,
  mod: MOD,
  val: VALUE,
  value: VALUE,
  lease: LEASE,
};

interface Scanned {
  key: string;
  relation: string;
  value: string;
  isWhole: boolean;
}

/** Reads `"key") relation "value"` as Go's Sscanf does: space is wanted between, not before. */
function scan(text: string): Scanned {
  const found: Scanned = { key: "", relation: "", value: "", isWhole: false };
  let rest = text;
  const take = (pattern: RegExp): string | undefined => {
    const match = pattern.exec(rest)?.[0];
    if (match !== undefined) rest = rest.slice(match.length);
    return match;
  };
  const literal = (): string | undefined => {
    take(/^[\t\r ]*/);
    const whole = take(/^("(?:[^"\\]|\\[^])*"|`[^`]*`)/);
    return whole === undefined ? undefined : unquote(whole);
  };
  const key = literal();
  if (key === undefined) return found;
  found.key = key;
  if (take(/^\)/) === undefined || take(/^[\t\r ]+/) === undefined) return found;
  const relation = take(/^[^\t\n\v\f\r ]+/);
  if (relation === undefined) return found;
  found.relation = relation;
  if (take(/^[\t\r ]+/) === undefined) return found;
  const value = literal();
  if (value === undefined) return found;
  return { ...found, value, isWhole: true };
}

function quoted(bytes: string): string {
  return quote(Buffer.from(bytes, "latin1"));
}

function invalid(message: string): CtlError {
  return new CtlError(message, Exit.INVALID_INPUT);
}
