export type { Retention } from "./auto-compactor.ts";
export type { Beginning, Founder } from "./beginning.ts";
export { checkDowngrade, parseDowngradeTarget } from "./cluster-version.ts";
export { openMember, type OpenMemberOptions } from "./open-member.ts";
export { checkPeerUrls } from "./peer-urls.ts";
export type { RaftMember } from "./raft-member.ts";
export type { MemberSettings } from "./settings.ts";
export type * from "./types.ts";
