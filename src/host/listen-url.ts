import { HostError } from "./host-error.ts";

export type ListenAddress =
  | {
      readonly kind: "tcp";
      readonly url: string;
      readonly isTls: boolean;
      /** As given; "" stands for every interface. IPv6 without brackets. */
      readonly host: string;
      readonly port: number;
    }
  | { readonly kind: "unix"; readonly url: string; readonly isTls: boolean; readonly path: string };

const URL_FORM = /^(https?|unixs?):\/\/(.*)$/;

/**
 * Reads a URL that a server can bind: `http://`, `https://` with host and port, `unix://`,
 * `unixs://` with what is then a path ("unix://name:1" is the socket file "name:1" in the current
 * directory). Throws HostError.
 */
export function parseListenUrl(url: string): ListenAddress {
  const match = URL_FORM.exec(url);
  if (match === null) {
    throw new HostError(
      `URL "${url}" is not understood: it must begin with http://, https://, unix:// or unixs://`,
    );
  }
  const scheme = match[1] as string;
  const rest = match[2] as string;
  const isTls = scheme.endsWith("s");
  if (scheme.startsWith("unix")) {
    if (rest === "") throw new HostError(`URL "${url}" names no socket file`);
    return { kind: "unix", url, isTls, path: rest };
  }
  return { kind: "tcp", url, isTls, ...splitAuthority(url, rest) };
}

function splitAuthority(url: string, rest: string): { host: string; port: number } {
  const slash = rest.indexOf("/");
  const authority = slash < 0 ? rest : rest.slice(0, slash);
  if (slash >= 0 && rest.length > slash + 1) {
    throw new HostError(`URL "${url}" must not contain a path`);
  }
  const match = /^(?:\[([0-9a-fA-F:.%a-z0-9]+)\]|([^:@?#[\]\s]*)):(\d{1,5})$/.exec(authority);
  const port = match === null ? Number.NaN : Number(match[3]);
  if (match === null || port > 65535) {
    throw new HostError(`URL "${url}" must end in host:port, such as http://127.0.0.1:2379`);
  }
  return { host: match[1] ?? match[2] ?? "", port };
}
