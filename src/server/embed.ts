import type { Logger } from "../seam/index.ts";
import { isValue, type Settings } from "./command-line.ts";
import { ConfigError } from "./config-error.ts";
import { FLAG_BY_NAME } from "./flag-table.ts";
import { resolveConfig } from "./server-config.ts";
import { startMember } from "./running-member.ts";
import type { RunningMember } from "./start-member.ts";

/** Every part has a default but the directory. */
export interface StartMemberOptions {
  /** Made when missing; one process at a time uses it. */
  readonly dataDirectory: string;
  /** Default: a free port of this machine. Port 0 asks for a free one. */
  readonly listenClientUrls?: readonly string[];
  /** Default: the URLs that are listened on. */
  readonly advertiseClientUrls?: readonly string[];
  readonly name?: string;
  /** Any other option by its flag's name: `{ "quota-backend-bytes": 1e9, "auto-tls": true }`. */
  readonly flags?: Readonly<Record<string, string | number | boolean>>;
  /** Default: nothing is logged. */
  readonly logger?: Logger;
}

const SILENT: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  isEnabled: () => false,
  child: () => SILENT,
};

/**
 * Starts a member in this process; resolves when it serves. Rejects with an error whose message is
 * for operators (ConfigError, HostError, DataDirectoryError) when it cannot start. The process is
 * the caller's: no signal is handled, nothing ends it, neither environment nor files are read.
 */
export async function startEmbedded(options: StartMemberOptions): Promise<RunningMember> {
  const settings = settingsOf(options);
  const { config, warnings } = resolveConfig(settings);
  const logger = options.logger ?? SILENT;
  for (const warning of warnings) logger.warn(warning);
  const advertiseClientUrls = options.advertiseClientUrls;
  // A member by itself needs no port for others; flags may ask for one.
  const listenPeerUrls = settings.has("listen-peer-urls") ? config.listenPeerUrls : [];
  const member = await startMember({ ...config, advertiseClientUrls, listenPeerUrls }, logger);
  const failure = await Promise.race([member.serving, member.failed]);
  if (failure === undefined) return member;
  await member.close();
  throw failure;
}

function settingsOf(options: StartMemberOptions): Settings {
  const settings: Settings = new Map();
  for (const [name, value] of Object.entries(options.flags ?? {})) {
    const flag = FLAG_BY_NAME.get(name);
    if (flag === undefined) throw new ConfigError(`flags: --${name} is not known`);
    const text = String(value);
    if (!isValue(flag, text)) throw new ConfigError(`flags: invalid value "${text}" for --${name}`);
    settings.set(name, text);
  }
  const listen = options.listenClientUrls ?? ["http://127.0.0.1:0"];
  settings.set("data-dir", options.dataDirectory);
  settings.set("listen-client-urls", listen.join(","));
  settings.set("advertise-client-urls", (options.advertiseClientUrls ?? listen).join(","));
  if (options.name !== undefined) settings.set("name", options.name);
  return settings;
}
