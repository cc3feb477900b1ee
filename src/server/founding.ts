/**
 * What `--initial-cluster` must say of a member that has no log yet, in etcd's words. With a log
 * none of it counts.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "./config-error.ts";
import type { ServerConfig } from "./config.ts";
import { showInitialCluster } from "./initial-cluster.ts";
import { differenceOf, type Resolve } from "./same-urls.ts";

type Wanted = Pick<
  ServerConfig,
  "name" | "advertisePeerUrls" | "initialCluster" | "initialClusterState"
>;

/** Whether a member, however young, lives in the data directory. */
export function isFounded(dataDirectory: string): boolean {
  return existsSync(join(dataDirectory, "member", "format"));
}

/** Throws ConfigError. */
export async function checkInitialCluster(config: Wanted, resolve: Resolve): Promise<void> {
  const { name, initialCluster, initialClusterState } = config;
  const mine = initialCluster.find((founder) => founder.name === name);
  if (mine === undefined) {
    throw new ConfigError(
      `couldn't find local name "${name}" in the initial cluster configuration (--initial-cluster)`,
    );
  }
  const urls = initialCluster.flatMap(({ peerUrls }) => peerUrls);
  if (new Set(urls).size !== urls.length) {
    throw new ConfigError(
      `initial cluster ${showInitialCluster(initialCluster)} has duplicate url (--initial-cluster)`,
    );
  }
  // One that joins has told the cluster its URLs already (member add).
  if (initialClusterState === "existing") return;
  const difference = await differenceOf(config.advertisePeerUrls, mine.peerUrls, resolve);
  if (difference !== undefined) throw mismatch(config, mine.peerUrls, difference);
}

function mismatch(config: Wanted, mine: readonly string[], difference: string): ConfigError {
  const { name, advertisePeerUrls: advertised } = config;
  const notAdvertised = mine.filter((url) => !advertised.includes(url));
  if (notAdvertised.length > 0) {
    return new ConfigError(
      `--initial-cluster has ${notAdvertised.map((url) => `${name}=${url}`).join(",")} but missing ` +
        `from --initial-advertise-peer-urls=${advertised.toSorted().join(",")} (${difference})`,
    );
  }
  const notListed = advertised.filter((url) => !mine.includes(url));
  return new ConfigError(
    `--initial-advertise-peer-urls has ${notListed.join(",")} but missing from ` +
      `--initial-cluster=${showInitialCluster([{ name, peerUrls: mine }])}`,
  );
}
