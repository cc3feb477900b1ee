export { runUtl } from "./command.ts";
export type { UtlIo } from "./io.ts";
