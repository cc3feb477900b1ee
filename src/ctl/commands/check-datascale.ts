/** `check datascale` (CT-26): how much memory does a number of keys take? */
import { errorLines, LOAD_FLAGS, LoadClients, loadOf, untilInterrupted } from "../check-load.ts";
import { type Command, textFlag } from "../command.ts";
import type { Context } from "../context.ts";
import { CtlError, CtlExit, Exit } from "../exit.ts";
import { MetricsPage } from "../health/metrics-page.ts";
import { httpGet } from "../http-get.ts";
import { runLoad } from "../load.ts";
import { tlsOf } from "../open-client.ts";
import { Progress } from "../progress.ts";

const MODELS = {
  s: { count: 10_000, clients: 50 },
  m: { count: 100_000, clients: 200 },
  l: { count: 1_000_000, clients: 500 },
  xl: { count: 3_000_000, clients: 1_000 },
};
const PAIR_BYTES = 1_024;
const METRICS_MS_MAX = 5_000;

export const checkDatascale: Command = {
  usage: "[options]",
  description:
    "Puts 10 000 (s), 100 000 (m), a million (l) or three million (xl) pairs of 1 KiB below\n" +
    "--prefix, tells by how much the first endpoint's resident memory grew, and deletes them.",
  examples: [{ line: "etcdctl check datascale --load=s", says: "ten thousand pairs" }],
  flags: [
    ...LOAD_FLAGS,
    textFlag("prefix", "/etcdctl-check-datascale/", "what the keys begin with"),
  ],
  run: async (context, _, flags) => {
    const model = loadOf(flags, MODELS);
    const clients = await LoadClients.open(context, flags, model.clients);
    const interrupt = untilInterrupted(context);
    const now = (): number => performance.now();
    const bar = new Progress(context.io, {
      what: "putting",
      total: model.count,
      unit: "things",
      now,
    });
    const value = Buffer.alloc(PAIR_BYTES / 2);
    try {
      const before = await memoryBytes(context, clients, "before");
      context.out(
        `Start data scale check for work load [${model.count} key-value pairs, ${PAIR_BYTES} bytes ` +
          `per key-value, ${model.clients} concurrent clients].\n`,
      );
      const result = await runLoad({
        workers: model.clients,
        perSecondMax: Number.POSITIVE_INFINITY,
        countMax: model.count,
        durationMsMax: Number.POSITIVE_INFINITY,
        signal: interrupt.signal,
        now,
        sleep: () => Promise.resolve(),
        put: (worker) => clients.put(worker, PAIR_BYTES / 2, value),
        onDone: (done) => bar.show(done),
      });
      bar.end();
      const after = await memoryBytes(context, clients, "after");
      await clients.cleanUp(context, flags);
      if (interrupt.signal.aborted) throw new CtlExit(Exit.INTERRUPTED);
      if (result.errors.size > 0) {
        context.out(errorLines(result.errors));
        throw new CtlExit(Exit.ERROR);
      }
      const megabytes = ((after - before) / 1024 ** 2).toFixed(2);
      context.out(`PASS: Approximate system memory used : ${megabytes} MB.\n`);
    } finally {
      interrupt.end();
      bar.end();
      clients.close();
    }
  },
};

async function memoryBytes(
  { flags }: Context,
  { clients }: LoadClients,
  when: string,
): Promise<number> {
  const endpoints = clients[0]?.endpoints ?? [];
  const tls = tlsOf(flags, endpoints);
  const options = { tls, timeoutMs: METRICS_MS_MAX };
  const page = await httpGet(`${endpoints[0]}/metrics`, options).catch(() => undefined);
  const bytes = new MetricsPage(page?.body ?? "").value("process_resident_memory_bytes") ?? 0;
  if (bytes > 0) return bytes;
  throw new CtlError(
    `FAIL: Could not read process_resident_memory_bytes ${when} the put operations.`,
    Exit.ERROR,
  );
}
