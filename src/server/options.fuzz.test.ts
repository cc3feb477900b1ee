import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import { isValue, readCommandLine, readEnvironment, variableOf } from "./command-line.ts";
import { ConfigError, UsageError } from "./config-error.ts";
import { readConfigFile } from "./config-file.ts";
import { FLAG_BY_NAME, FLAGS } from "./flag-table.ts";
import { resolveConfig } from "./server-config.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2000);

const VALUES = [
  ..."|0|1|-1|7|true|false|x|5s|1h30m|99999999999999999999|0x10|http://127.0.0.1:0".split("|"),
  ..."https://[::1]:1|unix://a|http://a:1,https://b:2|a=http://a:1|3.4|3.5|3.6|TLS1.3".split("|"),
  ..."new|existing|revision|CompactHashCheck=true|=|,|\0|é|${name}|__proto__".split("|"),
];

/** A value, sometimes with a character added, dropped or changed. */
function value(prng: Prng): string {
  const text = prng.pick(VALUES);
  if (prng.chance(0.7)) return text;
  const at = prng.below(text.length + 1);
  const added = prng.chance(0.5) ? String.fromCharCode(prng.below(300)) : "";
  return text.slice(0, at) + added + text.slice(at + prng.below(2));
}

function argument(prng: Prng): string[] {
  const name = prng.chance(0.97) ? prng.pick(FLAGS).name : value(prng);
  const dashes = prng.chance(0.9) ? "--" : "-".repeat(prng.below(4));
  if (prng.chance(0.5)) return [`${dashes}${name}=${value(prng)}`];
  return prng.chance(0.5) ? [`${dashes}${name}`, value(prng)] : [`${dashes}${name}`];
}

function isRefusal(error: unknown): boolean {
  return error instanceof ConfigError || error instanceof UsageError;
}

test("options fuzz: any command line and environment → a configuration or a refusal", () => {
  const prng = new Prng(11);
  let accepted = 0;
  for (let run = 0; run < RUNS; run += 1) {
    const parts = Array.from({ length: prng.below(4) }, () => argument(prng)).flat();
    const environment: Record<string, string> = {};
    if (prng.chance(0.3)) environment[variableOf(prng.pick(FLAGS).name)] = value(prng);
    try {
      const { settings } = readCommandLine(parts);
      readEnvironment(environment, settings, () => undefined);
      for (const [name, text] of settings) {
        const flag = FLAG_BY_NAME.get(name);
        assert.ok(flag !== undefined && isValue(flag, text));
      }
      const { config } = resolveConfig(settings);
      assert.ok(config.electionTimeoutMs >= 5 * config.heartbeatMs);
      accepted += 1;
    } catch (error) {
      if (!isRefusal(error)) throw new Error(`on ${JSON.stringify(parts)}`, { cause: error });
    }
  }
  assert.ok(accepted > RUNS / 10, `${accepted} accepted`);
});

const SHAPES = [
  ...["client-transport-security", "peer-transport-security", "socket-options", "cert-file"],
  ...["reuse-port", "unknown", "&a", "*a", "<<", "{", "}", "[", "]", "- ", "? ", "!!binary ", "|"],
  ...['"', "'", "#", "\t", "---\n", "...\n", "%YAML 1.1\n", "null", "~", ".nan", "1e400", "0o7"],
];

test("options fuzz: any configuration file → settings or a refusal with its place", () => {
  const prng = new Prng(12);
  for (let run = 0; run < RUNS; run += 1) {
    let text = "";
    for (let line = prng.below(6); line >= 0; line -= 1) {
      const indent = " ".repeat(prng.below(3));
      const key = prng.chance(0.7) ? prng.pick(FLAGS).name : prng.pick(SHAPES);
      text += `${indent}${key}${prng.chance(0.9) ? ": " : ""}`;
      text += `${prng.chance(0.6) ? value(prng) : prng.pick(SHAPES)}\n`;
    }
    try {
      const settings = readConfigFile("f", text, () => undefined);
      resolveConfig(settings);
    } catch (error) {
      if (!isRefusal(error)) throw new Error(`on ${JSON.stringify(text)}`, { cause: error });
    }
  }
});
