/** The members of the new cluster, as the flags name them, and etcd's refusals. */
import type { RestoreMember } from "../datadir/index.ts";
import { UtlError } from "./io.ts";

const SCHEMES = new Set(["http:", "https:", "unix:", "unixs:"]);

/** `name=url,name=url`; a name given again has one more URL. Throws UtlError. */
export function readInitialCluster(text: string): RestoreMember[] {
  const urls = new Map<string, string[]>();
  for (const part of text.split(",")) {
    const at = part.indexOf("=");
    const name = at < 0 ? part : part.slice(0, at);
    const url = at < 0 ? "" : part.slice(at + 1);
    urls.set(name, [...(urls.get(name) ?? []), checkUrl(url)]);
  }
  return [...urls].map(([name, peerUrls]) => ({ name, peerUrls: peerUrls.sort() }));
}

/** Sorted. Throws UtlError. */
export function readUrls(text: string): string[] {
  return text.split(",").map(checkUrl).sort();
}

function checkUrl(given: string): string {
  const url = given.trim();
  const refused = (reason: string): UtlError => new UtlError(`${reason}: ${url}`);
  const scheme = /^[a-z]+:/.exec(url)?.[0] ?? "";
  if (!SCHEMES.has(scheme)) throw refused("URL scheme must be http, https, unix, or unixs");
  const rest = /^\w+:\/\/([^/]*)(\/.*)?$/.exec(url);
  if (scheme.startsWith("unix")) return url;
  if (!/^(\[[^\]]*\]|[^:]*):\d*$/.test(rest?.[1] ?? "")) {
    throw refused('URL address does not have the form "host:port"');
  }
  if (rest?.[2] !== undefined) throw refused("URL must not contain a path");
  return url;
}

/** That `name` is one of the members, with the URLs that it advertises. Throws UtlError. */
export function checkMembers(
  members: readonly RestoreMember[],
  name: string,
  advertised: readonly string[],
): void {
  const own = members.find((member) => member.name === name);
  if (own === undefined) {
    throw new UtlError(`couldn't find local name "${name}" in the initial cluster configuration`);
  }
  const all = members.flatMap(({ peerUrls }) => peerUrls);
  if (new Set(all).size !== all.length) {
    throw new UtlError(`initial cluster ${shown(members)} has duplicate url`);
  }
  const missing = own.peerUrls.filter((url) => !advertised.includes(url));
  if (missing.length > 0) {
    throw new UtlError(
      `--initial-cluster has ${shown([{ name, peerUrls: missing }])} but missing from ` +
        `--initial-advertise-peer-urls=${advertised.join(",")}`,
    );
  }
  const extra = advertised.filter((url) => !own.peerUrls.includes(url));
  if (extra.length > 0) {
    throw new UtlError(
      `--initial-advertise-peer-urls has ${extra.join(",")} but missing from ` +
        `--initial-cluster=${shown([own])}`,
    );
  }
}

function shown(members: readonly RestoreMember[]): string {
  return members
    .flatMap(({ name, peerUrls }) => peerUrls.map((url) => `${name}=${url}`))
    .sort()
    .join(",");
}
