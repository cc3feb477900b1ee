/** Asks a server that is starting until it answers. */
import { emptyRangeRequest, encodeRangeRequest, marshal } from "../../src/wire/index.ts";
import type { Figures } from "../cases.ts";
import { callOnce, KV_RANGE } from "./channel.ts";
import { Http2Channel } from "./http2-channel.ts";
import type { AwaitReadyJob } from "./jobs.ts";

const RETRY_MS = 2;
/** An attempt that hangs (a server without a leader may hold a read) is given up after this. */
const ATTEMPT_MS = 250;

export async function awaitReady(job: AwaitReadyJob): Promise<Figures> {
  const request = marshal(encodeRangeRequest, { ...emptyRangeRequest(), key: "ready?" });
  const deadlineMs = performance.now() + job.timeoutSeconds * 1000;
  for (;;) {
    if (await attempt(job.port, request)) {
      const elapsedNs = process.hrtime.bigint() - BigInt(job.startedNs);
      return { restartMs: Number(elapsedNs) / 1e6 };
    }
    if (performance.now() > deadlineMs) {
      throw new Error(`no linearizable range succeeded within ${job.timeoutSeconds} s`);
    }
    await pause(RETRY_MS);
  }
}

async function attempt(port: number, request: Buffer): Promise<boolean> {
  const channel = await Http2Channel.connect(port).catch(() => undefined);
  if (channel === undefined) return false;
  try {
    // The first answer may take as long as it takes to replay a log; the next ones show the rest.
    return await Promise.race([
      callOnce(channel, KV_RANGE, request).then(
        () => true,
        () => false,
      ),
      pause(ATTEMPT_MS).then(() => false),
    ]);
  } finally {
    channel.close();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
