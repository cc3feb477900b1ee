export { CtlError, CtlExit, Exit } from "./exit.ts";
export type { CtlIo } from "./io.ts";
export { processIo, startChild } from "./process-io.ts";
export { runCtl } from "./run.ts";
