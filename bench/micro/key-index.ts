/**
 * What the key index costs by itself: `node bench/micro/key-index.ts <keys> <count> [operation]`.
 *
 * `keys`: `scattered` (the bench's own), `ordered`, `pods` (30 bytes, in random order, a hundred
 * namespaces), `pods-ordered`. Loads `count` keys, each cut from a buffer as a request's key is;
 * then does an operation (`update`, `get`, `miss`; `load` = nothing more) a million times on random
 * keys, and prints the CPU time of each; with `--expose-gc` also the memory that a key takes.
 */
import { Prng } from "../../src/base/index.ts";
import { KeyIndex } from "../../src/mvcc/key-index.ts";
import { orderedKey, scatteredKey } from "../load/keys.ts";

const OPERATIONS = 1_000_000;
const [kind = "scattered", count = "100000", operation = "all"] = process.argv.slice(2);
const keyCount = Number(count);
const prng = new Prng(1);

function keyOf(at: number): string {
  switch (kind) {
    case "scattered":
      return scatteredKey(at);
    case "ordered":
      return orderedKey(at);
    case "pods-ordered":
      return `/registry/pods/ns/name-${String(at).padStart(7, "0")}`;
    case "pods": {
      const name = (Math.imul(at + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0");
      return `/registry/pods/ns-${String(at % 100).padStart(2, "0")}/${name}`;
    }
    default:
      throw new Error(`unknown keys: ${kind}`);
  }
}

/** Keys one behind the other. */
function bufferOf(indexes: Iterable<number>, suffix: string): { bytes: Buffer; size: number } {
  const keys = Array.from(indexes, (at) => keyOf(at) + suffix);
  return { bytes: Buffer.from(keys.join(""), "latin1"), size: (keys[0] as string).length };
}

/** Of the heap and of typed memory. */
function heldBytes(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function cpuNs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) * 1000;
}

function measure(name: string, keys: { bytes: Buffer; size: number }, run: (key: string) => void) {
  const { bytes, size } = keys;
  const before = cpuNs();
  for (let at = 0; at < bytes.length; at += size) run(bytes.latin1Slice(at, at + size));
  const each = ((cpuNs() - before) * size) / bytes.length;
  console.log(`${kind} ${keyCount} ${name}: ${each.toFixed(0)} ns`);
}

function* randomKeys(): Iterable<number> {
  for (let at = 0; at < OPERATIONS; at += 1) yield prng.below(keyCount);
}

const index = new KeyIndex();
let revision = 1;
const put = (key: string): void => index.put(key, (revision += 1), 0, 0n);
const all = bufferOf(
  Array.from({ length: keyCount }, (_, at) => at),
  "",
);
const operations = bufferOf(randomKeys(), "");
const missing = bufferOf(randomKeys(), "x");
const before = heldBytes();
measure("new", all, put);
if (globalThis.gc !== undefined) {
  console.log(`${((heldBytes() - before) / keyCount).toFixed(0)} bytes a key`);
}
let found = 0;
const get = (key: string): void => {
  if (index.locate(key, revision)) found += index.main;
};
if (operation === "update" || operation === "all") measure("update", operations, put);
if (operation === "get" || operation === "all") measure("get", operations, get);
if (operation === "miss" || operation === "all") measure("miss", missing, get);
