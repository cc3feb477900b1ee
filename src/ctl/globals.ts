/**
 * The flags that every command takes, and the environment behind them: `ETCDCTL_<FLAG>` for each,
 * not both at once, and what is unknown there is told.
 */
import { type FlagSpec, switchFlag, textFlag } from "./command.ts";
import { CtlExit, Exit } from "./exit.ts";
import type { Flags } from "./flags.ts";
import type { CtlIo } from "./io.ts";
import { goJson } from "./print/json.ts";

export const FORMATS = ["fields", "json", "protobuf", "simple", "table"] as const;

export const GLOBAL_FLAGS: readonly FlagSpec[] = [
  {
    name: "auth-jwt-token",
    kind: "string",
    initial: "",
    help: "JWT for authentication, instead of --user and --password",
  },
  textFlag("cacert", "", "CA certificates that servers are verified with"),
  textFlag("cert", "", "certificate that this client shows"),
  {
    name: "command-timeout",
    kind: "duration",
    initial: "5s",
    help: "how long a short command may take, connecting aside",
  },
  switchFlag("debug", "show the settings and what goes on with connections"),
  { name: "dial-timeout", kind: "duration", initial: "2s", help: "how long connecting may take" },
  {
    name: "discovery-srv",
    short: "d",
    kind: "string",
    initial: "",
    help: "domain whose SRV records name the endpoints",
  },
  textFlag("discovery-srv-name", "", "service name to ask SRV records for"),
  {
    name: "endpoints",
    kind: "list",
    initial: "127.0.0.1:2379",
    help: "servers, as host:port or URLs, joined by commas",
  },
  switchFlag("hex", "print keys and values as hexadecimal, and ids too"),
  {
    name: "insecure-discovery",
    kind: "bool",
    initial: "true",
    help: "accept SRV records of servers without TLS",
  },
  switchFlag("insecure-skip-tls-verify", "do not verify servers' certificates (for tests alone)"),
  {
    name: "insecure-transport",
    kind: "bool",
    initial: "true",
    help: "no TLS unless an endpoint or a certificate asks for it",
  },
  {
    name: "keepalive-time",
    kind: "duration",
    initial: "2s",
    help: "silence after which a connection is probed",
  },
  {
    name: "keepalive-timeout",
    kind: "duration",
    initial: "6s",
    help: "how long a probe may stay unanswered",
  },
  textFlag("key", "", "private key of --cert"),
  {
    name: "max-recv-bytes",
    kind: "int",
    initial: "0",
    help: "largest answer taken (0: 2 GiB)",
  },
  {
    name: "max-request-bytes",
    kind: "int",
    initial: "0",
    help: "largest request sent (0: 2 MiB)",
  },
  textFlag("password", "", "password of --user, which then holds no password"),
  textFlag("user", "", "name[:password]; a missing password is asked for"),
  {
    name: "write-out",
    short: "w",
    kind: "string",
    initial: "simple",
    help: "format of the output: fields, json, protobuf, simple or table",
    values: [...FORMATS, "pretty"],
  },
];

/** Read by `watch` itself, and by the choice of the API. */
const NO_FLAGS = new Set([
  "ETCDCTL_WATCH_KEY",
  "ETCDCTL_WATCH_RANGE_END",
  "ETCDCTL_API",
  "ETCDCTL_COMPAT",
]);

export function envNameOf(flag: string): string {
  return `ETCDCTL_${flag.toUpperCase().replaceAll("-", "_")}`;
}

/**
 * Adds what the environment says to what the command line said. A variable whose flag was given
 * too ends the command; a value that cannot be read is passed over, as etcdctl does.
 */
export function readEnvironment(flags: Flags, io: CtlIo, known: readonly FlagSpec[]): void {
  for (const spec of known) {
    const name = envNameOf(spec.name);
    const text = io.env[name];
    if (text === undefined || text === "") continue;
    if (flags.isGiven(spec.name)) {
      note(io, "fatal", `${SHADOWED}`, name);
      throw new CtlExit(Exit.ERROR);
    }
    try {
      flags.set(spec, text);
    } catch (error) {
      note(io, "warn", `invalid value for ${name}: ${(error as Error).message}`, `${name}=${text}`);
    }
  }
  const names = new Set(known.map((spec) => envNameOf(spec.name)));
  for (const [name, text] of Object.entries(io.env)) {
    if (!name.startsWith("ETCDCTL_") || names.has(name) || NO_FLAGS.has(name)) continue;
    note(io, "warn", "unrecognized environment variable", `${name}=${text ?? ""}`);
  }
}

const SHADOWED =
  "conflicting environment variable is shadowed by corresponding command-line flag " +
  "(either unset environment variable or disable flag))";

/** A line of the log that comes before a command's own output. */
function note(io: CtlIo, level: string, msg: string, variable: string): void {
  const line = { level, ts: new Date().toISOString(), msg, "environment-variable": variable };
  io.stderr(`${goJson(line)}\n`);
}
