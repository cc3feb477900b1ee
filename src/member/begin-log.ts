/** The log of a member that has none: with the founding entries, or empty for one that joins. */
import { DataDirectoryError, deriveClusterId, deriveMemberId, formatId } from "../datadir/index.ts";
import type { Digests, Disk, Logger } from "../seam/index.ts";
import {
  type CreateWalOptions,
  createWal,
  type WalMetadata,
  type WalOptions,
} from "../wal/index.ts";
import { encodeConfChange, type Entry, EntryType, marshal } from "../wire/index.ts";
import type { Beginning, Founder } from "./beginning.ts";
import { planFounder } from "./membership.ts";

export interface BeginLogOptions {
  readonly walDirectory: string;
  readonly name: string;
  readonly clusterToken: string;
  readonly beginning: Beginning;
  readonly disk: Disk;
  readonly walOptions: WalOptions;
  readonly digests: Digests;
  readonly logger: Logger;
}

export async function beginLog(options: BeginLogOptions): Promise<void> {
  const { beginning, disk, walDirectory, walOptions, logger } = options;
  const { metadata, founding } =
    beginning.kind === "join"
      ? { metadata: { nodeId: beginning.id, clusterId: beginning.clusterId }, founding: undefined }
      : found(beginning.founders, options);
  const withFounding: CreateWalOptions =
    founding === undefined ? walOptions : { ...walOptions, founding };
  const wal = await createWal(disk, walDirectory, metadata, withFounding);
  await wal.close();
  logger.info(beginning.kind === "join" ? "joining a cluster" : "founding a cluster", {
    "local-member-id": formatId(metadata.nodeId),
    "cluster-id": formatId(metadata.clusterId),
  });
}

/** Every founder writes the same: one change for each, by id, committed by decree (RA-06). */
function found(
  founders: readonly Founder[],
  { name, clusterToken, digests }: BeginLogOptions,
): { metadata: WalMetadata; founding: NonNullable<CreateWalOptions["founding"]> } {
  const records = founders.map((founder) => ({
    id: deriveMemberId(founder.peerUrls, clusterToken, digests),
    peerUrls: [...founder.peerUrls].sort(),
    isLearner: false,
    name: founder.name,
    clientUrls: [],
  }));
  const own = records.find((record) => record.name === name);
  if (own === undefined) {
    throw new DataDirectoryError(
      `no founding member is called ${name}; name it in --initial-cluster`,
    );
  }
  records.sort((a, b) => (a.id < b.id ? -1 : 1));
  const clusterId = deriveClusterId(
    records.map(({ id }) => id),
    digests,
  );
  const entries = records.map((record, at): Entry => {
    const data = marshal(encodeConfChange, planFounder({ ...record, name: "" }));
    return { type: EntryType.CONF_CHANGE, term: 1, index: at + 1, data };
  });
  const hardState = { term: 1, vote: 0n, commit: entries.length };
  return { metadata: { nodeId: own.id, clusterId }, founding: { entries, hardState } };
}
