/**
 * What systemd asks of a service with Type=notify: word when it is ready, and, with WatchdogSec, a
 * sign of life again and again. Node has no datagram sockets in the file system, so systemd's own
 * helper sends the messages; a unit then needs NotifyAccess=all, since the helper is not the main
 * process.
 *
 * Source: sd_notify(3), sd_watchdog_enabled(3).
 */
import { spawn } from "node:child_process";
import type { Timer, Timers } from "../seam/index.ts";

/** Signs of life in the time that systemd allows between two; it asks for two at least. */
const PINGS_PER_PERIOD = 3;

/**
 * Tells systemd `state` ("READY=1"), when it asked for it (NOTIFY_SOCKET). False when nobody asked.
 * `done` is called when the helper has ended, however it did.
 */
export function notifySystemd(
  environment: NodeJS.ProcessEnv,
  state: string,
  done: () => void = () => {},
): boolean {
  if ((environment["NOTIFY_SOCKET"] ?? "") === "") return false;
  const helper = spawn("systemd-notify", [state], { stdio: "ignore", env: environment });
  // Not installed: then there is nobody to tell.
  helper.on("error", done);
  helper.on("exit", done);
  helper.unref();
  return true;
}

/**
 * Gives the sign of life for as long as the event loop turns, when systemd asked this process for
 * it: one that hangs is ended and started again. Undefined when nobody asked.
 */
export function keepWatchdogQuiet(
  environment: NodeJS.ProcessEnv,
  pid: number,
  timers: Timers,
): Timer | undefined {
  const periodMs = Number(environment["WATCHDOG_USEC"] ?? "") / 1000;
  const asked = environment["WATCHDOG_PID"] ?? "";
  if (!(periodMs > 0) || (asked !== "" && asked !== String(pid))) return undefined;
  let isTelling = false;
  return timers.every(Math.max(1, periodMs / PINGS_PER_PERIOD), () => {
    // A helper that hangs does not become many.
    if (isTelling) return;
    isTelling = notifySystemd(environment, "WATCHDOG=1", () => void (isTelling = false));
  });
}
