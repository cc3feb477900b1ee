export {
  fetchCluster,
  fetchDowngradeEnabled,
  type FetchedCluster,
  fetchVersions,
  type FetchOptions,
} from "./fetch.ts";
export { openPeers } from "./peers.ts";
export type { PeerOptions, Peers } from "./types.ts";
