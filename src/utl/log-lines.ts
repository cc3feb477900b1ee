/** Lines of JSON on stderr, as etcd's logger writes them. */
import { systemClock } from "../host/index.ts";
import type { UtlIo } from "./io.ts";

export type LogLine = (msg: string, fields: Record<string, unknown>) => void;

export function lineWriter(io: UtlIo): LogLine {
  return (msg, fields) => {
    const ts = new Date(systemClock.wallMs()).toISOString();
    io.stderr(`${JSON.stringify({ level: "info", ts, msg, ...fields })}\n`);
  };
}
