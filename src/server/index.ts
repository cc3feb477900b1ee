export { startEmbedded, type StartMemberOptions } from "./embed.ts";
export type { RunningMember } from "./start-member.ts";
