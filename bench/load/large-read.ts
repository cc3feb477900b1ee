/** Reads a whole store in one Range after another, and drops what comes. */
import { emptyRangeRequest, encodeRangeRequest, marshal } from "../../src/wire/index.ts";
import type { Figures } from "../cases.ts";
import { type Caller, KV_RANGE } from "./channel.ts";
import { Http2Channel } from "./http2-channel.ts";
import type { LargeReadJob } from "./jobs.ts";
import { orderedKey } from "./keys.ts";

/** Less than this for each key means that keys were left out. */
const BYTES_PER_KEY_MIN = 1_024;

/** Ends after the range under way when the time is over, so that none is cut off. */
export async function runLargeRead(job: LargeReadJob): Promise<Figures> {
  const channel = await Http2Channel.connect(job.port);
  const key = orderedKey(0);
  const request = marshal(encodeRangeRequest, {
    ...emptyRangeRequest(),
    key,
    rangeEnd: orderedKey(job.keys),
  });
  const startedMs = performance.now();
  let ranges = 0;
  try {
    while (performance.now() - startedMs < job.seconds * 1000) {
      const before = channel.receivedBytes;
      await new Promise<void>((resolve, reject) => {
        const caller: Caller = {
          discards: true,
          onMessage() {},
          onEnd: (code, text) => {
            if (code === 0) resolve();
            else reject(new Error(`the large range failed: ${code}: ${text}`));
          },
        };
        channel.unary(KV_RANGE, request, caller);
      });
      const bytes = channel.receivedBytes - before;
      if (bytes < job.keys * BYTES_PER_KEY_MIN) throw new Error(`a range of ${bytes} bytes only`);
      ranges += 1;
    }
  } finally {
    channel.close();
  }
  return { rangeCount: ranges, rangeMs: (performance.now() - startedMs) / ranges };
}
