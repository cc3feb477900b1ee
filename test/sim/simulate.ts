/**
 * One run: a whole cluster, its clients and its faults, all from one seed, in this thread and on
 * simulated time. The same plan gives the same run, line by line of its trace.
 */
import { Prng } from "../../src/base/index.ts";
import { Cluster } from "../cluster/harness.ts";
import { Schedule } from "./faults/schedule.ts";
import { CheckFailed, type Failure, failureOf, type Outcome } from "./outcome.ts";
import { makePlan, type Plan, type PlanOptions } from "./plan.ts";
import { Traffic } from "./traffic.ts";

export interface SimulateOptions extends PlanOptions {
  /** This plan, whatever the other options say. */
  readonly plan?: Plan;
  /** Where every line of the trace goes. */
  readonly traceFile?: string;
}

/** What is put back leaves this directory of a host alone. */
const WITNESS = "/witness";

/** Never rejects for what a run finds: that is the outcome's failure. */
export async function simulate(options: SimulateOptions): Promise<Outcome> {
  const plan = options.plan ?? makePlan(options);
  const startedMs = performance.now();
  const cpuBefore = process.cpuUsage();
  const cluster = new Cluster({
    seed: plan.seed,
    size: plan.members,
    settings: plan.settings,
    diskDelayMaxMs: plan.diskDelayMaxMs,
    ...(plan.hasWitness === true ? { witnessDirectory: WITNESS } : {}),
    ...(options.traceFile === undefined ? {} : { traceFile: options.traceFile }),
  });
  cluster.driftMax = plan.drift;
  const hasDrift = plan.faults.some(({ kind }) => kind === "clockDrift");
  const drift = hasDrift ? plan.drift : 0;
  const traffic = new Traffic(cluster, plan.traffic, new Prng(plan.traffic.seed), drift);
  const schedule = new Schedule(cluster, plan.faults, () => traffic.refusals);
  let failure: Failure | undefined;
  try {
    await run(cluster, schedule, traffic, plan);
  } catch (error) {
    failure = failureOf(error, cluster.nowMs);
    cluster.note(`failed: ${failure.check}: ${failure.message}`);
  }
  const digest = cluster.trace.digest();
  const observations = schedule.observe();
  const simulatedMs = cluster.nowMs;
  cluster.abandon();
  const cpu = process.cpuUsage(cpuBefore);
  return {
    seed: plan.seed,
    plan,
    ok: failure === undefined,
    ...(failure === undefined ? {} : { failure }),
    digest,
    figures: {
      simulatedMs,
      wallMs: performance.now() - startedMs,
      cpuMs: (cpu.user + cpu.system) / 1_000,
      asked: traffic.asked,
      answered: traffic.answered,
      observations,
      faults: schedule.figures,
    },
  };
}

async function run(
  cluster: Cluster,
  schedule: Schedule,
  traffic: Traffic,
  plan: Plan,
): Promise<void> {
  await cluster.startAll();
  traffic.start();
  await schedule.during(plan.simulatedMs);
  await traffic.finish();
  await cluster.heal();
  await traffic.settle();
  traffic.check(schedule.compacted);
  await cluster.sameHash();
  const astray = cluster.nodes.find((node) => node.isAstray);
  if (astray !== undefined) {
    throw new CheckFailed("wrong states are found", `${astray.host} serves from a wrong state`);
  }
}
