/**
 * What applying a put costs beyond the store: the same puts through the machine and straight into
 * a store that does nothing, and into the real one on a backend that drops the rows.
 *
 * Run: node bench/micro/apply.ts
 */
import { openAlarms } from "../../src/alarm/index.ts";
import { createMachine } from "../../src/apply/index.ts";
import { MemoryBackend } from "../../src/backend/index.ts";
import { openLessor } from "../../src/lease/index.ts";
import { openStore, type Store } from "../../src/mvcc/index.ts";
import { ModelStore } from "../../src/testing/index.ts";
import type { RaftRequest } from "../../src/wire/index.ts";

const COUNT = 200_000;
const header = { memberPrefix: 1, sequence: 1, username: "", authRevision: 0 };

class NoBackend extends MemoryBackend {
  override put(): void {}
  override delete(): void {}
}

function requests(): RaftRequest[] {
  const value = Buffer.alloc(256, 120);
  return Array.from({ length: COUNT }, (_, at) => {
    const key = String(at % 50_000).padStart(8, "0");
    const options = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
    return { header, operation: { kind: "put", put: { key, value, ...options } } };
  });
}

function nullStore(): Store {
  const store = new ModelStore();
  const changes = { revision: 2, changes: [] };
  const tx = { revision: 2, range: () => undefined, put: () => {}, end: () => changes };
  return Object.assign(store, { begin: () => tx }) as unknown as Store;
}

function measure(name: string, store: Store): void {
  const backend = new NoBackend();
  const lessor = openLessor(backend);
  const machine = createMachine({ backend, store, lessor, alarms: openAlarms(backend) });
  const all = requests();
  const throughFrom = performance.now();
  for (let at = 0; at < COUNT; at += 1) machine.apply(at + 1, 1, all[at] as RaftRequest, true);
  const throughMs = performance.now() - throughFrom;
  const straightFrom = performance.now();
  for (const { operation } of all) {
    if (operation.kind !== "put") continue;
    const tx = store.begin();
    tx.put(operation.put.key, operation.put.value, 0n);
    tx.end();
  }
  const straightMs = performance.now() - straightFrom;
  const each = (ms: number) => ((ms * 1_000) / COUNT).toFixed(2);
  console.log(`${name}: ${each(throughMs)} us through the machine, ${each(straightMs)} us without`);
}

for (let round = 0; round < 3; round += 1) {
  measure("no store", nullStore());
  const yieldToLoop = () => Promise.resolve();
  measure("store in memory", await openStore(new NoBackend(), { yieldToLoop }));
}
