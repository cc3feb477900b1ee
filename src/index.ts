/**
 * Holdfast inside another program:
 *
 *     import { startMember } from "holdfast";
 *     const member = await startMember({ dataDirectory: "./data" });
 *     // ... any etcd client can talk to member.clientUrls ...
 *     await member.close();
 */
export { startEmbedded as startMember, type StartMemberOptions } from "./server/embed.ts";
export type { RunningMember } from "./server/start-member.ts";
export type { LogFields, Logger, LogLevel } from "./seam/index.ts";
