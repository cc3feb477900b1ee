export type LogLevel = "debug" | "info" | "warn" | "error" | "panic" | "fatal";

/** Values are what JSON can hold; bigint ids are logged as lowercase hex by the caller. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One line a call, as `{"level","ts","caller","msg",...fields}`. Rooms are given a named child. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  isEnabled(level: LogLevel): boolean;
  child(caller: string): Logger;
}
