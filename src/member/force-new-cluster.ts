/**
 * `--force-new-cluster`: before it starts, a member's log is made to say that it is alone. What it
 * holds stays, and the others are removed like members are (surface 12).
 */
import { forceSingle, formatId } from "../datadir/index.ts";
import type { Logger } from "../seam/index.ts";
import type { Wal } from "../wal/index.ts";
import type { ConfState } from "../wire/index.ts";
import type { LocalStore } from "./local-store.ts";
import type { RaftLogFound } from "./log-recovery.ts";

export interface ForceNewClusterOptions {
  readonly found: RaftLogFound;
  readonly local: LocalStore;
  readonly confState: ConfState;
  readonly wal: Wal;
  readonly logger: Logger;
}

/** Settles with the log as it is then, durably. */
export async function forceNewCluster(
  options: ForceNewClusterOptions,
): Promise<Pick<RaftLogFound, "entries" | "hardState" | "terms">> {
  const { found, local, confState, wal, logger } = options;
  const id = found.metadata.nodeId;
  const members = local.machine.members();
  const { kept, appended, hardState } = forceSingle({
    id,
    peerUrls: members.find((member) => member.id === id)?.peerUrls ?? [],
    applied: local.backend.applied,
    confState,
    memberIds: members.map((member) => member.id),
    hardState: found.hardState,
    entries: found.entries,
  });
  await wal.append(appended, hardState);
  const { terms } = found;
  for (const { index, term } of appended) terms.append(index, term);
  logger.warn("forced a new cluster: every other member is removed", {
    "local-member-id": formatId(id),
    "commit-index": hardState.commit,
    "dropped-entries": found.entries.length - kept.length,
  });
  const isReplaced = appended.length > 0;
  return { entries: isReplaced ? [...kept, ...appended] : found.entries, hardState, terms };
}
