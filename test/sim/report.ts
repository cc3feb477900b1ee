/** What runs add up to, for people. */
import { FAULT_KINDS, type FaultKind } from "./faults/kinds.ts";
import { OBSERVED, type Observation } from "./observations.ts";
import type { Figures, Outcome } from "./outcome.ts";

const HOUR_MS = 3_600_000;

export class Totals {
  runs = 0;
  failed = 0;
  simulatedMs = 0;
  wallMs = 0;
  cpuMs = 0;
  asked = 0;
  answered = 0;
  readonly observations = new Map<Observation, number>();
  readonly faults = new Map<FaultKind, { injected: number; effective: number }>();

  add({ ok, figures }: { readonly ok: boolean; readonly figures: Figures }): void {
    this.runs += 1;
    if (!ok) this.failed += 1;
    this.simulatedMs += figures.simulatedMs;
    this.wallMs += figures.wallMs;
    this.cpuMs += figures.cpuMs;
    this.asked += figures.asked;
    this.answered += figures.answered;
    for (const name of OBSERVED) {
      const known = this.observations.get(name) ?? 0;
      this.observations.set(name, known + (figures.observations[name] ?? 0));
    }
    for (const [kind, { injected, effective }] of Object.entries(figures.faults)) {
      const known = this.faults.get(kind as FaultKind) ?? { injected: 0, effective: 0 };
      this.faults.set(kind as FaultKind, {
        injected: known.injected + injected,
        effective: known.effective + effective,
      });
    }
  }

  get timesRealTime(): number {
    return this.simulatedMs / Math.max(1, this.wallMs);
  }

  lines(): string[] {
    const seen = (name: Observation): string => `${this.observations.get(name) ?? 0}`;
    const operations = `${this.asked} operations, ${this.answered} answered`;
    const perSecond = ((this.asked * 1_000) / Math.max(1, this.simulatedMs)).toFixed(0);
    return [
      `${this.runs} runs, ${this.failed} failed; ${(this.simulatedMs / HOUR_MS).toFixed(2)} ` +
        `simulated hours in ${(this.wallMs / 1_000).toFixed(0)} s: ` +
        `${this.timesRealTime.toFixed(0)} times real time, ` +
        `${(this.cpuMs / 1_000 / Math.max(1, this.runs)).toFixed(2)} s of processor time a run`,
      `${operations} (${perSecond} a simulated second); ${seen("leaderships")} elections won, ` +
        `${seen("snapshots")} snapshots delivered, ${seen("restarts")} restarts, ` +
        `${seen("membershipChanges")} changes of the membership`,
      "fault: injected / with an effect",
      ...FAULT_KINDS.filter((kind) => this.faults.has(kind)).map((kind) => {
        const { injected, effective } = this.faults.get(kind) ?? { injected: 0, effective: 0 };
        return `  ${kind.padEnd(14)} ${injected} / ${effective}`;
      }),
      "seen:",
      ...OBSERVED.map((name) => `  ${name.padEnd(18)} ${seen(name)}`),
    ];
  }
}

/** One run in one line. */
export function oneLine({ seed, plan, ok, failure, figures, digest }: Outcome): string {
  const { simulatedMs, wallMs, answered } = figures;
  return (
    `seed ${seed}: ${plan.members} members, ${(simulatedMs / 1_000).toFixed(0)} simulated s, ` +
    `${answered} answers, ${plan.faults.length} faults, ` +
    `${(simulatedMs / wallMs).toFixed(0)} times real time, trace ${digest}: ` +
    `${ok ? "clean" : `FAILED ${failure?.check} at ${failure?.atMs.toFixed(0)} ms`}`
  );
}
