/** Drives two servers through the same seeded requests and reports where they differ. */
import { Prng } from "../../src/base/index.ts";
import type { Server } from "../harness/process.ts";
import { plain } from "./normalise.ts";
import { Generator, type Operation } from "./operation.ts";
import { Side } from "./side.ts";

export interface Difference {
  readonly step: number;
  readonly operation: Operation;
  readonly left: string;
  readonly right: string;
  readonly compacted: bigint;
}

/** Explains a difference that is known and wanted; undefined when it is neither. */
export type Explain = (difference: Difference) => string | undefined;

export interface Outcome {
  readonly steps: number;
  readonly differences: readonly Difference[];
  /** How often each known difference was met. */
  readonly explained: ReadonlyMap<string, number>;
  /** How often each kind of operation was asked, and how often it was refused. */
  readonly asked: ReadonlyMap<string, { count: number; refused: number }>;
}

const DIFFERENCES_MAX = 5;

export function show(seed: number, difference: Difference): string {
  const { step, operation, left, right } = difference;
  return [
    `seed ${seed}, step ${step}: ${JSON.stringify(plain(operation))}`,
    `  left:  ${left}`,
    `  right: ${right}`,
  ].join("\n");
}

export async function compare(
  left: Server,
  right: Server,
  options: { seed: number; steps: number; explain?: Explain },
): Promise<Outcome> {
  const sides = [new Side(left), new Side(right)] as const;
  const generator = new Generator(new Prng(options.seed));
  const differences: Difference[] = [];
  const explained = new Map<string, number>();
  const asked = new Map<string, { count: number; refused: number }>();
  await Promise.all(sides.map((side) => side.open()));
  const [a] = sides;
  let compacted = -1n;

  const ask = async (step: number, operation: Operation): Promise<void> => {
    const [left, right] = await Promise.all(
      sides.map((side) =>
        side.perform(operation).catch((error: unknown) => {
          return `broken off: ${error instanceof Error ? error.message : String(error)}`;
        }),
      ),
    );
    if (left === undefined || right === undefined) return;
    const entry = asked.get(operation.kind) ?? { count: 0, refused: 0 };
    asked.set(operation.kind, entry);
    entry.count++;
    if (left.startsWith("refused")) entry.refused++;
    else if (operation.kind === "compact") {
      compacted = operation.request.revision ?? 0n;
      for (const side of sides) side.compacted = compacted;
    }
    for (const { server } of sides) {
      if (!server.hasExited) continue;
      const what = JSON.stringify(plain(operation));
      throw new Error(
        `seed ${options.seed}, step ${step}: ${server.kind} ended at ${what}\n${server.tail(8)}`,
      );
    }
    const isBroken = /^(broken off|watches not settled)/;
    if (left === right && !isBroken.test(left)) return;
    const difference = { step, operation, left, right, compacted };
    const reason = options.explain?.(difference);
    if (reason === undefined) differences.push(difference);
    else explained.set(reason, (explained.get(reason) ?? 0) + 1);
  };

  const known = {
    get revision(): bigint {
      return a.revision;
    },
    get compacted(): bigint {
      return compacted;
    },
    isTombstone(revision: bigint): boolean {
      for (let i = a.history.length - 1; i >= 0; i--) {
        const event = a.history[i];
        if (event === undefined || event.revision < revision) return false;
        if (event.revision === revision && event.isDelete) return true;
      }
      return false;
    },
  };

  let step = 0;
  try {
    for (; step < options.steps && differences.length < DIFFERENCES_MAX; step++) {
      const operation = generator.next(known);
      // Compaction takes history away from watches with prev_kv, so they get what is due before.
      if (operation.kind === "compact") await ask(step, { kind: "settle" });
      await ask(step, operation);
    }
    await ask(step, { kind: "settle" });
    await ask(step, { kind: "hashKv", request: {} });
    const all = Buffer.from([0]);
    await ask(step, { kind: "range", request: { key: all, rangeEnd: all } });
  } finally {
    for (const side of sides) side.close();
  }
  return { steps: step, differences, explained, asked };
}
