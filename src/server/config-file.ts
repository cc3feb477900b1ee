/**
 * The configuration file: YAML or JSON (which is YAML), with etcd's keys. Top-level keys are names
 * of flags; the security and socket keys are nested. Durations are whole nanoseconds, or text as
 * for a flag. Unlike etcd, a key that nobody knows is told by name, and a mistake by line and
 * column.
 */
import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from "yaml";
import { isValue, type Settings } from "./command-line.ts";
import { ConfigError } from "./config-error.ts";
import { FLAG_BY_NAME, type Flag } from "./flag-table.ts";

/** Bytes of a configuration file. Beyond: refused. */
const FILE_BYTES_MAX = 1024 * 1024;

const NESTED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "client-transport-security": {
    "cert-file": "cert-file",
    "key-file": "key-file",
    "client-cert-file": "client-cert-file",
    "client-key-file": "client-key-file",
    "client-cert-auth": "client-cert-auth",
    "trusted-ca-file": "trusted-ca-file",
    "auto-tls": "auto-tls",
    "allowed-hostname": "client-cert-allowed-hostname",
    "allowed-hostnames": "client-cert-allowed-hostname",
    "crl-file": "client-crl-file",
  },
  "peer-transport-security": {
    "cert-file": "peer-cert-file",
    "key-file": "peer-key-file",
    "client-cert-file": "peer-client-cert-file",
    "client-key-file": "peer-client-key-file",
    "client-cert-auth": "peer-client-cert-auth",
    "trusted-ca-file": "peer-trusted-ca-file",
    "auto-tls": "peer-auto-tls",
    "allowed-cn": "peer-cert-allowed-cn",
    "allowed-cns": "peer-cert-allowed-cn",
    "allowed-hostname": "peer-cert-allowed-hostname",
    "allowed-hostnames": "peer-cert-allowed-hostname",
    "crl-file": "peer-crl-file",
    "skip-client-san-verification": "peer-skip-client-san-verification",
  },
  "socket-options": {
    "reuse-port": "socket-reuse-port",
    "reuse-address": "socket-reuse-address",
  },
  "discovery-config": {
    "discovery-token": "discovery-token",
    "discovery-endpoints": "discovery-endpoints",
    "discovery-dial-timeout": "discovery-dial-timeout",
    "discovery-request-timeout": "discovery-request-timeout",
    "discovery-keepalive-time": "discovery-keepalive-time",
    "discovery-keepalive-timeout": "discovery-keepalive-timeout",
    "discovery-insecure-transport": "discovery-insecure-transport",
    "discovery-insecure-skip-tls-verify": "discovery-insecure-skip-tls-verify",
    "discovery-cert": "discovery-cert",
    "discovery-key": "discovery-key",
    "discovery-cacert": "discovery-cacert",
    "discovery-user": "discovery-user",
    "discovery-password": "discovery-password",
  },
};

/** Keys that etcd's file has no flag for, or a flag that makes no sense in a file. */
const NOT_IN_FILES = new Set(["config-file", "version"]);

/** Reads the settings of `text`. Throws ConfigError with path, line and column. */
export function readConfigFile(
  path: string,
  text: string,
  warn: (message: string, key: string) => void,
): Settings {
  if (text.length > FILE_BYTES_MAX) {
    throw new ConfigError(`${path} is larger than ${FILE_BYTES_MAX} bytes`);
  }
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, logLevel: "silent" });
  const at = (offset: number): string => {
    const { line, col } = lineCounter.linePos(offset);
    return `${path}:${line}:${col}`;
  };
  const mistake = document.errors[0];
  if (mistake !== undefined) {
    const reason = mistake.message.split(/ at line \d+|\n/)[0] as string;
    throw new ConfigError(`${at(mistake.pos[0])}: ${reason}`);
  }
  const settings: Settings = new Map();
  const { contents } = document;
  if (contents === null || (isScalar(contents) && contents.value === null)) return settings;
  if (!isMap(contents)) {
    throw new ConfigError(`${at(contents.range?.[0] ?? 0)}: expected keys and values`);
  }
  const reader = new Reader(settings, at, warn);
  for (const pair of contents.items) reader.top(pair as Pair<Node, Node | null>);
  return settings;
}

class Reader {
  readonly #settings: Settings;
  readonly #at: (offset: number) => string;
  readonly #warn: (message: string, key: string) => void;

  constructor(
    settings: Settings,
    at: (offset: number) => string,
    warn: (message: string, key: string) => void,
  ) {
    this.#settings = settings;
    this.#at = at;
    this.#warn = warn;
  }

  top(pair: Pair<Node, Node | null>): void {
    const key = keyOf(pair);
    const nested = Object.hasOwn(NESTED, key) ? NESTED[key] : undefined;
    if (nested !== undefined) return this.#inside(key, nested, pair);
    const flag = FLAG_BY_NAME.get(key);
    if (flag === undefined || NOT_IN_FILES.has(key)) return this.#unknown(key, pair);
    this.#set(flag, key, pair);
  }

  #inside(
    key: string,
    names: Readonly<Record<string, string>>,
    outer: Pair<Node, Node | null>,
  ): void {
    const value = outer.value;
    if (value === null || (isScalar(value) && value.value === null)) return;
    if (!isMap(value)) throw new ConfigError(`${this.#place(outer)}: "${key}" needs keys below it`);
    for (const item of value.items) {
      const pair = item as Pair<Node, Node | null>;
      const inner = keyOf(pair);
      const name = Object.hasOwn(names, inner) ? names[inner] : undefined;
      if (name === undefined) this.#unknown(`${key}.${inner}`, pair);
      else this.#set(FLAG_BY_NAME.get(name) as Flag, `${key}.${inner}`, pair);
    }
  }

  #unknown(key: string, pair: Pair<Node, Node | null>): void {
    this.#warn(`${this.#place(pair)}: unknown key in the configuration file, ignored`, key);
  }

  #set(flag: Flag, key: string, pair: Pair<Node, Node | null>): void {
    const text = textOf(pair.value, flag);
    if (text === "" && flag.kind !== "string") return;
    if (text === undefined || !isValue(flag, text)) {
      throw new ConfigError(`${this.#place(pair)}: "${key}" needs ${WANTED[flag.kind]}`);
    }
    this.#settings.set(flag.name, text);
  }

  #place(pair: Pair<Node, Node | null>): string {
    return this.#at(pair.key.range?.[0] ?? 0);
  }
}

const WANTED: Readonly<Record<Flag["kind"], string>> = {
  bool: "true or false",
  duration: 'nanoseconds, or text such as "5s"',
  int: "a whole number",
  uint: "a whole number that is not negative",
  list: "text, comma-separated, or a list",
  string: "text",
  urls: "URLs, comma-separated, or a list",
};

function keyOf(pair: Pair<Node, Node | null>): string {
  return isScalar(pair.key) ? String(pair.key.value) : "";
}

/** As a flag would be given; undefined when it has no such form; "" for nothing. */
function textOf(node: Node | null, flag: Flag): string | undefined {
  if (node === null) return "";
  if (isSeq(node)) {
    if (flag.kind !== "list" && flag.kind !== "urls") return undefined;
    const parts = node.items.map((item) => (isScalar(item) ? String(item.value) : undefined));
    return parts.includes(undefined) ? undefined : parts.join(",");
  }
  if (!isScalar(node)) return undefined;
  const { value } = node;
  if (value === null) return "";
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return flag.kind === "bool" ? String(value) : node.source;
  if (typeof value !== "number") return undefined;
  if (flag.kind === "duration") return Number.isInteger(value) ? `${value}ns` : undefined;
  // As it was written: a retention of 08 or 1e3 means what it says to etcd.
  return flag.kind === "string" || flag.kind === "list" ? node.source : String(value);
}
