import { spawn } from "node:child_process";

/**
 * Tells systemd that the service is ready, when it asked for it (Type=notify sets NOTIFY_SOCKET).
 * Node has no datagram sockets in the file system, so systemd's own helper sends the message in
 * this process's name. Without root it may not, and the unit then needs NotifyAccess=all.
 * False when nobody asked.
 */
export function notifySystemd(environment: NodeJS.ProcessEnv): boolean {
  if ((environment["NOTIFY_SOCKET"] ?? "") === "") return false;
  const helper = spawn("systemd-notify", ["--ready"], { stdio: "ignore", env: environment });
  // Not installed: then there is nobody to tell.
  helper.on("error", () => {});
  helper.unref();
  return true;
}
