export { systemClock } from "./clock.ts";
export { hostDisk } from "./disk.ts";
export { systemEntropy } from "./entropy.ts";
export { type HostLogger, LOG_LEVELS, type LogOptions, openLog } from "./log.ts";
export { systemTimers } from "./timers.ts";
