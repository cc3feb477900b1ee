/** A command for a member's host, as `--exec` has it: `ssh %h systemctl restart etcd`. */
import type { ClusterMember } from "../../client/index.ts";
import { CtlError, Exit } from "../exit.ts";
import type { CtlIo } from "../io.ts";

/** What the letters after `%` stand for. */
export const PLACEHOLDERS =
  "%h host of its peer URL, %n name, %i id, %e client URL, %p peer URL, %% a percent sign";

/** What a shell takes as it is. Members name themselves: nothing of it may become a command. */
const PLAIN = /^[A-Za-z0-9@+=:,._/[\]-]*$/;

/** Throws CtlError for a letter that stands for nothing, and for a value a shell would read. */
export function hostCommand(
  template: string,
  member: ClusterMember,
  more: Readonly<Record<string, string>> = {},
): string {
  const values: Readonly<Record<string, string>> = {
    h: hostOf(member.peerUrls[0] ?? ""),
    n: member.name,
    i: member.id.toString(16),
    e: member.clientUrls[0] ?? "",
    p: member.peerUrls[0] ?? "",
    "%": "%",
    ...more,
  };
  return template.replace(/%(.?)/gs, (_, letter: string) => {
    const value = Object.hasOwn(values, letter) ? values[letter] : undefined;
    if (value === undefined) {
      throw new CtlError(`--exec: %${letter} stands for nothing; ${PLACEHOLDERS}`, Exit.BAD_ARGS);
    }
    if (letter !== "%" && !PLAIN.test(value)) {
      const shown = JSON.stringify(value);
      throw new CtlError(
        `--exec: %${letter} would be ${shown}, which a shell does not take as it is`,
      );
    }
    return value;
  });
}

/** Of a URL, an IPv6 address without its brackets; "" when there is none. */
export function hostOf(url: string): string {
  return /^[a-z]+:\/\/(?:\[([^\]]*)\]|([^:/]*))/.exec(url)?.slice(1).find(Boolean) ?? "";
}

/** Runs it by the shell with our output. Throws CtlError when it fails or does not end in time. */
export async function runOnHost(io: CtlIo, command: string, timeoutMs: number): Promise<void> {
  const child = io.start(["/bin/sh", "-c", command], {});
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  const { error } = await child.ended;
  clearTimeout(limit);
  if (isLate) throw new CtlError(`${command}: has not ended after ${timeoutMs / 1000} s`);
  if (error !== undefined) throw new CtlError(`${command}: ${error}`);
}
