/** How far the replacing of a member has come, told by what the cluster says. Pure. */
import type { ClusterMember } from "../../client/index.ts";
import { CtlError } from "../exit.ts";
import { type ClusterView, isServing, type MemberView, quorumOf, votersOf } from "./view.ts";

/** What the cluster no longer tells once the old member is removed. */
export interface ReplaceNotes {
  readonly name: string;
  readonly peerUrls: readonly string[];
}

export function isReplaceNotes(value: unknown): value is ReplaceNotes {
  const notes = value as Partial<ReplaceNotes> | null;
  return (
    typeof notes?.name === "string" &&
    Array.isArray(notes.peerUrls) &&
    notes.peerUrls.length > 0 &&
    notes.peerUrls.every((url) => typeof url === "string")
  );
}

export type ReplaceStep =
  | { readonly is: "remove"; readonly old: MemberView }
  | { readonly is: "add" }
  /** It has never run. */
  | { readonly is: "start"; readonly fresh: MemberView }
  /** It has run once, and is to be caught up with the leader. */
  | { readonly is: "catch up"; readonly fresh: MemberView }
  | { readonly is: "promote"; readonly fresh: MemberView }
  | { readonly is: "done"; readonly fresh: MemberView };

export interface ReplaceWish {
  readonly oldId: bigint;
  readonly peerUrls: readonly string[];
  /** Whether it was seen to have caught up by this run. */
  readonly isCaughtUp: boolean;
}

/** Throws CtlError when somebody else holds the peer URLs. */
export function nextStep(view: ClusterView, wish: ReplaceWish): ReplaceStep {
  const old = view.members.find(({ member }) => member.id === wish.oldId);
  const fresh = view.members.find(
    (one) => one !== old && one.member.peerUrls.some((url) => wish.peerUrls.includes(url)),
  );
  if (old !== undefined) {
    if (fresh === undefined) return { is: "remove", old };
    const urls = fresh.member.peerUrls.join(",");
    throw new CtlError(`${urls} belong to member ${fresh.id}; choose other --peer-urls`);
  }
  if (fresh === undefined) return { is: "add" };
  if (fresh.member.name === "") return { is: "start", fresh };
  if (!wish.isCaughtUp) return { is: "catch up", fresh };
  return { is: fresh.member.isLearner ? "promote" : "done", fresh };
}

/** What is missing for the voters besides the old one to change the members; undefined: nothing. */
export function quorumTrouble(view: ClusterView, old: MemberView): string | undefined {
  const voters = votersOf(view);
  const others = voters.filter((one) => one !== old);
  const serving = others.filter((one) => isServing(view, one));
  const needed = old.member.isLearner ? quorumOf(voters.length) : wantedOf(voters.length);
  if (serving.length >= needed) return undefined;
  const silent = others.filter((one) => !serving.includes(one)).map(({ name }) => name);
  const missing = silent.length === 0 ? "" : `; missing: ${silent.join(", ")}`;
  return (
    `${serving.length} of the other ${others.length} voters serve, ${needed} are needed to ` +
    `change the members${missing}`
  );
}

/** To remove one that votes: a majority with it, which is one without it too. */
function wantedOf(voters: number): number {
  return Math.max(quorumOf(voters), quorumOf(voters - 1));
}

/** The variables that the new member's process is started with. */
export function startVariables(
  members: readonly ClusterMember[],
  fresh: ClusterMember,
  name: string,
): Readonly<Record<string, string>> {
  const cluster = members.flatMap((one) =>
    one.peerUrls.map((url) => `${one.id === fresh.id ? name : one.name}=${url}`),
  );
  return {
    ETCD_NAME: name,
    ETCD_INITIAL_CLUSTER: cluster.join(","),
    ETCD_INITIAL_ADVERTISE_PEER_URLS: fresh.peerUrls.join(","),
    ETCD_INITIAL_CLUSTER_STATE: "existing",
  };
}
