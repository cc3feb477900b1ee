/** The settings of one start, typed; their kinds were checked when the values were read. */
import { parseListenUrl } from "../host/index.ts";
import type { Settings } from "./command-line.ts";
import { ConfigError } from "./config-error.ts";
import { FLAG_BY_NAME, type Flag } from "./flag-table.ts";
import { readBool, readDurationMs, readInteger, readList } from "./flag-value.ts";

export class Options {
  readonly #settings: Settings;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  given(name: string): string | undefined {
    const value = this.#settings.get(name);
    return value === "" ? undefined : value;
  }

  text(name: string): string {
    return this.#settings.get(name) ?? (FLAG_BY_NAME.get(name) as Flag).fallback;
  }

  flag(name: string): boolean {
    return readBool(this.text(name)) === true;
  }

  integer(name: string): number {
    return readInteger(this.text(name)) as number;
  }

  /** Throws ConfigError unless above zero. */
  positive(name: string): number {
    const value = this.integer(name);
    if (value <= 0) throw new ConfigError(`--${name} must be >0 (set to ${value})`);
    return value;
  }

  durationMs(name: string): number {
    return readDurationMs(this.text(name)) as number;
  }

  /** Throws ConfigError below zero. */
  notNegativeMs(name: string): number {
    const value = this.durationMs(name);
    if (value < 0) throw new ConfigError(`--${name} must not be negative`);
    return value;
  }

  /** Throws ConfigError unless above zero. */
  positiveMs(name: string): number {
    const value = this.durationMs(name);
    if (value <= 0) throw new ConfigError(`--${name} must be >0 (set to ${this.text(name)})`);
    return value;
  }

  list(name: string): string[] {
    return readList(this.text(name));
  }

  /** URLs to bind: an address, localhost or a socket file. Throws ConfigError. */
  listenUrls(name: string): string[] {
    const urls = this.list(name);
    for (const url of urls) {
      const address = parsed(name, url);
      if (address.kind !== "tcp" || address.host === "localhost") continue;
      if (!/^[0-9.]*$/.test(address.host) && !address.host.includes(":")) {
        throw new ConfigError(
          `--${name}: expected IP in URL for binding (${url}); use an address, localhost or a unix socket`,
        );
      }
    }
    return urls;
  }

  /** URLs told to others: they name a host. Throws ConfigError. */
  hostUrls(name: string): string[] {
    const urls = this.list(name);
    for (const url of urls) {
      const address = parsed(name, url);
      if (address.kind === "tcp" && address.host === "") {
        throw new ConfigError(`--${name} "${url}" must name a host that others can reach`);
      }
    }
    return urls;
  }
}

function parsed(name: string, url: string): ReturnType<typeof parseListenUrl> {
  try {
    return parseListenUrl(url);
  } catch (error) {
    throw new ConfigError(`--${name}: ${(error as Error).message}`);
  }
}
