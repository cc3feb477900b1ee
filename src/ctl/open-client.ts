/** The client that the global flags describe. */
import { readFileSync } from "node:fs";
import { type Client, connect, type TlsOptions } from "../client/index.ts";
import { CtlError, Exit } from "./exit.ts";
import type { Flags } from "./flags.ts";
import type { CtlIo } from "./io.ts";

/** Nothing is sent yet. Throws CtlError for settings that cannot be. */
export async function openClient(flags: Flags, io: CtlIo): Promise<Client> {
  const endpoints = await endpointsOf(flags, io);
  const tls = tlsOf(flags, endpoints);
  const user = await userOf(flags, io);
  const token = flags.text("auth-jwt-token");
  const orDefault = (count: number): number | undefined => (count > 0 ? count : undefined);
  return connect({
    endpoints,
    tls,
    user: token === "" ? user : undefined,
    token: token === "" ? undefined : token,
    timeoutMs: flags.durationMs("command-timeout"),
    connectTimeoutMs: flags.durationMs("dial-timeout"),
    keepalive: {
      timeMs: flags.durationMs("keepalive-time"),
      timeoutMs: flags.durationMs("keepalive-timeout"),
    },
    sendBytesMax: orDefault(flags.count("max-request-bytes")),
    receiveBytesMax: orDefault(flags.count("max-recv-bytes")),
    userAgent: "etcdctl",
  });
}

/** What `--endpoints` and `--discovery-srv` come to; at least one. */
export async function endpointsOf(flags: Flags, io: CtlIo): Promise<readonly string[]> {
  const domain = flags.text("discovery-srv");
  const given = flags.list("endpoints");
  if (domain === "") {
    if (given.length === 0) {
      throw new CtlError("etcdclient: no available endpoints", Exit.BAD_CONNECTION);
    }
    return given;
  }
  const { discover } = await import("./discovery.ts");
  const found = await discover(domain, flags.text("discovery-srv-name"));
  if (flags.on("insecure-discovery")) return found;
  const isSafe = (endpoint: string): boolean => !endpoint.startsWith("http://");
  for (const endpoint of found.filter((one) => !isSafe(one))) {
    io.stderr(`ignoring discovered insecure endpoint "${endpoint}"\n`);
  }
  const safe = found.filter(isSafe);
  return safe.length > 0 ? safe : given;
}

/** Undefined where no TLS is asked for; an https endpoint uses TLS all the same. */
export function tlsOf(flags: Flags, endpoints: readonly string[]): TlsOptions | undefined {
  const [cert, key, ca] = ["cert", "key", "cacert"].map((name) => {
    const path = flags.text(name);
    if (path === "" && flags.isGiven(name)) {
      throw new CtlError(`empty string is passed to --${name} option`, Exit.BAD_ARGS);
    }
    return path;
  }) as [string, string, string];
  if ((cert === "") !== (key === "")) {
    throw new CtlError(
      `KeyFile and CertFile must both be present[key: ${key}, cert: ${cert}]`,
      Exit.BAD_ARGS,
    );
  }
  const domain = flags.on("insecure-discovery") ? "" : flags.text("discovery-srv");
  const skipsVerify = flags.on("insecure-skip-tls-verify");
  const isAsked = `${cert}${ca}${domain}` !== "" || !flags.on("insecure-transport");
  if (!isAsked && !(skipsVerify && endpoints.some((one) => /^(https|unixs):/.test(one)))) {
    return undefined;
  }
  return {
    ca: ca === "" ? undefined : readPem(ca),
    cert: cert === "" ? undefined : readPem(cert),
    key: key === "" ? undefined : readPem(key),
    insecureSkipVerify: skipsVerify,
    serverName: domain === "" ? undefined : domain,
  };
}

export function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "no such file or directory" : (error as Error).message;
    throw new CtlError(`open ${path}: ${why}`, Exit.BAD_ARGS);
  }
}

async function userOf(flags: Flags, io: CtlIo) {
  const given = flags.text("user");
  const password = flags.text("password");
  if (given === "") return undefined;
  if (password !== "") return { name: given, password };
  const colon = given.indexOf(":");
  if (colon !== -1) return { name: given.slice(0, colon), password: given.slice(colon + 1) };
  return { name: given, password: await io.readPassword("Password: ") };
}
