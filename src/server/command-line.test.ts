import assert from "node:assert/strict";
import { test } from "node:test";
import { readCommandLine, readEnvironment, type Settings, variableOf } from "./command-line.ts";
import { ConfigError, UsageError } from "./config-error.ts";
import { readBool, readDurationMs, readInteger, readList } from "./flag-value.ts";

function read(...parts: string[]): Record<string, string> {
  return Object.fromEntries(readCommandLine(parts).settings);
}

test("command line: every form of Go's flags is understood", () => {
  assert.deepEqual(read("--name", "a", "-data-dir=d", "--wal-dir=", "-snapshot-count", "7"), {
    name: "a",
    "data-dir": "d",
    "wal-dir": "",
    "snapshot-count": "7",
  });
  assert.deepEqual(read("--auto-tls", "--pre-vote=false", "--client-cert-auth=T"), {
    "auto-tls": "true",
    "pre-vote": "false",
    "client-cert-auth": "T",
  });
  assert.deepEqual(read("--name=a=b", "--name", "-x"), { name: "-x" }, "the last one counts");
  assert.deepEqual(read("--quota-backend-bytes=-1", "--"), { "quota-backend-bytes": "-1" });
  assert.equal(readCommandLine(["--name", "a", "-h", "--bogus"]).isHelpWanted, true);
});

test("command line: what Go refuses is refused in its words", () => {
  const refused = (...parts: string[]): string => {
    try {
      readCommandLine(parts);
    } catch (error) {
      if (error instanceof UsageError) return error.message;
      if (error instanceof ConfigError) return `config: ${error.message}`;
      throw error;
    }
    return "";
  };
  assert.equal(refused("--bogus"), "flag provided but not defined: -bogus");
  assert.equal(refused("--name"), "flag needs an argument: -name");
  assert.equal(refused("---name"), "bad flag syntax: ---name");
  assert.equal(refused("--=x"), "bad flag syntax: --=x");
  assert.equal(
    refused("--heartbeat-interval=x"),
    'invalid value "x" for flag -heartbeat-interval: parse error',
  );
  assert.equal(
    refused("--auto-tls=maybe"),
    'invalid boolean value "maybe" for flag -auto-tls: parse error',
  );
  assert.equal(refused("--max-wals", "-1"), 'invalid value "-1" for flag -max-wals: parse error');
  assert.match(refused("--auto-tls", "true"), /^config: 'true' is not a valid flag/);
  assert.match(refused("gateway", "start"), /^config: 'etcd gateway' is not available/);
  assert.match(refused("restore", "x"), /^config: 'holdfast restore' comes with a later version/);
  assert.match(refused("extra"), /^config: 'extra' is not a valid flag/);
});

test("environment: variables set flags; one that a flag sets too is fatal; unknown ones are told", () => {
  const warned: string[] = [];
  const apply = (environment: Record<string, string>, settings: Settings): Settings => {
    readEnvironment(environment, settings, (message, key) => warned.push(`${message} ${key}`));
    return settings;
  };
  assert.equal(variableOf("initial-advertise-peer-urls"), "ETCD_INITIAL_ADVERTISE_PEER_URLS");
  const settings = apply({ ETCD_NAME: "a", ETCD_DATA_DIR: "", HOME: "/" }, new Map());
  assert.deepEqual([...settings], [["name", "a"]]);
  assert.throws(
    () => apply({ ETCD_NAME: "" }, new Map([["name", "b"]])),
    /conflicting environment variable "ETCD_NAME" is shadowed by corresponding command-line flag/,
  );
  assert.throws(
    () => apply({ ETCD_MAX_WALS: "x" }, new Map()),
    /invalid value "x" for ETCD_MAX_WALS/,
  );
  assert.deepEqual(warned, []);
  apply({ ETCD_BOGUS: "1", ETCD_VERSION: "v3", ETCD_UNSUPPORTED_ARCH: "arm" }, new Map());
  assert.deepEqual(warned, [
    "unrecognized environment variable ETCD_BOGUS",
    "cannot set special environment variable ETCD_VERSION",
  ]);
});

test("flag values: durations, bools, integers and lists as Go reads them", () => {
  const durations: [string, number | undefined][] = [
    ["5s", 5000],
    ["1h30m", 5_400_000],
    ["-1.5ms", -1.5],
    ["0", 0],
    ["2us", 0.002],
    [".5s", 500],
    ["100", undefined],
    ["", undefined],
    ["5 s", undefined],
    ["1d", undefined],
    ["99999999999h", undefined],
  ];
  for (const [text, ms] of durations) assert.equal(readDurationMs(text), ms, text);
  assert.deepEqual(["1", "t", "TRUE", "0", "False", "yes", ""].map(readBool), [
    true,
    true,
    true,
    false,
    false,
    undefined,
    undefined,
  ]);
  assert.deepEqual(["10", "-3", "0x10", "1_000", "1.5", "", "1e3"].map(readInteger), [
    10,
    -3,
    16,
    1000,
    undefined,
    undefined,
    undefined,
  ]);
  assert.deepEqual(readList("b, a,,b"), ["b", "a"]);
});
