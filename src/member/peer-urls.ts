/** What a member may give as its peer URLs (CL-01): all else would be an address of nobody. */
import { type EtcdError, errors } from "../errors/index.ts";

/** Scheme, host (a name, an IPv4 address or an IPv6 address in brackets), port; and no path. */
const HTTP_URL = /^(https?):\/\/((?:\[[0-9a-f:.%]+\]|[^\s/?#@:[\]\\]+):(\d{1,5}))$/i;
const UNIX_URL = /^(unixs?):\/\/([^\s?#]+)$/i;
const PORT_MAX = 65_535;

/**
 * The URLs in the order given, without blanks around them and with the scheme in lower case; or
 * MemberBadURLs when there are none or one is not of the form.
 */
export function parsePeerUrls(urls: readonly string[]): string[] | EtcdError {
  if (urls.length === 0) return errors.MemberBadURLs;
  const parsed: string[] = [];
  for (const url of urls) {
    const normal = parsePeerUrl(url.trim());
    if (normal === undefined) return errors.MemberBadURLs;
    parsed.push(normal);
  }
  return parsed;
}

/** The same, asked for the refusal alone. */
export function checkPeerUrls(urls: readonly string[]): EtcdError | undefined {
  const parsed = parsePeerUrls(urls);
  return Array.isArray(parsed) ? undefined : parsed;
}

function parsePeerUrl(url: string): string | undefined {
  const [, scheme = "", rest = "", port = "1"] = HTTP_URL.exec(url) ?? UNIX_URL.exec(url) ?? [];
  if (scheme === "" || Number(port) > PORT_MAX) return undefined;
  return `${scheme.toLowerCase()}://${rest}`;
}
