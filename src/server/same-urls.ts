/** Whether two lists of peer URLs mean the same places, as text or after asking the DNS. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

/** How long names are asked for, again and again, as in etcd. */
const RESOLVE_MS_MAX = 30_000;
const RETRY_MS = 1_000;

/** The address of a host name; rejects when there is none. */
export type Resolve = (host: string) => Promise<string>;

export const systemResolve: Resolve = async (host) => {
  const giveUpAtMs = performance.now() + RESOLVE_MS_MAX;
  for (;;) {
    try {
      return (await lookup(host, { order: "ipv4first" })).address;
    } catch (error) {
      if (performance.now() + RETRY_MS > giveUpAtMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
};

/** Undefined when they are the same; else why not, in etcd's words. */
export async function differenceOf(
  left: readonly string[],
  right: readonly string[],
  resolve: Resolve,
): Promise<string | undefined> {
  const [a, b] = [left.toSorted(), right.toSorted()];
  if (a.length !== b.length) return `len(${shown(a)}) != len(${shown(b)})`;
  if (a.every((url, position) => url === b[position])) return undefined;
  try {
    const [hostsA, hostsB] = [await resolved(a, resolve), await resolved(b, resolve)];
    const position = hostsA.findIndex((url, at) => url !== hostsB[at]);
    if (position < 0) return undefined;
    return `resolved urls: "${hostsA[position]}" != "${hostsB[position]}"`;
  } catch (error) {
    return `failed to resolve (${(error as Error).message})`;
  }
}

function shown(urls: readonly string[]): string {
  return `[${urls.map((url) => JSON.stringify(url)).join(" ")}]`;
}

async function resolved(urls: readonly string[], resolve: Resolve): Promise<string[]> {
  const places = urls.map(async (url) => {
    const parts = /^(https?:\/\/)(\[[^\]]+\]|[^/:]+)(:\d+)$/.exec(url);
    if (parts === null) return url;
    const [, scheme = "", host = "", port = ""] = parts;
    const name = host.replace(/^\[(.*)\]$/, "$1");
    // As in etcd: "localhost" is nobody else's address.
    if (name === "localhost" || isIP(name) !== 0) return url;
    const address = await resolve(name);
    return `${scheme}${isIP(address) === 6 ? `[${address}]` : address}${port}`;
  });
  return (await Promise.all(places)).sort();
}
