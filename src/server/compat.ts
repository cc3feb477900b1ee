import { ConfigError } from "./config-error.ts";

/** A minor version of etcd that we can answer as. */
export interface Compat {
  /** "3.7" */
  readonly name: string;
  readonly minor: number;
  /** What /version, Status and `--version` say. */
  readonly serverVersion: string;
  /** What a new cluster decides. */
  readonly clusterVersion: string;
}

const SERVER_VERSIONS: Readonly<Record<string, string>> = {
  "3.4": "3.4.23",
  "3.5": "3.5.26",
  "3.6": "3.6.11",
  "3.7": "3.7.1",
};

export const COMPAT_DEFAULT = "3.7";

export function compatOf(name: string): Compat {
  const serverVersion = SERVER_VERSIONS[name];
  if (serverVersion === undefined) {
    const known = Object.keys(SERVER_VERSIONS).join(", ");
    throw new ConfigError(`--compat "${name}" is not known: choose one of ${known}`);
  }
  const minor = Number(name.slice(2));
  return { name, minor, serverVersion, clusterVersion: `${name}.0` };
}
