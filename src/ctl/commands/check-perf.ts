/** `check perf` (CT-25): does the cluster keep up with a load, and with how steady a hand? */
import { errorLines, LOAD_FLAGS, LoadClients, loadOf, untilInterrupted } from "../check-load.ts";
import { type Command, textFlag } from "../command.ts";
import { CtlExit, Exit } from "../exit.ts";
import { type LoadResult, runLoad } from "../load.ts";
import { Progress } from "../progress.ts";

const MODELS = {
  s: { perSecond: 150, clients: 50 },
  m: { perSecond: 1_000, clients: 200 },
  l: { perSecond: 8_000, clients: 500 },
  xl: { perSecond: 15_000, clients: 1_000 },
};
const KEY_BYTES = 256;
const VALUE_BYTES = 1_024;
const THROUGHPUT_SHARE_MIN = 0.9;
const SLOWEST_SECONDS_MAX = 0.5;
const STDDEV_SECONDS_MAX = 0.1;

export const checkPerf: Command = {
  usage: "[options]",
  description:
    "Puts keys of 256 bytes with values of 1 KiB below --prefix, at 150 (s), 1 000 (m), 8 000 (l)\n" +
    "or 15 000 (xl) a second, and deletes them again. PASS: nine tenths of the rate were reached,\n" +
    "nothing took longer than 0.5 s, and latencies differ by no more than 0.1 s. FAIL: exit code 1.",
  examples: [
    { line: "etcdctl check perf", says: "the small load, for a minute" },
    { line: "etcdctl check perf --load=m --duration=10s", says: "a larger one, not so long" },
  ],
  flags: [
    ...LOAD_FLAGS,
    { name: "duration", kind: "duration", initial: "1m", help: "how long" },
    textFlag("prefix", "/etcdctl-check-perf/", "what the keys begin with"),
  ],
  run: async (context, _, flags) => {
    const model = loadOf(flags, MODELS);
    const durationMsMax = flags.durationMs("duration");
    const clients = await LoadClients.open(context, flags, model.clients);
    const interrupt = untilInterrupted(context);
    const now = (): number => performance.now();
    const begin = now();
    const total = Math.ceil(durationMsMax / 1000);
    const bar = new Progress(context.io, { what: "seconds", total, unit: "things", now });
    const value = Buffer.alloc(VALUE_BYTES);
    try {
      const result = await runLoad({
        workers: model.clients,
        perSecondMax: model.perSecond,
        countMax: Number.POSITIVE_INFINITY,
        durationMsMax,
        signal: interrupt.signal,
        now,
        sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
        put: (worker) => clients.put(worker, KEY_BYTES, value),
        onDone: () => bar.show(Math.floor((now() - begin) / 1000)),
      });
      bar.end();
      await clients.cleanUp(context, flags);
      if (interrupt.signal.aborted) throw new CtlExit(Exit.INTERRUPTED);
      const { text, hasPassed } = judge(result, model.perSecond);
      context.out(text);
      if (!hasPassed) throw new CtlExit(Exit.ERROR);
    } finally {
      interrupt.end();
      bar.end();
      clients.close();
    }
  },
};

export function judge(
  result: LoadResult,
  perSecondMax: number,
): { readonly text: string; readonly hasPassed: boolean } {
  const { perSecond, slowestSeconds, stddevSeconds, errors } = result;
  const rate = Math.floor(perSecond) + 1;
  const isFast = perSecond / perSecondMax > THROUGHPUT_SHARE_MIN;
  const isSwift = slowestSeconds <= SLOWEST_SECONDS_MAX;
  const isSteady = stddevSeconds <= STDDEV_SECONDS_MAX;
  const hasPassed = errors.size === 0 && isFast && isSwift && isSteady;
  const slowest = slowestSeconds.toFixed(6);
  const stddev = stddevSeconds.toFixed(6);
  const text = [
    isFast ? `PASS: Throughput is ${rate} writes/s` : `FAIL: Throughput too low: ${rate} writes/s`,
    isSwift
      ? `PASS: Slowest request took ${slowest}s`
      : `Slowest request took too long: ${slowest}s`,
    isSteady ? `PASS: Stddev is ${stddev}s` : `Stddev too high: ${stddev}s`,
    hasPassed ? "PASS" : "FAIL",
    "",
  ].join("\n");
  return { text: errorLines(errors) + text, hasPassed };
}
