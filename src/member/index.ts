export type { Beginning, Founder } from "./beginning.ts";
export { checkDowngrade, parseDowngradeTarget } from "./cluster-version.ts";
export { checkPeerUrls } from "./peer-urls.ts";
export type { Retention } from "./auto-compactor.ts";
export type { MemberSettings, SoloMember } from "./member.ts";
export { openMember, type OpenMemberOptions } from "./open-member.ts";
export type * from "./types.ts";
