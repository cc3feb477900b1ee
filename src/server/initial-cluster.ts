/**
 * The value of `--initial-cluster`: `name=url,name=url`, a name repeated for each of its URLs. What
 * is wrong is told in etcd's words where it has them.
 */
import type { Founder } from "../member/index.ts";
import { ConfigError } from "./config-error.ts";

const SCHEMES = new Set(["http:", "https:", "unix:", "unixs:"]);

/** In order of names, the URLs of each sorted. Throws ConfigError. */
export function readInitialCluster(text: string): Founder[] {
  const urlsByName = new Map<string, string[]>();
  for (const part of text.split(",").map((piece) => piece.trim())) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = equals < 0 ? part : part.slice(0, equals);
    const url = equals < 0 ? "" : part.slice(equals + 1).trim();
    checkPeerUrl(url, part);
    urlsByName.set(name, [...(urlsByName.get(name) ?? []), url]);
  }
  return [...urlsByName]
    .map(([name, peerUrls]) => ({ name, peerUrls: peerUrls.sort() }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** As it is shown in messages: `a=http://..,b=http://..`. */
export function showInitialCluster(founders: readonly Founder[]): string {
  return founders
    .flatMap(({ name, peerUrls }) => peerUrls.map((url) => `${name}=${url}`))
    .sort()
    .join(",");
}

function checkPeerUrl(url: string, part: string): void {
  const reason = wrongIn(url, part);
  if (reason !== undefined) {
    throw new ConfigError(`error setting up initial cluster: ${reason} (--initial-cluster)`);
  }
}

function wrongIn(url: string, part: string): string | undefined {
  const scheme = /^([a-z]+:)\/\//.exec(url)?.[1] ?? "";
  if (!SCHEMES.has(scheme)) {
    return `URL scheme must be http, https, unix, or unixs: ${url || `${part} is not name=url`}`;
  }
  if (scheme.startsWith("unix")) return undefined;
  if (!/^[a-z]+:\/\/(?:\[[^\]]+\]|[^/:?#]+):\d+/.test(url)) {
    return `URL address does not have the form "host:port": ${url}`;
  }
  return URL.canParse(url) && /^[^/]+\/\/[^/?#]+$/.test(url)
    ? undefined
    : `URL must not contain a path: ${url}`;
}
