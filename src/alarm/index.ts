export { openAlarms } from "./alarm-set.ts";
export type * from "./types.ts";
