/** The lines in the log that tools wait for at a start (tools-expect). */
import type { Logger, Timer, Timers } from "../seam/index.ts";

export function announce(clientUrls: readonly string[], logger: Logger): void {
  logger.info("ready to serve client requests");
  for (const url of clientUrls) {
    const how = url.startsWith("https") || url.startsWith("unixs") ? "securely" : "insecurely";
    logger.info(`serving client traffic ${how}`, { address: url });
  }
}

/** A new cluster decides its version a moment after it has found a leader. */
const UNDECIDED_PERIOD_MS = 10;
const DECIDED_PERIOD_MS = 1_000;

/** Tells the cluster's version once it is decided, and whenever it changes, until the end. */
export function announceVersion(
  member: { readonly clusterVersion: string | undefined },
  timers: Timers,
  logger: Logger,
): { close(): void } {
  let told: string | undefined;
  let timer: Timer;
  const look = (): void => {
    const { clusterVersion } = member;
    if (clusterVersion !== undefined && clusterVersion !== told) {
      told = clusterVersion;
      logger.info("enabled capabilities for version", { "cluster-version": clusterVersion });
    }
    timer = timers.after(told === undefined ? UNDECIDED_PERIOD_MS : DECIDED_PERIOD_MS, look);
  };
  look();
  return {
    close: () => {
      timer.cancel();
      look();
      timer.cancel();
    },
  };
}
