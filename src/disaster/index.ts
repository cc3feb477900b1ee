export { type DisasterIo, runDisaster } from "./command.ts";
