/**
 * Holdfast inside another program:
 *
 *     import { startMember } from "holdfast";
 *     const member = await startMember({ dataDirectory: "./data" });
 *     // ... any etcd client can talk to member.clientUrls ...
 *     await member.close();
 */
export {
  type RunningMember,
  startEmbedded as startMember,
  type StartMemberOptions,
} from "./server/index.ts";
export type { LogFields, Logger, LogLevel } from "./seam/index.ts";
