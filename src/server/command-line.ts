/** The command line and the environment, read as Go's flag package and etcd do. */
import { ConfigError, UsageError } from "./config-error.ts";
import { FLAG_BY_NAME, type Flag, FLAGS } from "./flag-table.ts";
import { readBool, readDurationMs, readInteger } from "./flag-value.ts";

/** Values by flag name, as text; checked against the flag's kind. */
export type Settings = Map<string, string>;

const ETCD_VERBS: ReadonlySet<string> = new Set(["gateway", "grpc-proxy"]);

/** Holdfast's own, of versions to come. */
const LATER_VERBS: ReadonlySet<string> = new Set([
  "agent",
  "ctl",
  "disaster",
  "guard",
  "health",
  "restore",
  "subnet",
]);

export interface CommandLine {
  readonly settings: Settings;
  readonly isHelpWanted: boolean;
}

/**
 * `-flag`, `--flag`, `--flag=value`, `--flag value`; a bool takes its value only by `=`. Of a flag
 * given twice the last counts. Throws UsageError.
 */
export function readCommandLine(parts: readonly string[]): CommandLine {
  const settings: Settings = new Map();
  let position = 0;
  for (; position < parts.length; position += 1) {
    const part = parts[position] as string;
    if (!part.startsWith("-") || part === "-") break;
    if (part === "--") {
      position += 1;
      break;
    }
    const match = /^--?([^-=][^=]*)(?:=([^]*))?$/.exec(part);
    if (match === null) throw new UsageError(`bad flag syntax: ${part}`);
    const name = match[1] as string;
    if (name === "help" || name === "h") return { settings, isHelpWanted: true };
    const flag = FLAG_BY_NAME.get(name);
    if (flag === undefined) throw new UsageError(`flag provided but not defined: -${name}`);
    let value = match[2];
    if (value === undefined && flag.kind === "bool") value = "true";
    if (value === undefined) {
      position += 1;
      value = parts[position];
      if (value === undefined) throw new UsageError(`flag needs an argument: -${name}`);
    }
    if (!isValue(flag, value)) {
      const what = flag.kind === "bool" ? "boolean value" : "value";
      throw new UsageError(
        `invalid ${what} ${JSON.stringify(value)} for flag -${name}: parse error`,
      );
    }
    settings.set(name, value);
  }
  const rest = parts[position];
  if (rest !== undefined) {
    if (ETCD_VERBS.has(rest)) {
      throw new ConfigError(`'etcd ${rest}' is not available in this version of Holdfast`);
    }
    if (LATER_VERBS.has(rest)) {
      throw new ConfigError(
        `'holdfast ${rest}' comes with a later version; this one is the server alone`,
      );
    }
    throw new ConfigError(`'${rest}' is not a valid flag. See 'holdfast --help'`);
  }
  return { settings, isHelpWanted: false };
}

/** Whether `text` can be a value of the flag's kind. */
export function isValue(flag: Flag, text: string): boolean {
  switch (flag.kind) {
    case "bool":
      return readBool(text) !== undefined;
    case "int":
      return readInteger(text) !== undefined;
    case "uint":
      return (readInteger(text) ?? -1) >= 0;
    case "duration":
      return readDurationMs(text) !== undefined;
    case "string":
    case "list":
    case "urls":
      return true;
  }
}

/** ETCD_DATA_DIR for data-dir. */
export function variableOf(flagName: string): string {
  return `ETCD_${flagName.toUpperCase().replaceAll("-", "_")}`;
}

/** Read by other programs of the family, or by etcd itself beside its flags. */
const FOREIGN_VARIABLES = /^ETCD_(UNSUPPORTED_ARCH|CONFIG_FILE|VERSION)$/;

/**
 * Adds to `settings` what ETCD_* variables say. One that a flag contradicts, or rather repeats, is
 * fatal as in etcd; an unknown one is reported by `warn`. Throws ConfigError.
 */
export function readEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  settings: Settings,
  warn: (message: string, variable: string) => void,
): void {
  const flagByVariable = new Map(FLAGS.map((flag) => [variableOf(flag.name), flag]));
  for (const variable of Object.keys(environment).sort()) {
    const value = environment[variable];
    if (!variable.startsWith("ETCD_") || value === undefined) continue;
    const flag = flagByVariable.get(variable);
    if (variable === "ETCD_VERSION" || flag === undefined) {
      if (variable === "ETCD_VERSION") warn("cannot set special environment variable", variable);
      else if (!FOREIGN_VARIABLES.test(variable)) {
        warn("unrecognized environment variable", variable);
      }
      continue;
    }
    if (settings.has(flag.name)) {
      throw new ConfigError(
        `conflicting environment variable "${variable}" is shadowed by corresponding command-line ` +
          "flag (either unset environment variable or disable flag)",
      );
    }
    if (value === "") continue;
    if (!isValue(flag, value)) {
      throw new ConfigError(`invalid value ${JSON.stringify(value)} for ${variable}: parse error`);
    }
    settings.set(flag.name, value);
  }
}
