/** Files that an operator's command makes belong to whom the service runs as. */
import { chownSync, existsSync, lstatSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * Gives `target`, and all below it, the owner of `model`; nothing when it has that already. Only
 * root can give files away: run by the service's own user, there is nothing to do.
 */
export function giveOwner(model: string, target: string): void {
  if (process.getuid?.() !== 0 || !existsSync(model) || !existsSync(target)) return;
  const { uid, gid } = statSync(model);
  giveTo(target, uid, gid);
}

/** Links stay as they are, and are not followed. */
function giveTo(path: string, uid: number, gid: number): void {
  const found = lstatSync(path);
  if (found.isDirectory()) {
    for (const name of readdirSync(path)) giveTo(join(path, name), uid, gid);
  }
  if (found.isSymbolicLink() || (found.uid === uid && found.gid === gid)) return;
  chownSync(path, uid, gid);
}
