/**
 * A first member that finds its data directory empty and backups at a place that it is told
 * (`--initial-restore-from`): it begins with their state. What a new host does after all were lost,
 * without anybody at hand.
 */
import { openLmdbBackend } from "../backend/index.ts";
import { hasBackups, restoreBackups } from "../backup/index.ts";
import { hostDisk, systemClock, systemDigests, systemTimers } from "../host/index.ts";
import type { Logger } from "../seam/index.ts";
import type { ServerConfig } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { isFounded } from "./founding.ts";

/**
 * Does nothing when there is a member already, when it joins others, or when there are no backups
 * yet: then the cluster is as new as it looks. Backups that cannot be restored are refused, since
 * an empty cluster in place of a lost one would be worse than none.
 *
 * Members that restore by themselves might come to different states: so only one may, and the
 * others join it.
 */
export async function restoreInitially(config: ServerConfig, logger: Logger): Promise<void> {
  const { initialRestoreFrom: location, initialCluster } = config;
  if (location === undefined || isFounded(config.dataDirectory)) return;
  if (config.initialClusterState === "existing") return;
  if (!(await hasBackups(hostDisk, location))) {
    logger.info("there are no backups to begin with; the cluster is new", { location });
    return;
  }
  if (initialCluster.length > 1) {
    throw new ConfigError(
      `--initial-restore-from needs a cluster of this member alone, --initial-cluster names ` +
        `${initialCluster.length}: start one, then add the others to it (etcdctl member add)`,
    );
  }
  const restored = await restoreBackups({
    ...config,
    location,
    target: {},
    revisionBump: undefined,
    members: initialCluster,
    disk: hostDisk,
    clock: systemClock,
    timers: systemTimers,
    digests: systemDigests,
    openBackend: (directory) => openLmdbBackend({ directory }),
    onPlan: ({ directory, image, pieces }) =>
      logger.info("restoring from backups", {
        directory,
        image: image.name,
        "log-files": pieces.length,
        "last-file": (pieces.at(-1) ?? image).name,
      }),
    onState: ({ revision, entries, digestsCompared }) =>
      logger.info("the backups lead to", {
        revision,
        "entries-applied": entries,
        "digests-compared": digestsCompared,
      }),
  });
  logger.info("began with the state of the backups", { revision: restored.revision });
}
