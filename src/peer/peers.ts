/** rafthttp: how the members of a cluster speak to each other (surface 15). */
import type { PeerOptions, Peers } from "./types.ts";

export function openPeers(options: PeerOptions): Peers {
  throw new Error(`not there yet: ${options.serverVersion}`);
}
