/** How a member begins that has no log yet. Asked for once, and only then. */
import type { PeerMember } from "../seam/index.ts";

export interface Founder {
  readonly name: string;
  /** All URLs given for the name in `--initial-cluster`: they make its id (ID-05). */
  readonly peerUrls: readonly string[];
}

export type Beginning =
  /** A new cluster: every founder is given the same list (RA-06). */
  | { readonly kind: "found"; readonly founders: readonly Founder[] }
  /** One that exists: as its members told it (PV-04, PV-05). `id` is this member's row. */
  | {
      readonly kind: "join";
      readonly clusterId: bigint;
      readonly id: bigint;
      readonly members: readonly PeerMember[];
    };
