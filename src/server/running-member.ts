/**
 * A member for as long as its owner wants it: one whose disk went back in time is closed and
 * started again in the same process, as whom the cluster has made a place for (decision 0029).
 */
import type { Logger } from "../seam/index.ts";
import type { ServerConfig } from "./config.ts";
import { MemberReplaced, type RunningMember, startOnce } from "./start-member.ts";

/** Settles when the member runs, with or without the rest of its cluster. */
export async function startMember(config: ServerConfig, logger: Logger): Promise<RunningMember> {
  const serving = Promise.withResolvers<void>();
  const failed = Promise.withResolvers<Error>();
  let current = await startOnce(config, logger);
  // Ports that the system chose are kept.
  const same = { ...config, listenClientUrls: current.clientUrls };
  let restarting: Promise<void> = Promise.resolve();
  let isClosing = false;
  let isClosed = false;

  const restart = async (): Promise<void> => {
    isClosed = true;
    await current.close();
    if (isClosing) return;
    current = await startOnce(same, logger);
    isClosed = false;
    follow(current);
  };
  const follow = (member: RunningMember): void => {
    void member.serving.then(serving.resolve);
    void member.failed.then((error) => {
      if (!(error instanceof MemberReplaced)) return failed.resolve(error);
      if (!isClosing) restarting = restart().catch(failed.resolve);
    });
  };
  follow(current);

  return {
    get clientUrls() {
      return current.clientUrls;
    },
    get metricsUrls() {
      return current.metricsUrls;
    },
    get memberId() {
      return current.memberId;
    },
    get clusterId() {
      return current.clusterId;
    },
    serving: serving.promise,
    failed: failed.promise,
    close: async () => {
      isClosing = true;
      await restarting;
      if (!isClosed) await current.close();
    },
  };
}
