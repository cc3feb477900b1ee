/**
 * The room's side door, for programs that only call out: what a client needs of the machine,
 * without the servers, certificates and logs that nobody there wants to wait for.
 */
export { systemClock } from "./clock.ts";
export { connect, type ConnectOptions } from "./connect.ts";
export { systemEntropy } from "./entropy.ts";
export { holdingTimers, systemTimers } from "./timers.ts";
