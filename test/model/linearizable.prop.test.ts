/**
 * Random runs of a store that is right, with calls that overlap and outcomes that stay unknown: the
 * judges accept them. The same runs with one answer falsified: they do not. PROP_RUNS: how many.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../src/base/index.ts";
import { RunOfHand } from "./fixture.ts";
import { type Call, kv, type KvRequest, type Operation, range, type Response } from "./history.ts";
import { changedSomething, explain } from "./linearizable.ts";

const RUNS = Math.min(3_000, Number(process.env["PROP_RUNS"] ?? 150));
const STEPS = 150;
const CALLS_OPEN_MAX = 6;

interface Open {
  readonly call: Call;
  readonly request: KvRequest;
  response: Response | undefined;
}

function request(prng: Prng, value: string): KvRequest {
  const key = `k/${prng.below(3)}`;
  const put: Operation = { kind: "put", key, value, lease: "0", wantsPrevious: prng.chance(0.3) };
  const remove: Operation = { kind: "delete", key, rangeEnd: prng.chance(0.2) ? "k0" : "" };
  const dice = prng.below(10);
  if (dice < 4) return kv([put]);
  if (dice < 6) return kv([remove]);
  if (dice < 8) return kv([range("k/", "k0")]);
  return {
    kind: "kv",
    compares: [{ target: "version", key, value: prng.below(2) }],
    success: [put],
    failure: [range(key)],
    isSerializable: false,
  };
}

/** A store that takes each call at one moment between its beginning and its answer. */
function runOf(seed: number): RunOfHand {
  const prng = new Prng(seed);
  const run = new RunOfHand();
  let open: Open[] = [];
  for (let step = 0; step < STEPS; step += 1) {
    const dice = prng.below(3);
    const chosen = open.length === 0 ? undefined : prng.pick(open);
    if (dice === 0 && open.length < CALLS_OPEN_MAX) {
      const made = request(prng, `v${step}`);
      open.push({ call: run.recorder.call("c", "m", made), request: made, response: undefined });
    } else if (dice === 1 && chosen !== undefined && chosen.response === undefined) {
      chosen.response = perform(run, chosen.request);
    } else if (chosen !== undefined) {
      open = open.filter((other) => other !== chosen);
      // Given up, done or not; one that is not done may still be done at any time.
      const { response } = chosen;
      if (response === undefined || prng.chance(0.2)) {
        if (response === undefined && prng.chance(0.5)) perform(run, chosen.request);
      } else run.recorder.returned(chosen.call, { kind: "ok", response });
    }
  }
  return run;
}

function perform(run: RunOfHand, made: KvRequest): Response {
  const { events, isSuccess, results } = run.replay.execute(made);
  if (events.length > 0) run.happens(...events);
  return { revision: run.replay.revision, isSuccess, results, ttlSeconds: 0 };
}

test(`linearizable: ${RUNS} random runs of a right store → accepted`, () => {
  let revisions = 0;
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const run = runOf(seed);
    assert.deepEqual(run.judge(), [], `seed ${seed}`);
    revisions += run.replay.revision;
  }
  assert.ok(revisions > RUNS * 10);
});

test(`linearizable: ${RUNS} random runs whose history has gaps → explained or given up, never refused wrongly`, () => {
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const run = runOf(seed);
    const prng = new Prng(seed);
    for (const revision of [...run.chronicle.keys()]) {
      if (prng.chance(0.1)) run.chronicle.delete(revision);
    }
    const { problems } = explain(run.record);
    assert.deepEqual(problems, [], `seed ${seed}`);
  }
});

/** Each makes an answer of the call wrong; undefined = it cannot be done with this one. */
const LIES: ReadonlyMap<string, (call: Call, response: Response) => Response | undefined> = new Map(
  [
    [
      "a value that was never there",
      (_call, response) => {
        const [first, ...rest] = response.results;
        const [pair] = first?.kind === "range" ? first.pairs : [];
        if (first?.kind !== "range" || pair === undefined) return undefined;
        const pairs = [{ ...pair, value: "never" }, ...first.pairs.slice(1)];
        return { ...response, results: [{ ...first, pairs }, ...rest] };
      },
    ],
    [
      "a write at the revision before",
      (call, response) =>
        changedSomething(call) ? { ...response, revision: response.revision - 1 } : undefined,
    ],
    [
      "a condition that held, told as failed",
      (call, response) =>
        call.request.kind === "kv" && call.request.compares.length > 0
          ? { ...response, isSuccess: !response.isSuccess }
          : undefined,
    ],
  ],
);

for (const [name, lie] of LIES) {
  test(`linearizable: random runs with ${name} → refused`, () => {
    let told = 0;
    for (let seed = 1; seed <= RUNS; seed += 1) {
      const run = runOf(seed);
      for (const call of run.recorder.calls) {
        if (call.outcome.kind !== "ok") continue;
        const response = lie(call, call.outcome.response);
        if (response === undefined) continue;
        call.outcome = { kind: "ok", response };
        told += 1;
        assert.notDeepEqual(run.judge(), [], `seed ${seed}, call ${call.id}`);
        break;
      }
    }
    assert.ok(told > RUNS / 4, `${told} lies`);
  });
}
