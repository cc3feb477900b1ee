import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfigFile } from "./config-file.ts";
import { ConfigError } from "./config-error.ts";
import { resolveConfig } from "./server-config.ts";

function read(text: string): { settings: Record<string, string>; warned: string[] } {
  const warned: string[] = [];
  const settings = readConfigFile("x.yml", text, (message, key) =>
    warned.push(`${message}: ${key}`),
  );
  return { settings: Object.fromEntries(settings), warned };
}

test("config file: etcd's sample keys, nested ones too, become settings", () => {
  const { settings, warned } = read(`
# a comment
name: 'm1'
data-dir: /data
snapshot-count: 10000
heartbeat-interval: 100
quota-backend-bytes: 0
listen-client-urls: http://127.0.0.1:1,https://127.0.0.1:2
advertise-client-urls: [http://a:1, http://b:1]
wal-dir:
pre-vote: true
auto-compaction-retention: "1"
auto-compaction-mode: periodic
grpc-keepalive-min-time: 5000000000
watch-progress-notify-interval: 5s
log-outputs: [stderr]
feature-gates: CompactHashCheck=true
client-transport-security:
  cert-file: c.pem
  key-file: k.pem
  client-cert-auth: true
  auto-tls: false
  allowed-hostname: [a, b]
peer-transport-security:
  trusted-ca-file: p.pem
socket-options:
  reuse-port: true
`);
  assert.deepEqual(warned, []);
  assert.deepEqual(settings, {
    name: "m1",
    "data-dir": "/data",
    "snapshot-count": "10000",
    "heartbeat-interval": "100",
    "quota-backend-bytes": "0",
    "listen-client-urls": "http://127.0.0.1:1,https://127.0.0.1:2",
    "advertise-client-urls": "http://a:1,http://b:1",
    "wal-dir": "",
    "pre-vote": "true",
    "auto-compaction-retention": "1",
    "auto-compaction-mode": "periodic",
    "grpc-keepalive-min-time": "5000000000ns",
    "watch-progress-notify-interval": "5s",
    "log-outputs": "stderr",
    "feature-gates": "CompactHashCheck=true",
    "cert-file": "c.pem",
    "key-file": "k.pem",
    "client-cert-auth": "true",
    "auto-tls": "false",
    "client-cert-allowed-hostname": "a,b",
    "peer-trusted-ca-file": "p.pem",
    "socket-reuse-port": "true",
  });
  const { config } = resolveConfig(new Map(Object.entries(settings)));
  assert.equal(config.keepaliveMinTimeMs, 5000);
  assert.deepEqual(config.retention, { mode: "periodic", periodMs: 3_600_000 });
});

test("config file: JSON is read alike", () => {
  assert.deepEqual(read('{"name": "j", "max-txn-ops": 7, "auto-tls": true}').settings, {
    name: "j",
    "max-txn-ops": "7",
    "auto-tls": "true",
  });
});

test("config file: empty, or comments alone → no settings", () => {
  assert.deepEqual(read("").settings, {});
  assert.deepEqual(read("# nothing\n").settings, {});
});

test("config file: unknown keys are told by name and place, not dropped silently", () => {
  const { warned } = read("nmae: x\nclient-transport-security:\n  cert: y\nconfig-file: z\n");
  assert.deepEqual(warned, [
    "x.yml:1:1: unknown key in the configuration file, ignored: nmae",
    "x.yml:3:3: unknown key in the configuration file, ignored: client-transport-security.cert",
    "x.yml:4:1: unknown key in the configuration file, ignored: config-file",
  ]);
});

test("config file: mistakes are told with line and column", () => {
  const refused = (text: string, pattern: RegExp): void =>
    assert.throws(
      () => read(text),
      (error) => error instanceof ConfigError && pattern.test(error.message),
      text,
    );
  refused("name: a\n  b: : c\n", /^x\.yml:[12]:\d+: /);
  refused('{"name": "a",\n "max-wals": }x', /^x\.yml:2:\d+: /);
  refused("name: a\nname: b\n", /^x\.yml:2:1: Map keys must be unique/);
  refused("- a\n- b\n", /^x\.yml:1:1: expected keys and values/);
  refused(
    "\nmax-wals: many\n",
    /^x\.yml:2:1: "max-wals" needs a whole number that is not negative/,
  );
  refused("pre-vote: [true]\n", /"pre-vote" needs true or false/);
  refused("grpc-keepalive-timeout: 1.5\n", /needs nanoseconds, or text such as "5s"/);
  refused("client-transport-security: yes\n", /"client-transport-security" needs keys below it/);
  refused("name: {a: b}\n", /"name" needs text/);
});
