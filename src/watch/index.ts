export { createWatchHub } from "./hub.ts";
export type * from "./types.ts";
