/**
 * A member tells its cluster its name and client URLs, again and again until that is applied. The
 * lines in the log are those that tools wait for, at every start (tools-expect).
 */
import { formatId } from "../datadir/index.ts";
import { type EtcdError, errors } from "../errors/index.ts";
import type { Logger, Timers } from "../seam/index.ts";
import type { RaftOperation } from "../wire/index.ts";
import type { RaftMember } from "./raft-member.ts";

export interface IntroductionOptions {
  readonly name: string;
  readonly clientUrls: readonly string[];
  readonly timers: Timers;
  readonly logger: Logger;
}

const RETRY_MS = 100;

/** Never rejects; does not settle when the member is closed before. */
export async function introduce(options: IntroductionOptions, member: RaftMember): Promise<void> {
  const { name, clientUrls, logger, timers } = options;
  const attributes = { name, clientUrls: [...clientUrls] };
  for (;;) {
    // Only once a term's first entry is applied is the table what the cluster has.
    const operation = { kind: "memberAttributesSet", memberId: member.id, attributes } as const;
    const refusal = await proposed(member, operation);
    if (refusal === undefined) break;
    if (refusal === errors.Stopped) return;
    logger.warn("could not publish this member to the cluster yet", { error: refusal.message });
    await new Promise<void>((resolve) => timers.after(RETRY_MS, resolve));
  }
  const fields = {
    "local-member-id": formatId(member.id),
    "local-member-attributes": `{Name:${name} ClientURLs:[${clientUrls.join(" ")}]}`,
    "cluster-id": formatId(member.clusterId),
  };
  logger.info("published local member to cluster through raft", fields);
}

function proposed(member: RaftMember, operation: RaftOperation): Promise<EtcdError | undefined> {
  return new Promise((resolve) => {
    member.proposeForCluster(operation, { done: () => resolve(undefined), refused: resolve });
  });
}
