/** Peer URLs as they are typed, checked as etcd's client checks them before it sends them. */
import { CtlError } from "./exit.ts";

/** Throws CtlError in etcd's words. */
export function peerUrlList(text: string): string[] {
  const urls = text.split(",");
  for (const url of urls) {
    const why = problemOf(url.trim());
    if (why !== undefined) throw new CtlError(`${why}: ${url.trim()}`);
  }
  return urls;
}

function problemOf(url: string): string | undefined {
  const [, scheme = "", host = "", path = ""] = /^([a-z]+):\/\/([^/]*)(.*)$/.exec(url) ?? [];
  if (scheme === "unix" || scheme === "unixs") return undefined;
  if (scheme !== "http" && scheme !== "https") {
    return "URL scheme must be http, https, unix, or unixs";
  }
  if (!/^(\[[^\]]*\]|[^:]*):\d*$/.test(host))
    return 'URL address does not have the form "host:port"';
  return path === "" ? undefined : "URL must not contain a path";
}
